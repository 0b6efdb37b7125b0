// Calls of the Kubernetes API: JSON in, JSON out, a deadline for each, errors as the API server words them.
import type { ApiMethod, ApiResponse, ApiTransport } from './api-transport.ts';
import { Deadline } from './deadline.ts';

/** What the API server answered instead of what was asked for. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** As in the Status object: `NotFound`, `Conflict`, `AlreadyExists`; empty when there was none. */
  readonly reason: string;
  readonly retryAfterSeconds: number;

  constructor(status: number, reason: string, message: string, retryAfterSeconds = 0) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export function isApiError(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}

export interface ApiCall {
  readonly method: ApiMethod;
  readonly path: string;
  readonly body?: unknown;
  /** Of the body; application/json when absent. A patch has one of its own. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal: AbortSignal;
}

/** For a whole call, or for the head of an answer that goes on. */
const callTimeoutMs = 15_000;
const largestErrorCharacters = 4096;

export class ApiClient {
  readonly #transport: ApiTransport;
  readonly #timeoutMs: number;

  constructor(transport: ApiTransport, timeoutMs: number = callTimeoutMs) {
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
  }

  close(): void {
    this.#transport.close();
  }

  /** The parsed JSON of the answer. Rejects with ApiError for a status other than 2xx. */
  async json(call: ApiCall): Promise<unknown> {
    const deadline = this.#deadline(call);
    try {
      const response = await this.#send(call, deadline.signal);
      return JSON.parse(await textOf(response));
    } finally {
      deadline.end();
    }
  }

  /** The lines of an answer that goes on, parsed. Ends when the API server ends it; throws when it breaks. */
  async *lines(call: ApiCall): AsyncGenerator {
    const deadline = this.#deadline(call);
    try {
      const response = await this.#send(call, deadline.signal);
      deadline.lift();
      const decoder = new TextDecoder();
      let rest: string[] = [];
      for await (const bytes of response.body) {
        const text = decoder.decode(bytes, { stream: true });
        let start = 0;
        for (;;) {
          const end = text.indexOf('\n', start);
          if (end < 0) break;
          rest.push(text.slice(start, end));
          const line = rest.join('');
          rest = [];
          start = end + 1;
          if (line !== '') yield JSON.parse(line);
        }
        if (start < text.length) rest.push(text.slice(start));
      }
    } finally {
      // Also when the reader stops early: an answer that nobody reads would hold its connection.
      deadline.end();
    }
  }

  #deadline({ method, path, signal }: ApiCall): Deadline {
    return new Deadline(signal, this.#timeoutMs, `${method} ${path}: no answer within the time allowed`);
  }

  async #send(call: ApiCall, signal: AbortSignal): Promise<ApiResponse> {
    const { method, path, body, contentType = 'application/json', accept = 'application/json' } = call;
    const response = await this.#transport.send({
      method,
      path,
      headers: body === undefined ? { accept } : { accept, 'content-type': contentType },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
    const { status, retryAfterSeconds } = response;
    if (status >= 200 && status < 300) return response;
    const text = (await textOf(response)).slice(0, largestErrorCharacters);
    const { reason, message } = statusOf(text);
    throw new ApiError(status, reason, `${method} ${path}: ${status} ${message}`, retryAfterSeconds);
  }
}

async function textOf({ body }: ApiResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/** Reason and message of a Status object, or the text itself. */
function statusOf(text: string): { readonly reason: string; readonly message: string } {
  try {
    const { reason, message } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      reason: typeof reason === 'string' ? reason : '',
      message: typeof message === 'string' ? message : text,
    };
  } catch {
    return { reason: '', message: text };
  }
}
