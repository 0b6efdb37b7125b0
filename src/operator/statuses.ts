// What every object is told, and when: one write for each change of its outcome, and none for anybody else's.
//
//   outcome changed --> Open --- every pod serves the revision that holds it ---> Proved, for as long as it stays the same
//
// A leader that takes over adopts what is stored: an object that is Ready as it stands stays so without a write.
import { readMeta, refText } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterObjects, ObjectKind } from '#cluster/objects.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { ServedCertificate, Verdict } from '#translate/verdict.ts';
import type { Acknowledgements, Tally } from './acknowledgements.ts';
import type { Address } from './addresses.ts';
import { Budget } from './budget.ts';
import type { EventRecorder } from './event-recorder.ts';
import { firstStatus, judge, stalledAfterMs, weightyProblems } from './judge.ts';
import { isNewer, resourceVersionOf } from './object-version.ts';
import {
  conditionOf,
  isSameJudgement,
  isSameOutcome,
  isSameStatus,
  readStatus,
  withDetails,
} from './route-status.ts';
import type { RouteStatus } from './route-status.ts';
import { Tallies } from './tallies.ts';
import {
  certificatesText,
  isStoredAsProved,
  knownStatus,
  newestOf,
  objectsWithEmptyUpstreams,
  outcomeOf,
  proofOf,
} from './tracked-route.ts';
import type { TrackedRoute } from './tracked-route.ts';
import { VerdictChanges, idOf } from './verdict-changes.ts';
import { WriteLane } from './write-lane.ts';

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
  /** On IngressRoutes. The same one for as long as it says the same of the same object. */
  readonly verdicts: readonly Verdict[];
  /** `namespace/name` -> the object that was translated, or a newer version of it that asks for the same. */
  readonly routeOf: (id: string) => KubernetesObject | undefined;
  /** `namespace/name` of those that ask for what some pods cannot do. */
  readonly heldBack: ReadonlySet<string>;
}

/** Watches of several kinds are not ordered among each other: what looks missing may be a moment away. */
const settleMs = 500;
const emptySettleMs = 1000;
/** Progress of an object that had a status before is told when it takes longer than this, and then now and then. */
const progressAfterMs = 1000;
const progressEveryMs = 10_000;
/** Without any pod for this long, what was proved is proved no more. */
const noDataPlaneAfterMs = 60_000;
const retryMs = 1000;
const parallelWrites = 8;
/** Addresses are the same for every object: when they change, all are told, and nobody is in a hurry. */
const detailWritesPerSecond = 50;
const detailPauseMs = 1000;

export class Statuses {
  readonly #options: StatusesOptions;
  readonly #tracked = new Map<string, TrackedRoute>();
  /** Those of them whose status may not say all there is to say. */
  readonly #restless = new Set<TrackedRoute>();
  readonly #verdicts = new VerdictChanges();
  readonly #tallies: Tallies;
  readonly #lane: WriteLane;
  #sequence = 0;
  #heldBack: ReadonlySet<string> = new Set();
  #lastMemberMs = performance.now();
  /** Undefined: nobody knows, and what is stored stays. */
  #addresses: readonly Address[] | undefined = undefined;
  readonly #detailWrites = new Budget(detailWritesPerSecond, detailWritesPerSecond);
  /** A walk over the restless, which waits where there are enough writes under way; and whether another one is to follow. */
  #walk: Iterator<TrackedRoute> | undefined = undefined;
  #walksAgain = false;

  constructor(options: StatusesOptions) {
    this.#options = options;
    this.#tallies = new Tallies(options.acknowledgements);
    this.#lane = new WriteLane({ ...options, parallel: parallelWrites });
  }

