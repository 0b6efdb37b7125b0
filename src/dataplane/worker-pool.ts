// N worker threads that all serve the newest table: every one is brought to it by its own delta, one that is dead or stands
// still is replaced.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '#model/route-model.ts';
import type { MemoryLevel } from '#proxy/memory-level.ts';
import type { Logger } from '#telemetry/log.ts';
import { transport } from '#transport/current.ts';
import { bytesInUse, collectGarbage } from '#transport/runtime-memory.ts';
import type { ListenOptions } from '#transport/transport.ts';
import { connectionsPerWorker, descriptorLimit } from './descriptor-limit.ts';
import { LivedTime } from './lived-time.ts';
import { findMemoryGauge } from './memory-gauge.ts';
import { MemoryPressure, newPressureMemory } from './memory-pressure.ts';
import { MetricReader, newMetricMemory } from './metric-slots.ts';
import { leavePorts } from './port-handover.ts';
import { RouteSlots } from './route-slots.ts';
import type { RouteChange, SlotChange } from './route-slots.ts';
import type { TableState } from './table-state.ts';
import type { Unwell } from './unwell-news.ts';
import type { ProxySettings } from './worker-protocol.ts';
import { WorkerHandle } from './worker-handle.ts';
import type { BoundPorts, Ejection } from './worker-handle.ts';
import { newVitalsMemory } from './worker-vitals.ts';

export interface WorkerPoolOptions {
  readonly workers: number;
  readonly listen: ListenOptions;
  /** Where TLS is spoken; undefined: nowhere. */
  readonly listenSecure: ListenOptions | undefined;
  readonly proxy: ProxySettings;
  readonly logger: Logger;
  /** Undefined: no access log. */
  readonly writeAccessLog: ((lines: string) => void) | undefined;
  /** All live workers serve `revision` or a newer one. */
  readonly onServed: (revision: number) => void;
  /** A worker leaves an endpoint alone for a while. */
  readonly onEjection?: (ejection: Ejection) => void;
  /** Starts a thread; a test may want to hold it. */
  readonly startWorker?: (...start: ConstructorParameters<typeof WorkerHandle>) => WorkerHandle;
}

interface StartedWorker {
  readonly handle: WorkerHandle;
  readonly metrics: SharedArrayBuffer;
}

/** A name, a key for HMAC and one for AES, 16 bytes each. */
const ticketKeyBytes = 48;
const firstRestartMs = 100;
const lastRestartMs = 10_000;
/** A worker that lived this long has not died of its start. */
const stableMs = 30_000;
/** A loop that has not turned for this long will not turn again. */
const stallMs = 10_000;
const lookMs = 250;
/** To tell every thread that nobody shall begin to connect to it; what stands still does not hold up the others. */
const mostTurningMs = 250;
/** One look; more than that this thread has not lived through itself. */
const mostLookMs = 2 * lookMs;

