// The access log: one JSON line for every request that ended. It is written by every worker, so it is written by itself:
// a logger that can do more takes a megabyte in each.

export interface AccessLogEntry {
  readonly requestId: string;
  readonly client: string;
  /** Which version of HTTP the client speaks. */
  readonly protocol: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  /** 0: the client was gone before it could be told anything. */
  readonly status: number;
  /** A code of docs/reference/errors.md; empty for a response of the backend. */
  readonly fault: string;
  readonly durationMs: number;
  /** Of bodies, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** `namespace/name/rule`; empty without a route. */
  readonly route: string;
  readonly endpoint: string;
  readonly attempts: number;
}

const flushBytes = 16_384;
const flushMs = 100;

/**
 * Collects lines and hands them on in batches, at the latest 100 ms after they were written. `send` gets whole lines:
 * threads that wrote to one descriptor themselves could cut each other's lines in two.
 */
export class AccessLog {
  readonly #send: (lines: string) => void;
  #lines = '';
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(send: (lines: string) => void) {
    this.#send = send;
  }

  write(entry: AccessLogEntry): void {
    const fields = JSON.stringify(entry);
    this.#lines += `{"log":"access","time":"${new Date().toISOString()}",${fields.slice(1)}\n`;
    if (this.#lines.length >= flushBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#send(lines);
  }
}