  get writes(): number {
    return this.#lane.writes;
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

  /** What every status should say of where the data plane is. */
  announce(addresses: readonly Address[]): void {
    if (addresses === this.#addresses) return;
    this.#addresses = addresses;
    for (const tracked of this.#tracked.values()) this.#awake(tracked);
  }

  /** To be called after each publish, also when nothing had to be written. */
  publish({ sequence, model, verdicts, routeOf, heldBack }: Published): void {
    this.#sequence = sequence;
    const { due, gone } = this.#verdicts.update(verdicts);
    for (const id of gone) this.#forget(id);
    for (const id of this.#heldBack.symmetricDifference(heldBack)) {
      const verdict = this.#tracked.get(id)?.verdict;
      if (verdict !== undefined && !due.has(id)) due.set(id, verdict);
    }
    this.#heldBack = heldBack;
    const waiting = [...this.#restless].filter((tracked) => tracked.isEmpty && !tracked.isProved);
    if (due.size === 0 && waiting.length === 0) return;
    const empty = objectsWithEmptyUpstreams(model);
    for (const tracked of waiting) this.#publishEndpoints(tracked, empty.has(idOf(tracked.verdict)));
    for (const [id, verdict] of due) {
      const object = routeOf(id);
      if (object !== undefined)
        this.#publishOne(id, { object, verdict, isEmpty: empty.has(id), isHeldBack: heldBack.has(id) });
    }
  }

  #forget(id: string): void {
    const tracked = this.#tracked.get(id);
    if (tracked !== undefined) this.#restless.delete(tracked);
    this.#tracked.delete(id);
  }

  /** It has something new to say, perhaps. */
  #awake(tracked: TrackedRoute): void {
    tracked.dozesAt = undefined;
    this.#restless.add(tracked);
  }

  #publishEndpoints(tracked: TrackedRoute, isEmpty: boolean): void {
    // Its first endpoints are in this revision, not in the one that has been waited for.
    if (!tracked.isProved && tracked.isEmpty && !isEmpty) {
      tracked.sequence = this.#sequence;
      this.#awake(tracked);
    }
    tracked.isEmpty = isEmpty;
  }

  #publishOne(id: string, now: Pick<TrackedRoute, 'object' | 'verdict' | 'isEmpty' | 'isHeldBack'>): void {
    const { object, verdict, isEmpty, isHeldBack } = now;
    const sequence = this.#sequence;
    const tracked = this.#tracked.get(id);
    const outcome = outcomeOf(object, verdict, isHeldBack);
    if (tracked?.outcome === outcome) {
      this.#refreshTracked(tracked, object, verdict);
      this.#publishEndpoints(tracked, isEmpty);
      return;
    }
    this.#forget(id);
    const isSameObject = tracked !== undefined && readMeta(tracked.object).uid === readMeta(object).uid;
    const successor: TrackedRoute = {
      ...now,
      outcome,
      sequence,
      sinceMs: performance.now(),
      certificates: isSameObject ? tracked.certificates : (readStatus(object['status'])?.certificates ?? []),
      certificatesSequence: sequence,
      isProved: tracked === undefined && !isHeldBack && isStoredAsProved(object, verdict),
      provedBy: undefined,
      written: tracked?.written,
      isWriting: tracked?.isWriting ?? false,
      notBeforeMs: 0,
      tellAgainMs: 0,
      dozesAt: undefined,
      dozesUntilMs: 0,
    };
    this.#tracked.set(id, successor);
    this.#restless.add(successor);
  }

