// Asks one data plane again and again over connections that stay open, and says when an answer was first the wanted one.
import { HttpClient } from '../e2e/http-client.ts';
import type { Answer, Target } from '../e2e/http-client.ts';
import { moment } from './test-cluster.ts';

export class Prober {
  readonly #target: Target;
  readonly #pauseMs: number;
  readonly #free: HttpClient[] = [];
  #isClosed = false;
  #failure = '';

  /** The pause between an answer and the next request: asking without one takes the cores from those that are measured. */
  constructor(target: Target, pauseMs: number) {
    this.#target = target;
    this.#pauseMs = pauseMs;
  }

  /** Resolves to the time, as performance.now() has it, of the first such answer; rejects after `withinMs`. */
  async until(
    host: string,
    path: string,
    isWanted: (answer: Answer) => boolean,
    withinMs = 60_000,
  ): Promise<number> {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const answer = await this.#ask(host, path);
      const nowMs = performance.now();
      if (answer !== undefined && isWanted(answer)) return nowMs;
      if (this.#isClosed || nowMs > endMs)
        throw new Error(
          `${host}${path} is not answered as it should be: ${JSON.stringify(answer ?? this.#failure)}`,
        );
      await moment(this.#pauseMs);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#free) client.close();
  }

  /** Undefined when there was no answer: nobody listens yet, or a connection ended that nothing had been asked on. */
  async #ask(host: string, path: string): Promise<Answer | undefined> {
    let client: HttpClient | undefined;
    try {
      do client = this.#free.pop();
      while (client?.isEnded === true);
      client ??= await HttpClient.open(this.#target);
      client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const answer = await client.answer();
      this.#free.push(client);
      return answer;
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
      client?.close();
      return undefined;
    }
  }
}
