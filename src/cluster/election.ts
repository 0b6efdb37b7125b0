// One leader among the replicas, by a Lease.
//
//   Following -- the lease is free, or silent for its whole duration --> Leading
//      ^                                                                   |
//      \------- not renewed within the deadline, or taken by another ------/
//
// A holder counts from the moment before it asked for its last renewal, by a clock that no one can set: a process that
// was frozen knows, before its first write after waking, that it leads no more. Followers judge a lease by how long they
// have seen it unchanged, never by the times in it.
import { microTime } from './micro-time.ts';
import { isApiError } from '#kube/api-client.ts';
import { Deadline, delay } from '#kube/deadline.ts';
import type { KubeObject } from '#kube/source.ts';
import type { ClusterObjects, ObjectKind } from './objects.ts';

export interface ElectionOptions {
  readonly objects: ClusterObjects;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the replicas. */
  readonly identity: string;
  /** Followers wait this long for a holder that no longer renews. */
  readonly leaseMs: number;
  /** A holder that could not renew for this long stops leading; below leaseMs. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
  /** Runs while this replica leads and ends when its signal aborts; ending by itself gives the lease up. */
  readonly lead: (leadership: Leadership) => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

export interface Leadership {
  /** Counts the changes of leaders, as the Lease does: higher than that of everybody who has led before. */
  readonly term: number;
  /** Aborts when leading ends, by whatever cause. */
  readonly signal: AbortSignal;
  /** To be asked before every write. */
  isHeld(): boolean;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export class Election {
  readonly #options: ElectionOptions;
  readonly #kind: ObjectKind;
  /** The lease as last seen, and since when it has been so. */
  #seen: { readonly resourceVersion: string; readonly sinceMs: number } | undefined = undefined;
  #lease: KubeObject | undefined = undefined;
  #heldUntilMs = -Infinity;
  #answeredMs = performance.now();

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#kind = {
      groupVersion: '/apis/coordination.k8s.io/v1',
      kind: 'Lease',
      plural: 'leases',
      namespace: options.namespace,
    };
  }

  get #term(): number {
    const transitions = this.#lease === undefined ? 0 : (specOf(this.#lease).leaseTransitions ?? 0);
    return Math.max(0, transitions) + 1;
  }

  get isLeading(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  /** Seconds since the API server has last said anything of the lease. */
  get contactAgeSeconds(): number {
    return (performance.now() - this.#answeredMs) / 1000;
  }

  /** Resolves when the signal has aborted and leading has ended; the lease is given up then. */
  async run(): Promise<void> {
    const { signal, retryMs } = this.#options;
    while (!signal.aborted) {
      await this.#try();
      if (this.isLeading) await this.#lead();
      await delay(retryMs * (0.75 + Math.random() / 2), signal);
    }
  }

  async #lead(): Promise<void> {
    const { signal, retryMs, lead, onError } = this.#options;
    const ending = new AbortController();
    const stop = (): void => ending.abort();
    signal.addEventListener('abort', stop);
    // It may have come while the lease was being asked for.
    if (signal.aborted) stop();
    const leading = lead({ term: this.#term, signal: ending.signal, isHeld: () => this.isLeading })
      .catch(onError)
      .finally(stop);
    while (!ending.signal.aborted) {
      await delay(retryMs, ending.signal);
      if (ending.signal.aborted) break;
      await this.#try();
      if (!this.isLeading) stop();
    }
    await leading;
    signal.removeEventListener('abort', stop);
    await this.#giveUp();
  }

  /** Takes or renews the lease if it may. Whatever goes wrong is tried again. */
  async #try(): Promise<void> {
    const { objects, name, identity, leaseMs, renewDeadlineMs, onError, signal } = this.#options;
    const startedMs = performance.now();
    // A leader has to know by its deadline, not by one that begins with its last attempt.
    const leftMs = this.#heldUntilMs - startedMs;
    const deadline = new Deadline(
      signal,
      leftMs > 0 ? leftMs : renewDeadlineMs,
      'the lease is not answered for',
    );
    try {
      const lease = await objects.get(this.#kind, name, deadline.signal);
      this.#answeredMs = performance.now();
      if (lease === undefined) {
        const spec = this.#spec(undefined);
        this.#lease = await objects.create(this.#kind, { metadata: { name }, spec }, deadline.signal);
      } else {
        this.#observe(lease);
        const held = specOf(lease).holderIdentity ?? '';
        const silentMs = performance.now() - (this.#seen?.sinceMs ?? Infinity);
        if (held !== identity && held !== '' && silentMs < leaseMs) {
          this.#heldUntilMs = -Infinity;
          return;
        }
        this.#lease = await objects.replace(
          this.#kind,
          { ...lease, spec: { ...specOf(lease), ...this.#spec(lease) } },
          deadline.signal,
        );
      }
      this.#heldUntilMs = startedMs + renewDeadlineMs;
    } catch (error) {
      // Another replica was faster, or nobody wants to know any more.
      if (!isApiError(error, 409) && !signal.aborted) onError(error);
    } finally {
      deadline.end();
    }
  }

  #observe(lease: KubeObject): void {
    const resourceVersion = lease.metadata.resourceVersion ?? '';
    if (this.#seen?.resourceVersion !== resourceVersion)
      this.#seen = { resourceVersion, sinceMs: performance.now() };
  }

  #spec(lease: KubeObject | undefined): LeaseSpec {
    const { identity, leaseMs } = this.#options;
    const now = microTime(new Date());
    const known = lease === undefined ? undefined : specOf(lease);
    const renewed: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(leaseMs / 1000)),
      renewTime: now,
    };
    if (known?.holderIdentity === identity) return renewed;
    return { ...renewed, acquireTime: now, leaseTransitions: (known?.leaseTransitions ?? -1) + 1 };
  }

  /** So that a follower need not wait. */
  async #giveUp(): Promise<void> {
    const { objects, onError } = this.#options;
    const wasHeld = this.isLeading;
    this.#heldUntilMs = -Infinity;
    if (!wasHeld || this.#lease === undefined) return;
    const deadline = new Deadline(new AbortController().signal, 2000, 'the lease is not given up');
    try {
      const spec = { ...specOf(this.#lease), holderIdentity: '', leaseDurationSeconds: 1 };
      await objects.replace(this.#kind, { ...this.#lease, spec }, deadline.signal);
    } catch (error) {
      if (!isApiError(error, 409)) onError(error);
    } finally {
      deadline.end();
    }
  }
}

function specOf(lease: KubeObject): LeaseSpec {
  const spec: LeaseSpec | undefined = lease['spec'] ?? undefined;
  return spec ?? {};
}