  #refreshTracked(tracked: TrackedRoute, object: KubernetesObject, verdict: Verdict): void {
    this.#refreshObject(tracked, object);
    if (certificatesText(verdict) !== certificatesText(tracked.verdict)) {
      tracked.certificatesSequence = this.#sequence;
      this.#awake(tracked);
    }
    tracked.verdict = verdict;
  }

  /** An object has changed without its outcome: somebody, perhaps this operator, has written its status. */
  observe(object: KubernetesObject): void {
    const { namespace, name, uid, generation } = readMeta(object);
    const tracked = this.#tracked.get(`${namespace}/${name}`);
    if (tracked === undefined) return;
    const judged = readMeta(tracked.object);
    // Another one, or one that asks for something else, is judged first.
    if (judged.uid === uid && judged.generation === generation) this.#refreshObject(tracked, object);
  }

  /** A cycle takes time: what it has translated may be older than what a watch has shown meanwhile. */
  #refreshObject(tracked: TrackedRoute, object: KubernetesObject): void {
    if (!isNewer(object, tracked.object)) return;
    tracked.object = object;
    // The watch has caught up with what was written.
    if (tracked.written !== undefined && newestOf(tracked) === object) tracked.written = undefined;
    this.#awake(tracked);
  }

  /** Writes what has to be said now. Cheap when there is nothing. */
  refresh(): void {
    this.#tallies.renew();
    this.#walksAgain = true;
    this.#goOn();
  }

  /** One walk after the other, for as long as there is room for writes; a write that has ended goes on where it stopped. */
  #goOn(): void {
    const nowMs = performance.now();
    if (this.#options.acknowledgements.count > 0) this.#lastMemberMs = nowMs;
    if (nowMs - this.#lastMemberMs > noDataPlaneAfterMs)
      for (const tracked of this.#tracked.values()) this.#reopen(tracked);
    while (this.#lane.isOpen) {
      if (this.#walk === undefined) {
        if (!this.#walksAgain) return;
        this.#walksAgain = false;
        this.#walk = this.#restless.values();
      }
      const { value: tracked, done } = this.#walk.next();
      if (done === true) this.#walk = undefined;
      else if (!tracked.isWriting && nowMs >= tracked.notBeforeMs) this.#visit(tracked, nowMs);
    }
  }

  #reopen(tracked: TrackedRoute): void {
    if (!tracked.isProved) return;
    tracked.isProved = false;
    tracked.sequence = this.#sequence;
    this.#awake(tracked);
  }

  #visit(tracked: TrackedRoute, nowMs: number): void {
    const tally = this.#tallies.of(tracked.sequence);
    const certificatesTally = this.#tallies.of(tracked.certificatesSequence);
    const [known, certificatesKnown] = tracked.dozesAt ?? [];
    if (known === tally && certificatesKnown === certificatesTally && nowMs < tracked.dozesUntilMs) return;
    tracked.dozesAt = undefined;
    if (this.#tellWhatIsDue(tracked, tally, certificatesTally, nowMs)) return;
    tracked.dozesAt = [tally, certificatesTally];
    const { sinceMs, tellAgainMs } = tracked;
    const turns = [settleMs, emptySettleMs, progressAfterMs, stalledAfterMs].map((ms) => sinceMs + ms);
    tracked.dozesUntilMs = Math.min(...[...turns, tellAgainMs].filter((ms) => ms > nowMs));
  }

  /** False when there is nothing to say yet. */
  #tellWhatIsDue(tracked: TrackedRoute, tally: Tally, certificatesTally: Tally, nowMs: number): boolean {
    const { verdict, sinceMs } = tracked;
    const before = knownStatus(tracked);
    if (verdict.kind === 'NotOurs') {
      // Nothing that we said of it holds any more.
      if (before !== undefined) void this.#write(tracked, before, undefined);
      else this.#restless.delete(tracked);
      return true;
    }
    const waitedMs = nowMs - sinceMs;
    const isDoubtful = weightyProblems(verdict.problems).length > 0;
    const isSettled = waitedMs >= (isDoubtful ? settleMs : tracked.isEmpty ? emptySettleMs : 0);
    const isServed = tally.total > 0 && tally.serving === tally.total;
    if (!tracked.isProved && !tracked.isHeldBack && isSettled && isServed) {
      tracked.isProved = true;
      tracked.provedBy = tally;
    }
    const { generation } = readMeta(tracked.object);
    const now = new Date().toISOString();
    if (!isSettled && before === undefined && isDoubtful) {
      void this.#write(tracked, before, firstStatus(generation, now));
      return true;
    }
    const certificates = this.#servedCertificates(tracked, certificatesTally);
    const judged = judge({ generation, verdict, proof: proofOf(tracked, tally), before, waitedMs, now });
    const addresses = this.#addresses ?? before?.addresses ?? [];
    const status = withDetails(judged, { addresses, certificates });
    if (isSameStatus(status, before)) {
      const isDecided =
        (tracked.isProved && certificates === tracked.certificates) || verdict.kind === 'Rejected';
      const isDone = isDecided && conditionOf(status, 'Reconciling') === undefined;
      if (isDone) this.#restless.delete(tracked);
      return isDone;
    }
    if (before !== undefined && isSameJudgement(status, before)) {
      if (this.#detailWrites.take()) void this.#write(tracked, before, status);
      else tracked.notBeforeMs = nowMs + detailPauseMs * (1 + Math.random());
      return true;
    }
    const isFinal = isSettled && (tracked.isProved || verdict.kind === 'Rejected');
    const isNews = !isSameOutcome(status, before);
    const isTime = waitedMs >= progressAfterMs && (isNews || nowMs >= tracked.tellAgainMs);
    // An object without any condition passes for done with the tools that wait for it.
    if (!isFinal && before !== undefined && !isTime) return false;
    if (!isFinal) tracked.tellAgainMs = nowMs + progressEveryMs;
    void this.#write(tracked, before, status);
    return true;
  }

  /** What is on its way is told when every pod serves it; until then what was told stays. */
  #servedCertificates(tracked: TrackedRoute, { total, serving }: Tally): readonly ServedCertificate[] {
    const { verdict } = tracked;
    const wanted = verdict.kind === 'Accepted' ? verdict.certificates : [];
    if (tracked.isHeldBack) return [];
    const isSame = JSON.stringify(wanted) === JSON.stringify(tracked.certificates);
    if (!isSame && wanted.length > 0 && (total === 0 || serving < total)) return [...tracked.certificates];
    tracked.certificates = wanted;
    return wanted;
  }

  /** `status` undefined: what we said is taken back. */
  async #write(
    tracked: TrackedRoute,
    before: RouteStatus | undefined,
    status: RouteStatus | undefined,
  ): Promise<void> {
    const { objects, signal } = this.#options;
    const newest = newestOf(tracked);
    const { namespace, name } = readMeta(newest);
    const version = resourceVersionOf(newest);
    tracked.isWriting = true;
    let isFutile = false;
    const isWritten = await this.#lane.run(async () => {
      const kind = { ...kindOfRoutes, namespace };
      const applied = await objects.applyStatus(kind, name, version, status ?? {}, signal);
      // Of the object nothing else is new.
      tracked.written = {
        ...newest,
        metadata: applied.metadata,
        status: applied['status'],
      } as unknown as KubernetesObject;
      // Another manager holds fields that we want gone: saying it again would not help.
      isFutile = resourceVersionOf(tracked.written) === version;
    });
    tracked.isWriting = false;
    if (!isWritten) tracked.notBeforeMs = performance.now() + retryMs;
    else if (status !== undefined && !isFutile) this.#tell(newest, before, status);
    // The object may have been judged anew meanwhile, and is another entry then.
    const current = this.#tracked.get(`${namespace}/${name}`);
    if (current !== undefined) {
      current.isWriting = false;
      current.written = tracked.written;
      if (isFutile && current === tracked) this.#restless.delete(current);
    }
    this.#walksAgain = true;
    this.#goOn();
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
