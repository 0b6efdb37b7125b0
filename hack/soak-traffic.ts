// The traffic of `make soak`: everything that clients do, each at a pace that two cores can bear, and what has failed.
import { http1Clients, closeHttp1 } from './soak-http1.ts';
import { http2Clients, closeHttp2 } from './soak-http2.ts';
import { ExchangeFailure } from './soak-exchange.ts';
import type { Client, Target } from './soak-exchange.ts';
import type { Failure } from './soak-judgement.ts';

export class Traffic {
  requests = 0;
  /** By the kind of client. */
  readonly requestsOf = new Map<string, number>();
  /** Those that nobody has judged yet. */
  readonly failures: Failure[] = [];
  readonly #target: Target;
  readonly #done: Promise<unknown>;
  #isStopped = false;

  constructor(target: Target) {
    this.#target = target;
    const clients = [...http1Clients, ...http2Clients];
    const loops = clients.flatMap((client) =>
      Array.from({ length: client.count }, (_, number) => this.#loop(client, number)),
    );
    this.#done = Promise.all(loops);
  }

  /** Resolves when the last exchange has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    closeHttp1();
    closeHttp2();
  }

  async #loop({ exchange, name, isIdempotent, paceMs }: Client, number: number): Promise<void> {
    while (!this.#isStopped) {
      const id = `${name.replaceAll(' ', '-')}-${number}-${this.requests++}`;
      this.requestsOf.set(name, (this.requestsOf.get(name) ?? 0) + 1);
      const beganMs = performance.now();
      try {
        await exchange(this.#target, id);
      } catch (error) {
        const kind = error instanceof ExchangeFailure ? error.kind : 'Broken';
        const text = error instanceof Error ? error.message : String(error);
        const endedMs = performance.now();
        this.failures.push({ id, client: name, isIdempotent, kind, text, beganMs, endedMs });
      }
      await new Promise((resolve) => {
        setTimeout(resolve, paceMs);
      });
    }
  }
}
