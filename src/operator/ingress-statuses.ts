// What an Ingress is told: where it is reached, once every pod serves it, and an Event for whatever is wrong with it, since
// an Ingress has no conditions. Only what changes is written.
import { readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterObjects } from '#cluster/objects.ts';
import type { Verdict } from '#translate/verdict.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { addressOf } from './addresses.ts';
import type { Address } from './addresses.ts';
import { Budget } from './budget.ts';
import type { EventRecorder } from './event-recorder.ts';
import { isNewer, resourceVersionOf } from './object-version.ts';
import { Tallies } from './tallies.ts';
import { VerdictChanges, idOf } from './verdict-changes.ts';
import { WriteLane } from './write-lane.ts';

export interface IngressStatusesOptions {
  readonly objects: ClusterObjects;
  readonly acknowledgements: Acknowledgements;
  readonly events: EventRecorder;
  readonly isLeading: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

interface Tracked {
  object: KubernetesObject;
  verdict: Verdict;
  /** The first revision that holds it as it is. */
  sequence: number;
  /** What its problems were when they were last told. */
  told: string;
  toldAfterMs: number;
  isServed: boolean;
  /** What of ours stood there last; empty: nothing. */
  ours: string;
  isWriting: boolean;
  notBeforeMs: number;
}

/** A reference may be a moment away: watches of several kinds are not ordered. */
const settleMs = 1000;
const retryMs = 1000;
/** Between two writes to one Ingress: another controller may want to have its way, too. */
const pauseMs = 5000;
const parallelWrites = 4;
const writesPerSecond = 50;

export class IngressStatuses {
  readonly #options: IngressStatusesOptions;
  readonly #tracked = new Map<string, Tracked>();
  /** Those of them where something other may stand than what should. */
  readonly #restless = new Set<Tracked>();
  readonly #verdicts = new VerdictChanges();
  readonly #tallies: Tallies;
  readonly #lane: WriteLane;
  readonly #budget = new Budget(writesPerSecond, writesPerSecond);
  /** As JSON; undefined while nobody knows, and what is stored stays. */
  #ownText: string | undefined = undefined;

  constructor(options: IngressStatusesOptions) {
    this.#options = options;
    this.#tallies = new Tallies(options.acknowledgements);
    this.#lane = new WriteLane({ ...options, parallel: parallelWrites });
  }

  get writes(): number {
    return this.#lane.writes;
  }

  announce(addresses: readonly Address[]): void {
    this.#ownText = JSON.stringify(addresses.map(ingressOf));
    for (const tracked of this.#tracked.values()) this.#restless.add(tracked);
  }

  /** To be called after each publish. `verdicts`: on Ingresses. */
  publish(
    sequence: number,
    verdicts: readonly Verdict[],
    ingressOf: (id: string) => KubernetesObject | undefined,
  ): void {
    const { due, gone } = this.#verdicts.update(verdicts);
    for (const id of gone) this.#forget(id);
    for (const [id, verdict] of due) {
      const object = ingressOf(id);
      if (object !== undefined) this.#publishOne(id, sequence, object, verdict);
    }
  }

  #publishOne(id: string, sequence: number, object: KubernetesObject, verdict: Verdict): void {
    const toldAfterMs = performance.now() + settleMs;
    const tracked = this.#tracked.get(id);
    if (tracked !== undefined && readMeta(tracked.object).uid === readMeta(object).uid) {
      this.#refreshObject(tracked, object);
      tracked.verdict = verdict;
      tracked.toldAfterMs = toldAfterMs;
      this.#restless.add(tracked);
      return;
    }
    this.#forget(id);
    const successor: Tracked = {
      object,
      verdict,
      sequence,
      told: '',
      toldAfterMs,
      isServed: false,
      ours: '',
      isWriting: false,
      notBeforeMs: 0,
    };
    this.#tracked.set(id, successor);
    this.#restless.add(successor);
  }

  #forget(id: string): void {
    const tracked = this.#tracked.get(id);
    if (tracked !== undefined) this.#restless.delete(tracked);
    this.#tracked.delete(id);
  }

  /** It has changed without asking for anything else: somebody has written its status. */
  observe(object: KubernetesObject): void {
    const { namespace, name, uid } = readMeta(object);
    const tracked = this.#tracked.get(`${namespace}/${name}`);
    if (tracked !== undefined && readMeta(tracked.object).uid === uid) this.#refreshObject(tracked, object);
  }

