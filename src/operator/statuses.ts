// What every object is told, and when: one write for each change of its outcome, and none for anybody else's.
//
//   outcome changed --> Open --- every pod serves the revision that holds it ---> Proved, for as long as it stays the same
//
// A leader that takes over adopts what is stored: an object that is Ready as it stands stays so without a write.
import { readMeta, refText } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { isApiError } from '#kube/api-client.ts';
import type { ClusterObjects, ObjectKind } from '#cluster/objects.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { Verdict } from '#translate/verdict.ts';
import type { Acknowledgements, Tally } from './acknowledgements.ts';
import type { EventRecorder } from './event-recorder.ts';
import { firstStatus, judge, weightyProblems } from './judge.ts';
import type { Proof } from './judge.ts';
import { conditionOf, isSameStatus, readStatus } from './route-status.ts';
import type { RouteStatus } from './route-status.ts';

export interface StatusesOptions {
  readonly objects: ClusterObjects;
  readonly acknowledgements: Acknowledgements;
  readonly events: EventRecorder;
  readonly isLeading: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** What was published last, and what it was made of. */
export interface Published {
  readonly sequence: number;
  readonly model: RouteModel;
  readonly verdicts: readonly Verdict[];
  /** `namespace/name` -> the object that was translated. */
  readonly routes: ReadonlyMap<string, KubernetesObject>;
}

interface Tracked {
  object: KubernetesObject;
  verdict: Verdict;
  outcome: string;
  /** The first revision that holds this outcome. */
  sequence: number;
  sinceMs: number;
  /** An upstream of it has no endpoint: perhaps because its EndpointSlice is still on its way here. */
  isEmpty: boolean;
  isProved: boolean;
  provedBy: Tally | undefined;
  written: KubernetesObject | undefined;
  isWriting: boolean;
  notBeforeMs: number;
  /** Its status says all there is to say until the object changes. */
  isQuiet: boolean;
}

/** Watches of several kinds are not ordered among each other: what looks missing may be a moment away. */
const settleMs = 500;
const emptySettleMs = 1000;
/** Progress of an object that had a status before is told when it takes longer than this. */
const progressAfterMs = 1000;
/** Without any pod for this long, what was proved is proved no more. */
const noDataPlaneAfterMs = 60_000;
const retryMs = 1000;
const parallelWrites = 8;

export class Statuses {
  writes = 0;
  readonly #options: StatusesOptions;
  readonly #tracked = new Map<string, Tracked>();
  #sequence = 0;
  #writing = 0;
  #lastMemberMs = performance.now();

  constructor(options: StatusesOptions) {
    this.#options = options;
  }

  /** Objects by the reason of their Ready condition, as far as they are ours. */
  get reasons(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const each of this.#tracked.values()) {
      const reason = conditionOf(knownStatus(each), 'Ready')?.reason;
      if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return counts;
  }

  /** To be called after each publish, also when nothing had to be written. */
  publish({ sequence, model, verdicts, routes }: Published): void {
    this.#sequence = sequence;
    const empty = objectsWithEmptyUpstreams(model);
    const present = new Set<string>();
    for (const verdict of verdicts) {
      const id = `${verdict.object.namespace}/${verdict.object.name}`;
      const object = routes.get(id);
      if (object === undefined) continue;
      present.add(id);
      const outcome = outcomeOf(object, verdict);
      const tracked = this.#tracked.get(id);
      if (tracked?.outcome === outcome) {
        this.#refreshObject(tracked, object);
        tracked.verdict = verdict;
        // Its first endpoints are in this revision, not in the one that has been waited for.
        if (!tracked.isProved && tracked.isEmpty && !empty.has(id)) tracked.sequence = sequence;
        tracked.isEmpty = empty.has(id);
        continue;
      }
      this.#tracked.set(id, {
        object,
        verdict,
        outcome,
        sequence,
        sinceMs: performance.now(),
        isEmpty: empty.has(id),
        isProved: tracked === undefined && isStoredAsProved(object, verdict),
        provedBy: undefined,
        written: tracked?.written,
        isWriting: tracked?.isWriting ?? false,
        notBeforeMs: 0,
        isQuiet: false,
      });
    }
    for (const id of this.#tracked.keys()) if (!present.has(id)) this.#tracked.delete(id);
  }

