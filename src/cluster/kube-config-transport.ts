// The transport of the operator: credentials, proxies and certificates as the official client reads them from a pod or a
// kubeconfig, over one pool of connections.
//
// The client makes a dispatcher, and so a TLS connection, for every request: 13 ms a call, and a descriptor that stays
// for seconds. Here the first one is kept for as long as the certificates stay the same.
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { HttpMethod, IsomorphicFetchHttpLibrary, KubeConfig, RequestContext } from '@kubernetes/client-node';
import type { ApiRequest, ApiResponse, ApiTransport } from '#kube/api-transport.ts';

type Dispatcher = ReturnType<RequestContext['getDispatcher']>;

export class KubeConfigTransport implements ApiTransport {
  readonly #config: KubeConfig;
  readonly #server: string;
  readonly #http = new IsomorphicFetchHttpLibrary();
  #dispatcher: Dispatcher = undefined;
  #certificates = '';

  constructor(config: KubeConfig) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no cluster');
    this.#config = config;
    this.#server = cluster.server.replace(/\/+$/, '');
  }

  async send({ method, path, headers, body, signal }: ApiRequest): Promise<ApiResponse> {
    const context = new RequestContext(`${this.#server}${path}`, HttpMethod[method]);
    await this.#authorize(context);
    for (const [name, value] of Object.entries(headers)) context.setHeaderParam(name, value);
    context.setSignal(signal);
    if (body !== undefined) context.setBody(body);
    const response = await this.#http.send(context).toPromise();
    return {
      status: response.httpStatusCode,
      retryAfterSeconds: Number(response.headers['retry-after'] ?? 0) || 0,
      body: (response.body.stream() ?? []) as unknown as AsyncIterable<Uint8Array>,
    };
  }

  close(): void {
    void this.#dispatcher?.destroy();
    this.#dispatcher = undefined;
  }

  /** Headers for every request: tokens expire. A new pool of connections only for new certificates. */
  async #authorize(context: RequestContext): Promise<void> {
    await this.#config.applySecurityAuthentication(context);
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const certificates = fingerprint(options);
    if (this.#dispatcher === undefined || certificates !== this.#certificates) {
      this.#dispatcher = context.getDispatcher();
      this.#certificates = certificates;
    } else context.setDispatcher(this.#dispatcher);
  }
}

function fingerprint({ ca, cert, key, pfx }: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [ca, cert, key, pfx]) hash.update(JSON.stringify(part) ?? '').update('\0');
  return hash.digest('hex');
}

/** `path` undefined: the service account of this pod, else what kubectl would use. */
export function loadKubeConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path !== undefined) config.loadFromFile(path);
  else if (process.env['KUBERNETES_SERVICE_HOST'] !== undefined) config.loadFromCluster();
  else config.loadFromDefault();
  // Where nothing is configured the client makes up a cluster of its own.
  if (config.getCurrentContext() === 'loaded-context')
    throw new Error('there is no kubeconfig: give --kubeconfig, set KUBECONFIG, or run in a pod');
  return config;
}
