// A small client of the Kubernetes API for a pod: a mounted token, a CA, plain requests. Runs on Node and Bun.
//
// The data plane needs list and watch of two kinds in one namespace; the official client would cost a second of start
// and 80 MB in every pod of a DaemonSet.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';

export interface ApiClientOptions {
  /** Such as `https://10.96.0.1:443`. */
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  /** Read for every request: the kubelet rotates a mounted token. */
  readonly token: () => string;
  /** A request that has no answer's head after this long fails; bodies may go on. */
  readonly headTimeoutMs?: number;
}

/** What the API server answered instead of what was asked for. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const headTimeoutDefaultMs = 15_000;
const largestErrorCharacters = 4096;

export class ApiClient {
  readonly #options: ApiClientOptions;
  /** One pool of connections: a handshake for every call would cost four times the call. */
  readonly #agent: Agent;

  constructor(options: ApiClientOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, ca: options.ca, maxSockets: 32 });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The parsed JSON of a whole answer. Rejects with ApiError for a status other than 2xx. */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    const response = await this.#open(path, signal);
    return JSON.parse(await textOf(response));
  }

  /** The lines of an answer that goes on, parsed. Ends when the API server ends it; throws when it breaks. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator {
    const response = await this.#open(path, signal);
    let rest = '';
    response.setEncoding('utf8');
    for await (const text of response as AsyncIterable<string>) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line);
    }
  }

  async #open(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#request(path, signal);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const text = (await textOf(response)).slice(0, largestErrorCharacters);
    throw new ApiError(status, `GET ${path}: ${status} ${messageOf(text)}`);
  }

  #request(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, this.#options.server), {
        agent: this.#agent,
        signal,
        headers: { authorization: `Bearer ${this.#options.token()}`, accept: 'application/json' },
      });
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`GET ${path}: no answer within the time allowed`)),
        this.#options.headTimeoutMs ?? headTimeoutDefaultMs,
      );
      outgoing.once('response', (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      outgoing.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      outgoing.end();
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

/** The message of a Status object, or the text itself. */
function messageOf(text: string): string {
  try {
    const status = JSON.parse(text) as { readonly message?: unknown };
    return typeof status.message === 'string' ? status.message : text;
  } catch {
    return text;
  }
}

const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The client of a pod, from what the kubelet mounts. Throws outside a pod. */
export function inClusterClient(environment: Readonly<Record<string, string | undefined>>): ApiClient {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (host === undefined || port === undefined)
    throw new Error('this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set');
  return new ApiClient({
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${mounted}/ca.crt`, 'utf8'),
    token: () => readFileSync(`${mounted}/token`, 'utf8').trim(),
  });
}