  /** Writes what has to be said now. Cheap when there is nothing. */
  refresh(): void {
    const nowMs = performance.now();
    this.#tallies.renew();
    for (const tracked of this.#restless) {
      if (nowMs >= tracked.toldAfterMs) this.#tell(tracked);
      if (tracked.isWriting || nowMs < tracked.notBeforeMs || !this.#lane.isOpen) continue;
      const wanted = this.#wanted(tracked);
      if (wanted === undefined) continue;
      if (wanted !== ingressText(tracked.object)) {
        if (this.#budget.take()) void this.#write(tracked, wanted);
      } else if (tracked.toldAfterMs === Infinity) this.#restless.delete(tracked);
    }
  }

  /** As JSON; undefined when there is nothing to say yet. */
  #wanted(tracked: Tracked): string | undefined {
    if (this.#ownText === undefined) return undefined;
    const stored = ingressText(tracked.object);
    if (stored === this.#ownText) tracked.ours = stored;
    switch (tracked.verdict.kind) {
      case 'Accepted': {
        if (!tracked.isServed) {
          const { total, serving } = this.#tallies.of(tracked.sequence);
          tracked.isServed = total > 0 && serving === total;
        }
        return tracked.isServed ? this.#ownText : undefined;
      }
      case 'Rejected':
        // Another controller's words are not ours to take back.
        return stored === tracked.ours ? '[]' : stored;
      case 'NotOurs':
        return stored;
    }
  }

  async #write(tracked: Tracked, wanted: string): Promise<void> {
    const { objects, signal } = this.#options;
    const { object } = tracked;
    const { namespace, name } = readMeta(object);
    tracked.isWriting = true;
    const isWritten = await this.#lane.run(async () => {
      const kind = { ...kindOfIngresses, namespace };
      const status = { loadBalancer: { ingress: JSON.parse(wanted) as unknown } };
      const applied = await objects.applyStatus(kind, name, resourceVersionOf(object), status, signal);
      this.#refreshObject(tracked, { ...object, metadata: applied.metadata, status: applied['status'] });
    });
    tracked.isWriting = false;
    tracked.notBeforeMs = performance.now() + (isWritten ? pauseMs : retryMs);
    this.refresh();
  }

  /** Of two versions of it the later one holds: what was written may be newer than what a watch has shown. */
  #refreshObject(tracked: Tracked, object: KubernetesObject): void {
    if (!isNewer(object, tracked.object)) return;
    tracked.object = object;
    if (this.#tracked.get(idOf(tracked.verdict)) === tracked) this.#restless.add(tracked);
  }

  /** One Event for each change of what is wrong, when it has stayed wrong for a moment. */
  #tell(tracked: Tracked): void {
    tracked.toldAfterMs = Infinity;
    const { verdict, object } = tracked;
    const problems = verdict.kind === 'NotOurs' ? [] : verdict.problems;
    const text = problems.map(({ at, message }) => `${at}: ${message}`).join('; ');
    if (text === tracked.told) return;
    tracked.told = text;
    const [first] = problems;
    if (first !== undefined) this.#options.events.record('Warning', object, first.reason, text);
  }
}

const kindOfIngresses = {
  groupVersion: '/apis/networking.k8s.io/v1',
  kind: 'Ingress',
  plural: 'ingresses',
};

/** What stands in `status.loadBalancer.ingress`. */
export function addressesOfIngress(object: KubernetesObject): readonly Address[] {
  return storedIngress(object).flatMap(({ ip, hostname }) => {
    const value = ip ?? hostname;
    return value === undefined ? [] : [addressOf(value)];
  });
}

function ingressOf({ type, value }: Address): Readonly<Record<string, string>> {
  return type === 'IPAddress' ? { ip: value } : { hostname: value };
}

/** What stands in `status.loadBalancer.ingress`, in the order and with the fields that we write. */
function ingressText(object: KubernetesObject): string {
  return JSON.stringify(
    storedIngress(object).map(({ ip, hostname }) => (ip === undefined ? { hostname } : { ip })),
  );
}

interface StoredIngress {
  readonly ip?: string;
  readonly hostname?: string;
}

function storedIngress(object: KubernetesObject): readonly StoredIngress[] {
  const { loadBalancer } = (object['status'] ?? {}) as {
    readonly loadBalancer?: { readonly ingress?: readonly StoredIngress[] };
  };
  return loadBalancer?.ingress ?? [];
}
