// The data plane as its owner sees it: bundles go in, the last good table is served, nothing that fails empties it.
import type { Refusal, Refused } from '#model/chunk-reader.ts';
import type { Chunk, ChunkRef } from '#model/chunk.ts';
import type { Delivery } from '#model/model-reader.ts';
import type { RefusedRevision, Revision } from '#model/revision.ts';
import { schemaNumbers } from '#model/route-model-schema.ts';
import { errorCodeNames } from '#h2/error-code.ts';
import { handshakeOutcomes, http2Scopes, refusals } from '#proxy/connection-words.ts';
import { AdminServer } from '#telemetry/admin-server.ts';
import type { AdminAddress, AdminAnswer } from '#telemetry/admin-server.ts';
import type { DataPlaneSnapshot, createDataPlaneMetrics } from '#telemetry/data-plane-metrics.ts';
import type { Logger } from '#telemetry/log.ts';
import { transport } from '#transport/current.ts';
import type { ListenOptions } from '#transport/transport.ts';
import type { EjectionReason } from '#upstream/outlier.ts';
import { EndpointHealth } from './endpoint-health.ts';
import { durationBuckets, faultCodes } from './metric-slots.ts';
import { NameResolver } from './name-resolver.ts';
import { TableStore } from './table-store.ts';
import type { ProxySettings } from './worker-protocol.ts';
import type { BoundPorts, Ejection } from './worker-handle.ts';
import { WorkerPool } from './worker-pool.ts';

export interface DataPlaneOptions {
  readonly http: { readonly host: string; readonly port: number };
  /** Where TLS is spoken; absent: nowhere. */
  readonly https?: { readonly host: string; readonly port: number };
  readonly admin: AdminAddress;
  /** Where the admin pages are while another process, such as the pod that this one replaces, has `admin`. */
  readonly adminSpare?: AdminAddress;
  /** The name of this pod, by which it is asked; absent: nobody knows. */
  readonly podName?: string;
  readonly workers: number;
  readonly proxy: ProxySettings;
  readonly logger: Logger;
  readonly writeAccessLog: ((lines: string) => void) | undefined;
  /** Of the node that this process runs on; absent: nobody knows, and no endpoint is nearer than another. */
  readonly nodeName?: string;
  /** The addresses of a DNS name, where the system's resolver is not to be asked. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
  /** How long nobody has heard from where bundles come from; undefined when they do not come from a cluster. */
  readonly contactAgeSeconds?: () => number;
}

type MetricsPage = ReturnType<typeof createDataPlaneMetrics>;

export type Applied = { readonly kind: 'Applied' } | { readonly kind: 'Unchanged' } | Refused;

/** After a drain began: connections that send nothing for this long are ended. */
const drainPatienceMs = 1000;
const longestWaitMs = 60_000;

