// A transport that answers as a test says, and remembers what it was asked.
import type { ApiRequest, ApiResponse, ApiTransport } from '#kube/api-transport.ts';

export class ScriptedTransport implements ApiTransport {
  readonly requests: ApiRequest[] = [];
  closed = 0;
  readonly #answer: (request: ApiRequest, index: number) => ApiResponse | Promise<ApiResponse>;

  constructor(answer: (request: ApiRequest, index: number) => ApiResponse | Promise<ApiResponse>) {
    this.#answer = answer;
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    this.requests.push(request);
    return this.#answer(request, this.requests.length - 1);
  }

  close(): void {
    this.closed++;
  }
}

/** An answer in these pieces, one after the other. */
export function pieces(...parts: readonly (string | Uint8Array)[]): ApiResponse {
  return answering(
    200,
    (async function* (): AsyncGenerator<Uint8Array> {
      for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
    })(),
  );
}

export function answering(
  status: number,
  body: AsyncIterable<Uint8Array>,
  retryAfterSeconds = 0,
): ApiResponse {
  return { status, retryAfterSeconds, body };
}

/** A body that begins and never goes on, until the signal of its request aborts. */
export async function* stuck(
  { signal }: ApiRequest,
  ...parts: readonly string[]
): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
  await new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
