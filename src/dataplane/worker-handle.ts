// One worker thread as the main thread sees it: a queue of one request at a time, and the table that it serves.
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { transport } from '#transport/current.ts';
import type { ListenOptions } from '#transport/transport.ts';
import type { SlotChange } from './route-slots.ts';
import { goneBetween, piecesBetween } from './table-state.ts';
import type { TableState } from './table-state.ts';
import type { Unwell } from './unwell-news.ts';
import type { FromWorker, ResolvedEndpoints, ToWorker, WorkerStart } from './worker-protocol.ts';
import { VitalsReader } from './worker-vitals.ts';

type Answer = Exclude<FromWorker, { kind: 'AccessLog' | 'Drained' | 'Ejected' }>;

export type Ejection = Omit<Extract<FromWorker, { kind: 'Ejected' }>, 'kind'>;

export interface BoundPorts {
  readonly http: number;
  /** 0: TLS is not spoken. */
  readonly https: number;
}

export interface WorkerHandleEvents {
  onAccessLog(lines: string): void;
  onEjection(ejection: Ejection): void;
  /** The thread is gone; `error` is what killed it, undefined after a drain. */
  onExit(handle: WorkerHandle, error: Error | undefined): void;
}

export class WorkerHandle {
  /** What a thread runs, beside this file in a checkout as in a bundle; a test of threads that misbehave has another one. */
  static script: URL = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
  readonly metrics: SharedArrayBuffer;
  readonly vitals: VitalsReader;
  /** It is being ended because its loop stands still. */
  isCondemned = false;
  /** What it serves; undefined before its first flip. */
  state: TableState | undefined = undefined;
  isListening = false;
  readonly #worker: Worker;
  #resolve: ((answer: Answer) => void) | undefined = undefined;
  #reject: ((error: Error) => void) | undefined = undefined;
  #error: Error | undefined = undefined;
  #isDraining = false;
  #hasExited = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(start: WorkerStart, events: WorkerHandleEvents) {
    this.metrics = start.metrics;
    this.vitals = new VitalsReader(start.vitals);
    this.#worker = new Worker(WorkerHandle.script, { workerData: start });
    this.#worker.on('message', (message: FromWorker) => {
      if (message.kind === 'AccessLog') events.onAccessLog(message.lines);
      else if (message.kind === 'Drained') void this.#worker.terminate();
      else if (message.kind === 'Ejected') events.onEjection(message);
      else this.#resolve?.(message);
    });
    this.#worker.on('error', (error: Error) => {
      this.#error = error;
    });
    this.#worker.on('exit', (code) => {
      this.#hasExited = true;
      // First of all its listeners: while they are open, they get a share of the new connections.
      if (start.leftovers !== undefined) transport.leftovers?.close(start.leftovers);
      const error =
        this.#error ?? (this.#isDraining ? undefined : new Error(`the thread exited with code ${code}`));
      this.#reject?.(error ?? new Error('the thread has drained'));
      events.onExit(this, error);
    });
  }

  /**
   * Brings the thread to `to`, piece by piece and with one flip. One call at a time. Rejects when the thread dies.
   * `slots` are the metric slots that changed since its present state.
   */
  async sync(to: TableState, slots: SlotChange): Promise<void> {
    const pieces = piecesBetween(this.state, to);
    for (const piece of pieces.slice(0, -1)) await this.#ask({ kind: 'Stage', ...piece });
    await this.#ask({
      kind: 'Flip',
      ...pieces.at(-1)!,
      ...to.head,
      slots: slots.added,
      removedSlots: slots.removed,
      ...goneBetween(this.state, to),
    });
    this.state = to;
  }

  /** Resolves to the bound ports. `secure`: where TLS is spoken. */
  async listen(plain: ListenOptions, secure: ListenOptions | undefined): Promise<BoundPorts> {
    const http = await this.#listen(plain, false);
    const https = secure === undefined ? 0 : await this.#listen(secure, true);
    this.isListening = true;
    return { http, https };
  }

  async #listen(options: ListenOptions, isSecure: boolean): Promise<number> {
    const answer = await this.#ask({ kind: 'Listen', options, isSecure });
    if (answer.kind !== 'Listening')
      throw new Error(answer.kind === 'ListenFailed' ? answer.message : 'the thread did not listen');
    return answer.port;
  }

  /** Resolves when nobody begins to connect to the thread any more. */
  async turnAway(): Promise<void> {
    await this.#ask({ kind: 'TurnAway' });
  }

  /** Ends the thread, with the idle connections to backends that it still holds, when its last connection has ended, or after `graceMs`. */
  async drain(patienceMs: number, graceMs: number): Promise<void> {
    this.#isDraining = true;
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage({ kind: 'Drain', patienceMs, graceMs } satisfies ToWorker);
    await exited;
  }

  /** Before or after a flip: the thread keeps what it is told for upstreams that it does not have yet. */
  resolve(resolved: readonly ResolvedEndpoints[]): void {
    this.#worker.postMessage({ kind: 'Resolved', resolved } satisfies ToWorker);
  }

  /** As resolve. */
  setUnwell(unwell: Unwell): void {
    this.#worker.postMessage({ kind: 'Health', unwell } satisfies ToWorker);
  }

  /** Not answered. */
  relieve(bytes: number): void {
    this.#worker.postMessage({ kind: 'Relieve', bytes } satisfies ToWorker);
  }

  terminate(): void {
    this.#isDraining = true;
    void this.#worker.terminate();
  }

  /** Its loop stands still: nothing that it is told reaches it, but both runtimes end a thread in the middle of a loop. */
  condemn(): void {
    this.isCondemned = true;
    this.#error = new Error('the loop of the thread stood still');
    void this.#worker.terminate();
  }

  /** One question at a time: an answer says only what kind it is. Rejects when the thread is gone. */
  #ask(message: ToWorker): Promise<Answer> {
    const asked = this.#turn.then(() => this.#send(message));
    this.#turn = asked.then(
      () => {},
      () => {},
    );
    return asked;
  }

  #send(message: ToWorker): Promise<Answer> {
    if (this.#hasExited) return Promise.reject(this.#error ?? new Error('the thread is gone'));
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#worker.postMessage(message);
    });
  }
}
