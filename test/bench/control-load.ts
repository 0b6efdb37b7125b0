// Requests at a fixed rate through each data plane, and everything about them that a user would call an error.
import { Pace } from '../cluster/pace.ts';
import { HttpClient } from '../e2e/http-client.ts';
import type { Target } from '../e2e/http-client.ts';

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly failed: number;
  /** The first few. */
  readonly failures: readonly string[];
  /** From when a request was due to its answer. */
  readonly tookMs: readonly number[];
}

export class RequestLoad {
  readonly #paces: readonly Pace[];
  readonly #clients: HttpClient[] = [];
  readonly #tookMs: number[] = [];
  readonly #failures: string[] = [];
  #requests = 0;

  /** The hosts in turn; every answer must be a 200. */
  constructor(targets: readonly Target[], perSecond: number, hosts: readonly string[]) {
    this.#paces = targets.map((target) => {
      const free: HttpClient[] = [];
      const work = async (number: number): Promise<void> => {
        const startedMs = performance.now();
        const failure = await this.#ask(target, free, hosts[number % hosts.length] ?? '');
        this.#requests++;
        this.#tookMs.push(performance.now() - startedMs);
        if (failure !== undefined) this.#failures.push(failure);
      };
      return new Pace({ perSecond, most: 1000, work });
    });
  }

  async stop(): Promise<LoadResult> {
    const paced = await Promise.all(this.#paces.map((pace) => pace.stop()));
    for (const client of this.#clients) client.close();
    const failures = [
      ...this.#failures,
      ...paced.flatMap(({ errors }) => errors.map(({ message }) => message)),
    ];
    return {
      requests: this.#requests,
      perSecond: paced.reduce((sum, { perSecond }) => sum + perSecond, 0),
      failed: failures.length,
      failures: failures.slice(0, 5),
      tookMs: this.#tookMs,
    };
  }

  /** What went wrong, if anything. */
  async #ask(target: Target, free: HttpClient[], host: string): Promise<string | undefined> {
    let client = free.pop();
    if (client === undefined) this.#clients.push((client = await HttpClient.open(target)));
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { status, headers } = await client.answer();
    free.push(client);
    return status === 200 ? undefined : `${host}: ${status} ${headers['x-flint-fault'] ?? ''}`;
  }
}