export class WorkerPool {
  readonly metrics = new MetricReader();
  readonly slots = new RouteSlots();
  restarts = 0;
  /** A thread that stood still could not even be ended: only another process helps. */
  isStuck = false;
  /** Undefined: memory has no limit. */
  readonly memory: MemoryPressure | undefined;
  readonly #memoryLevel = newPressureMemory();
  readonly #time = new LivedTime(mostLookMs);
  #looking: NodeJS.Timeout | undefined = undefined;
  readonly #options: WorkerPoolOptions;
  /** With a number of connections in any case. */
  readonly #proxy: ProxySettings;
  readonly #handles = new Set<WorkerHandle>();
  /** Threads that load, or have loaded, and wait for the first table. */
  readonly #prepared: StartedWorker[] = [];
  #wanted: TableState | undefined = undefined;
  readonly #resolved = new Map<string, readonly Endpoint[]>();
  /** Upstreams that have unwell endpoints, and which. */
  readonly #unwell = new Map<string, readonly string[]>();
  #ports: BoundPorts;
  readonly #ticketKeys: Uint8Array | undefined;
  #restartMs = firstRestartMs;
  #preparing: NodeJS.Timeout | undefined = undefined;
  #isDraining = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const { proxy, workers } = options;
    this.#proxy = {
      ...proxy,
      connections: proxy.connections || connectionsPerWorker(descriptorLimit(), workers),
    };
    const { listen, listenSecure } = options;
    this.#ports = { http: listen.port, https: listenSecure?.port ?? 0 };
    this.#ticketKeys = listenSecure === undefined ? undefined : randomBytes(ticketKeyBytes);
    this.memory = this.#createMemoryPressure();
  }

  #createMemoryPressure(): MemoryPressure | undefined {
    const gauge = findMemoryGauge(this.#proxy.memoryBytes);
    if (gauge === undefined) return undefined;
    return new MemoryPressure(this.#memoryLevel, {
      gauge,
      bytesInUse: () => {
        let sum = bytesInUse();
        for (const { vitals } of this.#handles) sum += vitals.bytesInUse;
        return sum;
      },
      onRelief: (bytes) => {
        for (const handle of this.#handles) handle.relieve(bytes / this.#handles.size);
        collectGarbage();
      },
      onLevel: (level, usedBytes) => this.#onMemoryLevel(level, usedBytes, gauge.limitBytes),
    });
  }

  #onMemoryLevel(level: MemoryLevel, usedBytes: number, limitBytes: number): void {
    const figures = { level, usedBytes, limitBytes };
    if (level > 0) this.#options.logger.warn(figures, 'memory is short');
    else this.#options.logger.info(figures, 'memory is no longer short');
  }

  /** Somebody accepts connections. */
  get isServing(): boolean {
    return [...this.#handles].some((handle) => handle.isListening);
  }

  get workers(): number {
    return this.#handles.size;
  }

  /** Starts the threads, while their first table is on its way. */
  prepare(): void {
    if (this.#isDraining) return;
    while (this.#prepared.length < this.#options.workers) this.#prepared.push(this.#startWorker());
  }

  /** Gives the threads their first table and listens. Resolves to the ports; rejects when one cannot be bound. */
  async start(state: TableState, routes: RouteChange): Promise<BoundPorts> {
    this.#wanted = state;
    this.slots.update(routes);
    this.prepare();
    const brought = this.#prepared.splice(0).map(({ handle, metrics }) => ({
      handle,
      isBrought: this.#adopt(handle, metrics),
    }));
    const [first, ...others] = brought;
    // The first one finds out the ports, and whether they can be bound at all.
    await first?.isBrought;
    if (first !== undefined) await this.#listen(first.handle);
    await Promise.all(others.map(({ handle, isBrought }) => isBrought.then(() => this.#listen(handle))));
    this.#looking = setInterval(() => this.#lookAtWorkers(), lookMs);
    this.memory?.start();
    return this.#ports;
  }

  #lookAtWorkers(): void {
    const livedMs = this.#time.step();
    for (const handle of this.#handles) {
      const silentMs = handle.vitals.look(livedMs);
      if (handle.isCondemned) {
        if (silentMs >= 2 * stallMs && !this.isStuck) {
          this.isStuck = true;
          this.#options.logger.error('a worker that stands still cannot be ended: no longer alive');
        }
      } else if (silentMs >= stallMs) handle.condemn();
    }
  }

  /** The longest that the loop of a worker was held up since the last call. */
  takeLagSeconds(): number {
    return Math.max(0, ...[...this.#handles].map(({ vitals }) => vitals.takeLagSeconds()));
  }

  /** Serves `state` from now on. Workers that are busy with an older one go on from there. */
  update(state: TableState, routes: RouteChange): void {
    this.#wanted = state;
    // Threads forget them when they flip.
    for (const id of this.#resolved.keys()) if (!state.named.has(id)) this.#resolved.delete(id);
    const change = this.slots.update(routes);
    for (const [, slot] of change.added) this.metrics.clear(slot);
    for (const handle of this.#handles) void this.#bring(handle, change);
  }

  /** What DNS says of an upstream now: no new revision is needed for it. */
  resolve(id: string, endpoints: readonly Endpoint[]): void {
    this.#resolved.set(id, endpoints);
    for (const handle of this.#handles) handle.resolve([[id, endpoints]]);
  }

  /** What DNS has said last. */
  resolved(id: string): readonly Endpoint[] {
    return this.#resolved.get(id) ?? [];
  }

  /** All unwell endpoints of each upstream that is named: no new revision is needed for them. */
  setUnwell(changed: Unwell): void {
    for (const [id, keys] of changed)
      if (keys.length === 0) this.#unwell.delete(id);
      else this.#unwell.set(id, keys);
    for (const handle of this.#handles) handle.setUnwell(changed);
  }

  async drain(patienceMs: number, graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#endPrepared();
    await this.#leavePorts();
    // Threads that stand still are ended in a drain as well: it would wait for them.
    await Promise.all([...this.#handles].map((handle) => handle.drain(patienceMs, graceMs)));
    this.#stopLooking();
  }

  async #leavePorts(): Promise<void> {
    const handles = [...this.#handles].filter((handle) => handle.isListening);
    if (!transport.canTurnAway || handles.length === 0) return;
    const held = [this.#ports.http, this.#ports.https]
      .filter((port) => port > 0)
      .map((port) => ({ port, listeners: handles.length }));
    await leavePorts(held, () =>
      Promise.race([Promise.allSettled(handles.map((handle) => handle.turnAway())), sleep(mostTurningMs)]),
    );
  }

  #stopLooking(): void {
    clearInterval(this.#looking);
    this.memory?.stop();
  }

  terminate(): void {
    this.#isDraining = true;
    this.#stopLooking();
    this.#endPrepared();
    for (const handle of this.#handles) handle.terminate();
  }

  /** They serve nobody. */
  #endPrepared(): void {
    clearTimeout(this.#preparing);
    for (const { handle } of this.#prepared.splice(0)) handle.terminate();
  }

  async #spawn(): Promise<void> {
    const { handle, metrics } = this.#startWorker();
    await this.#adopt(handle, metrics);
    // Its listener would come after those that are about to close.
    if (this.#isDraining) handle.terminate();
    else await this.#listen(handle);
  }

  #startWorker(): StartedWorker {
    const metrics = newMetricMemory();
    const leftovers = transport.leftovers?.newMemory();
    const startedMs = performance.now();
    const startWorker = this.#options.startWorker ?? ((...start) => new WorkerHandle(...start));
    const handle = startWorker(
      {
        metrics,
        vitals: newVitalsMemory(),
        leftovers,
        memoryLevel: this.#memoryLevel,
        hasAccessLog: this.#options.writeAccessLog !== undefined,
        proxy: this.#proxy,
        workers: this.#options.workers,
        ticketKeys: this.#ticketKeys,
      },
      {
        onAccessLog: (lines) => this.#options.writeAccessLog?.(lines),
        onEjection: (ejection) => this.#options.onEjection?.(ejection),
        onExit: (gone, error) => this.#onExit(gone, error, performance.now() - startedMs),
      },
    );
    return { handle, metrics };
  }

  /** It counts from now on. Resolves when it has the newest table, or is dead. */
  async #adopt(handle: WorkerHandle, metrics: SharedArrayBuffer): Promise<void> {
    this.metrics.add(metrics);
    this.#handles.add(handle);
    handle.resolve([...this.#resolved]);
    handle.setUnwell([...this.#unwell]);
    await this.#bring(handle, { added: [...this.slots.entries], removed: [] });
  }

  async #listen(handle: WorkerHandle): Promise<void> {
    try {
      const { listen, listenSecure } = this.#options;
      this.#ports = await handle.listen(
        { ...listen, port: this.#ports.http },
        listenSecure && { ...listenSecure, port: this.#ports.https },
      );
    } catch (error) {
      // Whether it died or could not listen: it serves nobody, and must not be counted or kept up to date.
      this.#handles.delete(handle);
      handle.terminate();
      throw error;
    }
    this.#reportServed();
  }

  readonly #busy = new Map<WorkerHandle, SlotChange[]>();

  /** Syncs one worker until it serves what is wanted; at most one such loop runs for each. */
  async #bring(handle: WorkerHandle, change: SlotChange): Promise<void> {
    const waiting = this.#busy.get(handle);
    if (waiting !== undefined) {
      waiting.push(change);
      return;
    }
    const changes = [change];
    this.#busy.set(handle, changes);
    try {
      while (this.#wanted !== undefined && (handle.state !== this.#wanted || changes.length > 0))
        await handle.sync(this.#wanted, merge(changes.splice(0)));
    } catch (error) {
      // Its exit is reported, and dealt with, by onExit.
      this.#options.logger.debug({ err: error }, 'a worker died while its table changed');
    } finally {
      this.#busy.delete(handle);
    }
    this.#reportServed();
  }

  #reportServed(): void {
    let served = Infinity;
    for (const handle of this.#handles) served = Math.min(served, handle.state?.head.revision ?? -1);
    if (served >= 0 && served < Infinity) this.#options.onServed(served);
  }

  #onExit(handle: WorkerHandle, error: Error | undefined, livedMs: number): void {
    const place = this.#prepared.findIndex((started) => started.handle === handle);
    if (place >= 0) {
      this.#prepared.splice(place, 1);
      this.#prepareLater(error);
      return;
    }
    this.#handles.delete(handle);
    this.metrics.retire(handle.metrics);
    if (this.#isDraining || !handle.isListening) return;
    this.restarts++;
    this.#options.logger.error({ err: error }, 'a worker died; another takes its place');
    if (livedMs > stableMs) this.#restartMs = firstRestartMs;
    this.#replaceLater();
  }

  /** If the first table comes earlier, it starts what is missing itself. */
  #prepareLater(error: Error | undefined): void {
    this.restarts++;
    this.#options.logger.error(
      { err: error },
      'a worker died before its first table; another takes its place',
    );
    if (this.#preparing !== undefined) return;
    this.#preparing = setTimeout(() => {
      this.#preparing = undefined;
      if (this.#wanted === undefined) this.prepare();
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, lastRestartMs);
  }

  #replaceLater(): void {
    // Where nobody serves any more, there is nothing to spare by waiting.
    const delayMs = this.#handles.size === 0 ? firstRestartMs : this.#restartMs;
    setTimeout(() => {
      if (this.#isDraining) return;
      this.#spawn().catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'a worker could not be replaced yet');
        this.#replaceLater();
      });
    }, delayMs);
    this.#restartMs = Math.min(this.#restartMs * 2, lastRestartMs);
  }
}

function merge(changes: readonly SlotChange[]): SlotChange {
  const added = new Map<string, number>();
  const removed = new Set<string>();
  for (const change of changes) {
    for (const id of change.removed) {
      added.delete(id);
      removed.add(id);
    }
    for (const [id, slot] of change.added) added.set(id, slot);
  }
  return { added: [...added], removed: [...removed] };
}
