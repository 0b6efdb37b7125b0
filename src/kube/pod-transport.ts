// The transport of a pod: a mounted token and CA, connections of its own. Runs on Node and Bun.
//
// In a pod there is one way to authenticate and one server: the official client, which knows all the others, would cost a
// second of start and 85 MB in every pod, and looks at the wall clock to see whether the token is another one by now.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { join } from 'node:path';
import type { ApiRequest, ApiResponse, ApiTransport } from './api-transport.ts';

const believedMs = 1000;

export class PodTransport implements ApiTransport {
  readonly #server: string;
  readonly #folder: string;
  readonly #connections: number;
  #ca = '';
  #token = '';
  #readMs = -Infinity;
  #agent: Agent;

  /**
   * `server` is such as `https://10.96.0.1:443`, `folder` the mounted service account: `ca.crt` and `token`. Each watch
   * holds one of the `connections`.
   */
  constructor(server: string, folder: string, connections = 32) {
    this.#server = server;
    this.#folder = folder;
    this.#connections = connections;
    this.#agent = this.#connect();
  }

  close(): void {
    this.#agent.destroy();
  }

  send({ method, path, headers, body, signal }: ApiRequest): Promise<ApiResponse> {
    this.#readCredentials();
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, this.#server), {
        agent: this.#agent,
        method,
        signal,
        headers: { ...headers, authorization: `Bearer ${this.#token}` },
      });
      outgoing.once('response', (response) =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfterSeconds: Number(response.headers['retry-after'] ?? 0) || 0,
          body: response,
        }),
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  /** The kubelet rotates both files. */
  #readCredentials(): void {
    const nowMs = performance.now();
    if (nowMs - this.#readMs < believedMs) return;
    this.#token = readFileSync(join(this.#folder, 'token'), 'utf8').trim();
    if (readFileSync(join(this.#folder, 'ca.crt'), 'utf8') !== this.#ca) this.#agent = this.#connect();
    this.#readMs = nowMs;
  }

  /** One pool of connections: a handshake for every call would cost four times the call. */
  #connect(): Agent {
    this.#ca = readFileSync(join(this.#folder, 'ca.crt'), 'utf8');
    // The context is made once: for every connection anew it took Bun 7 ms, next to 11 for the handshake.
    const secureContext = createSecureContext({ ca: this.#ca });
    return new Agent({ keepAlive: true, secureContext, maxSockets: this.#connections });
  }
}

/** The transport of the pod that this process runs in. Throws outside a pod. */
export function podTransport(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
  connections?: number,
): PodTransport {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (host === undefined || port === undefined)
    throw new Error('this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set');
  return new PodTransport(`https://${host.includes(':') ? `[${host}]` : host}:${port}`, folder, connections);
}