  /** An object has changed without its outcome: somebody, perhaps this operator, has written its status. */
  observe(object: KubernetesObject): void {
    const { namespace, name } = readMeta(object);
    const tracked = this.#tracked.get(`${namespace}/${name}`);
    if (tracked === undefined || readMeta(tracked.object).generation !== readMeta(object).generation) return;
    this.#refreshObject(tracked, object);
  }

  /** A cycle takes time: what it has translated may be older than what a watch has shown meanwhile. */
  #refreshObject(tracked: Tracked, object: KubernetesObject): void {
    if (!isNewer(resourceVersionOf(object), resourceVersionOf(tracked.object))) return;
    tracked.object = object;
    tracked.isQuiet = false;
  }

  /** Writes what has to be said now. Cheap when there is nothing. */
  refresh(): void {
    const nowMs = performance.now();
    if (this.#options.acknowledgements.count > 0) this.#lastMemberMs = nowMs;
    const isDeserted = nowMs - this.#lastMemberMs > noDataPlaneAfterMs;
    for (const tracked of this.#tracked.values()) {
      if (isDeserted) this.#reopen(tracked);
      if (tracked.isQuiet || tracked.isWriting || nowMs < tracked.notBeforeMs) continue;
      if (this.#writing >= parallelWrites) return;
      this.#refresh(tracked, nowMs);
    }
  }

  #reopen(tracked: Tracked): void {
    if (!tracked.isProved) return;
    tracked.isProved = false;
    tracked.isQuiet = false;
    tracked.sequence = this.#sequence;
  }

  #refresh(tracked: Tracked, nowMs: number): void {
    const { verdict, sinceMs } = tracked;
    const before = knownStatus(tracked);
    if (verdict.kind === 'NotOurs') {
      // Nothing that we said of it holds any more.
      if (before !== undefined) void this.#write(tracked, before, undefined);
      else tracked.isQuiet = true;
      return;
    }
    const waitedMs = nowMs - sinceMs;
    const isSettled =
      waitedMs >=
      (weightyProblems(verdict.problems).length > 0 ? settleMs : tracked.isEmpty ? emptySettleMs : 0);
    const tally = this.#options.acknowledgements.tally(tracked.sequence);
    if (!tracked.isProved && isSettled && tally.total > 0 && tally.serving === tally.total) {
      tracked.isProved = true;
      tracked.provedBy = tally;
    }
    const { generation } = readMeta(tracked.object);
    const now = new Date().toISOString();
    if (!isSettled && before === undefined && weightyProblems(verdict.problems).length > 0) {
      void this.#write(tracked, before, firstStatus(generation, now));
      return;
    }
    const proof: Proof = tracked.isProved
      ? { kind: 'Proved', tally: tracked.provedBy }
      : { kind: 'Open', tally };
    const status = judge({ generation, verdict, proof, before, waitedMs, now });
    if (isSameStatus(status, before)) {
      // An open proof may come any moment, however long it has been waited for.
      const isDecided = tracked.isProved || verdict.kind === 'Rejected';
      tracked.isQuiet = isDecided && conditionOf(status, 'Reconciling') === undefined;
      return;
    }
    const isFinal = isSettled && (tracked.isProved || verdict.kind === 'Rejected');
    // An object without any condition passes for done with the tools that wait for it.
    if (isFinal || before === undefined || waitedMs >= progressAfterMs)
      void this.#write(tracked, before, status);
  }

  /** `status` undefined: what we said is taken back. */
  async #write(
    tracked: Tracked,
    before: RouteStatus | undefined,
    status: RouteStatus | undefined,
  ): Promise<void> {
    const { objects, isLeading, onError, signal } = this.#options;
    if (!isLeading() || signal.aborted) return;
    const newest = newestOf(tracked);
    const { namespace, name } = readMeta(newest);
    tracked.isWriting = true;
    this.#writing++;
    let isFutile = false;
    try {
      tracked.written = (await objects.applyStatus(
        { ...kindOfRoutes, namespace },
        name,
        resourceVersionOf(newest),
        status ?? {},
        signal,
      )) as unknown as KubernetesObject;
      this.writes++;
      // Another manager holds fields that we want gone: saying it again would not help.
      isFutile = resourceVersionOf(tracked.written) === resourceVersionOf(newest);
      if (status !== undefined && !isFutile) this.#tell(newest, before, status);
    } catch (error) {
      tracked.notBeforeMs = performance.now() + retryMs;
      // Changed or gone meanwhile: its next version is on its way.
      if (!isApiError(error, 409) && !isApiError(error, 404) && !signal.aborted) onError(error);
    } finally {
      // The object may have been judged anew meanwhile, and is another entry then.
      const current = this.#tracked.get(`${namespace}/${name}`);
      if (current !== undefined) {
        current.isWriting = false;
        current.written = tracked.written;
        if (isFutile) current.isQuiet = true;
      }
      tracked.isWriting = false;
      this.#writing--;
    }
    this.refresh();
  }

  /** One event when the summary changes. */
  #tell(object: KubernetesObject, before: RouteStatus | undefined, after: RouteStatus): void {
    const [was, is] = [conditionOf(before, 'Ready'), conditionOf(after, 'Ready')];
    if (is === undefined || (was?.status === is.status && was.reason === is.reason)) return;
    if (is.status === 'True') this.#options.events.record('Normal', object, is.reason, is.message);
    else if (is.reason !== 'Pending')
      this.#options.events.record(
        'Warning',
        object,
        is.reason,
        is.message || refText({ kind: object.kind, ...readMeta(object) }),
      );
  }
}

