// The access log: one JSON line for every request that ended.
import pino from 'pino';

export interface AccessLogEntry {
  readonly requestId: string;
  readonly client: string;
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
  readonly #logger: pino.Logger;
  readonly #send: (lines: string) => void;
  #lines = '';
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(send: (lines: string) => void) {
    this.#send = send;
    this.#logger = pino(
      {
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: () => ({ log: 'access' }) },
      },
      { write: (line: string) => this.#add(line) },
    );
  }

  write(entry: AccessLogEntry): void {
    this.#logger.info(entry);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#send(lines);
  }

  #add(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= flushBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushMs);
  }
}

/** Lines that wait for a reader that does not read are dropped above this. */
const maxWaitingBytes = 16_777_216;

/** Where lines end up: standard output, written asynchronously by the main thread. */
export function accessLogDestination(): { write(lines: string): void; end(): void } {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: maxWaitingBytes });
  // Whoever read standard output may go away; requests are served on, unlogged.
  destination.on('error', () => {});
  return destination;
}
