// Load from keep-alive connections that counts everything that a user would call an error.
import { HttpClient } from './http-client.ts';
import type { Target } from './http-client.ts';
import { pause } from './process-figures.ts';

/** Before the next attempt of a client that was not let in. */
const refusedMs = 50;

export interface LoadResult {
  readonly requests: number;
  /** By status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Broken or missing responses, with their messages. */
  readonly errors: readonly string[];
  /** Connections that ended although no response had said so. */
  readonly closedConnections: number;
}

export interface LoadOptions {
  readonly port: Target;
  readonly host: string;
  readonly path?: string;
  readonly connections: number;
  /** What one request is; the default is a GET. */
  readonly request?: (number: number) => string;
  /** A response that says `Connection: close` is followed by a new connection, or ends this client's part. */
  readonly onClose: 'reconnect' | 'stop';
}

/** Requests without pause until `stop` is called; resolves when all have ended. */
export class Load {
  readonly #options: LoadOptions;
  readonly #done: Promise<void>;
  readonly #statuses: Record<string, number> = {};
  readonly #errors: string[] = [];
  #requests = 0;
  #closedConnections = 0;
  #isStopped = false;
  #onRequest: (() => void) | undefined = undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#done = Promise.all(Array.from({ length: options.connections }, () => this.#loop())).then(() => {});
  }

  get requests(): number {
    return this.#requests;
  }

  /** Resolves after `count` more requests. */
  async more(count: number): Promise<void> {
    const goal = this.#requests + count;
    while (this.#requests < goal && !this.#isStopped)
      await new Promise<void>((resolve) => {
        this.#onRequest = resolve;
      });
  }

  /** Resolves when every client has stopped by itself, told so by the server. */
  async ended(): Promise<LoadResult> {
    await this.#done;
    return {
      requests: this.#requests,
      statuses: this.#statuses,
      errors: this.#errors,
      closedConnections: this.#closedConnections,
    };
  }

  stop(): Promise<LoadResult> {
    this.#isStopped = true;
    return this.ended();
  }

  async #loop(): Promise<void> {
    const { port, host, path = '/', onClose } = this.#options;
    while (!this.#isStopped) {
      let client: HttpClient;
      try {
        client = await HttpClient.open(port);
      } catch (error) {
        // Whoever has ended is not asked again by those who stop.
        if (onClose === 'stop') return;
        this.#errors.push(error instanceof Error ? error.message : String(error));
        await pause(refusedMs);
        continue;
      }
      let isClosing = false;
      while (!this.#isStopped && !isClosing) {
        const number = this.#requests++;
        client.send(
          this.#options.request?.(number) ?? `GET ${path}?${number} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        );
        try {
          const answer = await client.answer();
          this.#statuses[answer.status] = (this.#statuses[answer.status] ?? 0) + 1;
          isClosing = answer.headers['connection'] === 'close';
        } catch (error) {
          this.#errors.push(error instanceof Error ? error.message : String(error));
          break;
        }
        this.#onRequest?.();
      }
      if (client.isEnded && !isClosing) this.#closedConnections++;
      client.close();
      if (isClosing && onClose === 'stop') return;
    }
  }
}