const kindOfRoutes: Omit<ObjectKind, 'namespace'> = {
  groupVersion: '/apis/flint.dev/v1alpha1',
  kind: 'IngressRoute',
  plural: 'ingressroutes',
};

/** Two verdicts with one outcome ask for the same status. */
function outcomeOf(object: KubernetesObject, verdict: Verdict): string {
  const { uid, generation } = readMeta(object);
  const said =
    verdict.kind === 'NotOurs'
      ? verdict
      : {
          kind: verdict.kind,
          hosts: verdict.kind === 'Accepted' ? verdict.hosts : [],
          problems: weightyProblems(verdict.problems),
        };
  return JSON.stringify([uid, generation, said]);
}

function isStoredAsProved(object: KubernetesObject, verdict: Verdict): boolean {
  const before = readStatus(object['status']);
  if (before === undefined || verdict.kind !== 'Accepted') return false;
  const proved = judge({
    generation: readMeta(object).generation,
    verdict,
    proof: { kind: 'Proved', tally: undefined },
    before,
    waitedMs: 0,
    now: '',
  });
  return conditionOf(before, 'Programmed')?.status === 'True' && isSameStatus(proved, before);
}

function knownStatus(tracked: Tracked): RouteStatus | undefined {
  return readStatus(newestOf(tracked)['status']);
}

/** What we wrote last is newer than what the watch has shown, for a moment. */
function newestOf({ object, written }: Tracked): KubernetesObject {
  if (written === undefined || readMeta(written).uid !== readMeta(object).uid) return object;
  return isNewer(resourceVersionOf(written), resourceVersionOf(object)) ? written : object;
}

function resourceVersionOf(object: KubernetesObject): string {
  const { resourceVersion }: Readonly<Record<string, unknown>> = { ...object.metadata };
  return typeof resourceVersion === 'string' ? resourceVersion : '';
}

/** Decimal numbers of one collection, which grow. */
function isNewer(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

function objectsWithEmptyUpstreams(model: RouteModel): ReadonlySet<string> {
  const empty = new Set(
    model.upstreams.filter(({ endpoints }) => endpoints.length === 0).map(({ id }) => id),
  );
  const objects = new Set<string>();
  if (empty.size === 0) return objects;
  for (const host of model.hosts)
    for (const { ref, backends } of host.rules)
      if (backends.some((backend) => backend.kind === 'Upstream' && empty.has(backend.upstream)))
        objects.add(`${ref.namespace}/${ref.name}`);
  return objects;
}