export class DataPlane {
  /** The ports that were bound; 0 before start, and where TLS is not spoken. */
  ports: BoundPorts = { http: 0, https: 0 };
  readonly #options: DataPlaneOptions;
  readonly #pool: WorkerPool;
  readonly #admin: AdminServer;
  #registry: Promise<MetricsPage> | undefined = undefined;
  readonly #digests = new Map<number, string>();
  readonly #refusals = new Map<Refusal, number>();
  readonly #waiters = new Set<() => void>();
  readonly #store: TableStore;
  readonly #resolver: NameResolver;
  readonly #health: EndpointHealth;
  /** Ids of the upstreams that are resolved. */
  #named: ReadonlySet<string> = new Set();
  #refusedAnswers = 0;
  readonly #ejections: Record<EjectionReason, number> = { '5xx': 0, connect: 0 };
  /** Of the newest table; 0 before the first one. */
  #sequence = 0;
  #refused: RefusedRevision | null = null;
  #servedSequence = 0;
  #isStarted = false;
  #isDraining = false;
  #starting: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.#store = new TableStore(options.nodeName);
    this.#resolver = this.#createResolver();
    this.#health = new EndpointHealth({
      logger: options.logger,
      onUnwell: (changed) => this.#pool.setUnwell(changed),
      resolved: (id) => this.#pool.resolved(id),
    });
    const workers = transport.canReusePort ? options.workers : 1;
    if (workers < options.workers)
      options.logger.warn('this system cannot share a port between threads; one worker serves alone');
    const listening = (where: DataPlaneOptions['http']): ListenOptions => ({
      host: where.host,
      port: where.port,
      reusePort: transport.canReusePort,
    });
    this.#pool = new WorkerPool({
      workers,
      listen: listening(options.http),
      listenSecure: options.https && listening(options.https),
      proxy: options.proxy,
      logger: options.logger,
      writeAccessLog: options.writeAccessLog,
      onServed: (sequence) => this.#onServed(sequence),
      onEjection: (ejection) => this.#onEjection(ejection),
    });
    this.#admin = new AdminServer({
      ...(options.podName === undefined ? {} : { pod: options.podName }),
      onWaiting: () =>
        options.logger.warn('both admin addresses are taken: nobody can ask whether this process is ready'),
      isReady: () => this.isReady,
      isLive: () => !this.#pool.isStuck,
      pages: {
        '/revision': (query) => this.#answerRevision(query),
        '/certificates': () => Promise.resolve(this.#answerCertificates()),
        '/upstreams': () => Promise.resolve({ contentType: 'application/json', text: this.#health.page }),
      },
      metrics: () => this.#answerMetrics(),
    });
  }

  get isReady(): boolean {
    return this.#isStarted && !this.#isDraining && this.#pool.isServing;
  }

  get revision(): Revision {
    return {
      sequence: this.#servedSequence,
      digest: this.#digests.get(this.#servedSequence) ?? '',
      schemas: schemaNumbers,
      workers: this.#pool.workers,
      refused: this.#refused,
    };
  }

  /** Starts the workers, while the first table is on its way. */
  prepare(): void {
    this.#pool.prepare();
  }

  /** Resolves to the admin port. */
  async startAdmin(): Promise<number> {
    return this.#admin.listen(this.#options.admin, this.#options.adminSpare);
  }

  /** The chunks of a bundle that are to be offered before it is applied, or to come with it. */
  missing(schema: number, refs: readonly ChunkRef[]): readonly ChunkRef[] {
    return this.#store.missing(schema, refs);
  }

  /** A chunk of the bundle whose missing ones were asked for last. */
  offer(chunk: Chunk): Refused | undefined {
    return this.#store.offer(chunk);
  }

  /**
   * Takes a bundle as the revision `sequence`, which must grow. The first one also opens the port; then this rejects
   * if the port cannot be bound. A refused bundle changes nothing.
   */
  async apply(bundle: Delivery, sequence: number): Promise<Applied> {
    const isFirst = this.#sequence === 0;
    // Nothing is begun any more; what is being served may still change.
    if (this.#isDraining && isFirst) return { kind: 'Unchanged' };
    if (sequence <= this.#sequence) {
      // The head is again what it was before somebody broke it.
      if (sequence === this.#sequence) this.#refused = null;
      return { kind: 'Unchanged' };
    }
    const change = this.#store.read(bundle);
    if (change.kind === 'Refused') return this.refuse(sequence, change.refusal, change.message);
    const { state, routes } = this.#store.take(change, sequence);
    this.#sequence = sequence;
    this.#resolve(state.named);
    this.#health.update(this.#store.checked);
    this.#refused = null;
    this.#digests.set(sequence, bundle.digest);
    if (isFirst) {
      const starting = this.#pool.start(state, routes);
      this.#starting = starting.then(ignore, ignore);
      this.ports = await starting;
      this.#isStarted = true;
    } else this.#pool.update(state, routes);
    return { kind: 'Applied' };
  }

  #createResolver(): NameResolver {
    const { logger, lookup } = this.#options;
    return new NameResolver({
      ...(lookup === undefined ? {} : { lookup }),
      onResolved: (id, endpoints) => {
        this.#pool.resolve(id, endpoints);
        this.#health.onResolved(id);
      },
      onRefused: (upstream, name, address) => {
        this.#refusedAnswers++;
        logger.warn(
          { upstream, name, address },
          'a name leads to an address that is not public: it is not used',
        );
      },
      onError: (upstream, name, error) =>
        logger.warn(
          { upstream, name, err: error },
          'a name could not be resolved; what is known of it stays',
        ),
    });
  }

  /** Before the workers know of them, so that answers come as soon as they can. */
  #resolve(named: ReadonlySet<string>): void {
    // A thread that misses the revision in which an id was another name, or none, must not go on with its addresses.
    for (const id of named) if (!this.#named.has(id)) this.#pool.resolve(id, []);
    this.#named = named;
    this.#resolver.update(this.#store.named);
  }

  /** Counts, reports and logs once what cannot be taken; the last good table stays. */
  refuse(sequence: number, refusal: Refusal, message: string): Refused {
    if (this.#refused?.sequence !== sequence || this.#refused.message !== message) {
      this.#refused = { sequence, refusal, message };
      this.#refusals.set(refusal, (this.#refusals.get(refusal) ?? 0) + 1);
      this.#options.logger.error(
        { sequence, refusal, message },
        'a revision was refused; the last good table stays',
      );
      this.#wakeWaiters();
    }
    return { kind: 'Refused', refusal, message };
  }

  /** Resolves when every worker serves `sequence` or a newer revision, or when none ever will. */
  async served(sequence: number): Promise<void> {
    while (this.#servedSequence < sequence && !this.#isStopped)
      await this.#waitForRevision(sequence - 1, longestWaitMs);
  }

  /** Not ready at once, accepting on for `delayMs`, then ending connections as their responses end. */
  async drain(delayMs: number, graceMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#options.adminSpare !== undefined) this.#admin.release();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    // Threads that are being started can be ended when they are there.
    await this.#starting;
    await this.#pool.drain(drainPatienceMs, graceMs);
    this.#stop();
  }

  terminate(): void {
    this.#isDraining = true;
    this.#pool.terminate();
    this.#stop();
  }

  /** Nobody may wait for a revision that will not come: their timers would keep the process alive. */
  #stop(): void {
    this.#resolver.close();
    this.#health.close();
    this.#isStopped = true;
    this.#admin.close();
    this.#wakeWaiters();
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  #onEjection({ upstream, endpoint, reason, durationMs }: Ejection): void {
    this.#ejections[reason]++;
    this.#options.logger.warn(
      { upstream, endpoint, reason, durationMs: Math.round(durationMs) },
      'an endpoint has failed too often: a worker leaves it alone for a while',
    );
  }

  #onServed(sequence: number): void {
    if (sequence === this.#sequence) this.#health.settle();
    if (sequence <= this.#servedSequence) return;
    this.#servedSequence = sequence;
    for (const known of this.#digests.keys()) if (known < sequence) this.#digests.delete(known);
    this.#wakeWaiters();
  }

  /** What makes the page is loaded by the first one who asks: it would be a part of the time until readiness. */
  async #answerMetrics(): Promise<AdminAnswer> {
    this.#registry ??= import('#telemetry/data-plane-metrics.ts').then(({ createDataPlaneMetrics }) =>
      createDataPlaneMetrics(() => this.#snapshot()),
    );
    const registry = await this.#registry;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** ?after=SEQUENCE&waitMs=N: answers when a newer revision is served by every worker, or when the time is up. */
  async #answerRevision(query: URLSearchParams): Promise<AdminAnswer> {
    const after = query.get('after');
    const waitMs = Math.min(Number(query.get('waitMs') ?? 0) || 0, longestWaitMs);
    if (after !== null && waitMs > 0) await this.#waitForRevision(Number(after) || 0, waitMs);
    return { contentType: 'application/json', text: `${JSON.stringify(this.revision)}\n` };
  }

  /** What is served with which names, and until when; never a key. */
  #answerCertificates(): AdminAnswer {
    const listed = this.#store.certificates.map(({ id, dnsNames, notAfter, fingerprint }) => ({
      id,
      dnsNames,
      notAfter,
      fingerprint,
    }));
    return { contentType: 'application/json', text: `${JSON.stringify(listed)}\n` };
  }

  /** Resolves when a revision after `after` is served by all, or when the time is up. */
  async #waitForRevision(after: number, waitMs: number): Promise<void> {
    if (this.#servedSequence > after || this.#isStopped) return;
    // Any news wakes those who wait: also that a revision was refused.
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      this.#waiters.add(wake);
    });
  }

  #snapshot(): DataPlaneSnapshot {
    const { metrics, slots, workers, restarts } = this.#pool;
    return {
      durationBuckets,
      connections: metrics.connections,
      refusedConnections: refusals.map((refusal) => [refusal, metrics.refusedConnections(refusal)]),
      displacedConnections: metrics.displacedConnections,
      handshakes: handshakeOutcomes.map((outcome) => [outcome, metrics.handshakes(outcome)]),
      http2Errors: http2Scopes.flatMap((scope) =>
        errorCodeNames.map((name, code) => [scope, name, metrics.http2Errors(scope, code)] as const),
      ),
      passedThrough: metrics.passedThrough,
      retries: metrics.retries,
      ejections: Object.entries(this.#ejections),
      activeRequests: metrics.activeRequests,
      faults: faultCodes.map((code) => [code, metrics.faults(code)]),
      routes: [
        { route: 'other', ...metrics.slot(0) },
        ...[...slots.entries].map(([route, slot]) => ({ route, ...metrics.slot(slot) })),
      ],
      revision: this.#servedSequence,
      hosts: this.#store.sizes.hosts.keys,
      upstreams: this.#store.sizes.upstreams.keys,
      certificates: this.#store.certificates,
      refusedAnswers: this.#refusedAnswers,
      health: this.#health.counts,
      refusedBundles: [...this.#refusals],
      contactAgeSeconds: this.#options.contactAgeSeconds?.(),
      workers,
      workerRestarts: restarts,
      workerLagSeconds: this.#pool.takeLagSeconds(),
      memory: this.#pool.memory,
    };
  }
}

function ignore(): void {}
