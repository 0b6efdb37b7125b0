// Constant load from outside the nodes, as users make it: every request that fails is kept, with its time and cause.
//
// Open loop: requests start when their time has come, whether or not earlier ones have been answered, so a cluster that
// stalls is seen as slow and failing and not as a quieter minute. Most go over kept connections, the others over new
// ones: the two break in different ways.
import { once } from 'node:events';
import { Agent, request } from 'node:http';

export interface OutsideClientOptions {
  readonly address: string;
  readonly port: number;
  /** The Host header; absent: the address. */
  readonly host?: string;
  readonly path?: string;
  /** 100 a second when absent. */
  readonly perSecond?: number;
  /** How many of a hundred come over a new connection; 20 when absent. */
  readonly newPercent?: number;
  /** From the start of a request to the end of its answer; 20 s when absent. */
  readonly timeoutMs?: number;
}

export interface Failure {
  /** Since the load began. */
  readonly atMs: number;
  /** `status 503`, `ECONNRESET`, ...: what a user would have seen. */
  readonly cause: string;
  /** Over which the request went; a reused one may have been closed while it was on its way. */
  readonly connection: 'new' | 'reused';
}

export interface Outcome {
  readonly requests: number;
  readonly failures: readonly Failure[];
  /** How often each text was the answer. */
  readonly answers: ReadonlyMap<string, number>;
  readonly slowestMs: number;
}

export class OutsideClient {
  readonly #options: Required<OutsideClientOptions>;
  /** As many connections as a page of one user opens; fewer would queue, more would hardly be reused. */
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 16, scheduling: 'fifo' });
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  readonly #pending = new Set<Promise<void>>();
  readonly #failures: Failure[] = [];
  readonly #answers = new Map<string, number>();
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #requests = 0;
  #finished = 0;
  #slowestMs = 0;

  /** The load begins at once. */
  constructor(options: OutsideClientOptions) {
    const host = options.host ?? options.address;
    const usual = { path: '/', perSecond: 100, newPercent: 20, timeoutMs: 20_000 };
    this.#options = { ...usual, ...options, host };
    this.#timer = setInterval(() => this.#catchUp(), 5);
  }

  /** So far; `answers` and `failures` are copies. */
  get outcome(): Outcome {
    return {
      requests: this.#finished,
      failures: [...this.#failures],
      answers: new Map(this.#answers),
      slowestMs: this.#slowestMs,
    };
  }

  /** Resolves when that many more requests have been answered or have failed. */
  finish(more: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ count: this.#finished + more, resolve }));
  }

  /** No new request; resolves with the last answer. */
  async stop(): Promise<Outcome> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#kept.destroy();
    return this.outcome;
  }

  /** A test that fails takes its load along: `await using client = new OutsideClient(...)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#startedAt) * this.#options.perSecond) / 1000;
    for (; this.#requests < due; this.#requests++) {
      const sent = this.#send((this.#requests * 37) % 100 < this.#options.newPercent);
      this.#pending.add(sent);
      void sent.then(() => this.#pending.delete(sent));
    }
  }

  /** Never rejects: whatever happens is an outcome. */
  async #send(isNew: boolean): Promise<void> {
    const { address, port, host, path, timeoutMs } = this.#options;
    const startedAt = performance.now();
    const headers = { host, ...(isNew ? { connection: 'close' } : {}) };
    const agent = isNew ? false : this.#kept;
    const signal = AbortSignal.timeout(timeoutMs);
    const outgoing = request({ host: address, port, path, headers, agent, signal });
    const fail = (cause: string): void => {
      const connection = outgoing.reusedSocket ? 'reused' : 'new';
      this.#failures.push({ atMs: Math.round(startedAt - this.#startedAt), cause, connection });
    };
    try {
      outgoing.end();
      const [response] = await once(outgoing, 'response');
      let text = '';
      response.setEncoding('utf8');
      for await (const piece of response) text += String(piece);
      if (response.statusCode === 200) {
        const answer = text.trim().slice(0, 200);
        this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
      } else fail(`status ${response.statusCode}`);
    } catch (error) {
      fail(signal.aborted ? `no answer after ${timeoutMs} ms` : causeOf(error));
    }
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt);
    this.#finished++;
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (count > this.#finished) return true;
      resolve();
      return false;
    });
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? String(error.code) : error.message;
}
