// Watches what IngressRoutes and Ingresses are told, and notes every one that loses what it had although nobody changed it:
// looking now and then would miss the moment.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { ClientRequest } from 'node:http';
import type { ApiServer } from '../cluster/api-server.ts';

interface Watched {
  /** Not in a list. */
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly generation?: number;
    readonly resourceVersion: string;
  };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
    }[];
    /** Of an IngressRoute. */
    readonly addresses?: readonly unknown[];
    readonly loadBalancer?: { readonly ingress?: readonly unknown[] };
  };
}

const collections = [
  '/apis/flint.dev/v1alpha1/ingressroutes',
  '/apis/networking.k8s.io/v1/ingresses',
] as const;

export class StatusWatch {
  /** `IngressRoute default/a: Ready=False Pending, 1/2 pods serve generation 1`. */
  readonly losses: string[] = [];
  readonly #api: ApiServer;
  /** By uid: the generation at which it was Ready. */
  readonly #ready = new Map<string, number>();
  readonly #withAddresses: boolean;
  readonly #addressed = new Set<string>();
  readonly #requests: ClientRequest[] = [];
  #isStopped = false;

  private constructor(api: ApiServer, withAddresses: boolean) {
    this.#api = api;
    this.#withAddresses = withAddresses;
  }

  static async start(api: ApiServer, withAddresses: boolean): Promise<StatusWatch> {
    const watch = new StatusWatch(api, withAddresses);
    for (const path of collections) {
      const { body } = await api.call('GET', path);
      const { metadata, items } = body as unknown as {
        readonly metadata: { readonly resourceVersion: string };
        readonly items: readonly Watched[];
      };
      for (const item of items) watch.#observe(item);
      watch.#follow(`${path}?watch=true&resourceVersion=${metadata.resourceVersion}`);
    }
    return watch;
  }

  /** How many routes have been Ready at some time. */
  get count(): number {
    return this.#ready.size;
  }

  stop(): void {
    this.#isStopped = true;
    for (const each of this.#requests) each.destroy();
  }

  #follow(path: string): void {
    const { url, caFile, adminToken } = this.#api;
    const outgoing = request(
      new URL(path, url),
      { ca: readFileSync(caFile), headers: { authorization: `Bearer ${adminToken}` } },
      (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) this.#onEvent(JSON.parse(line) as WatchEvent);
        });
        response.on('close', () => this.#onEnd(path));
        response.on('error', () => {});
      },
    );
    outgoing.on('error', () => this.#onEnd(path));
    outgoing.end();
    this.#requests.push(outgoing);
  }

  #onEnd(path: string): void {
    if (!this.#isStopped) this.losses.push(`the watch of ${path} ended`);
  }

  #onEvent({ type, object }: WatchEvent): void {
    if (type === 'DELETED') {
      this.#ready.delete(object.metadata.uid);
      this.#addressed.delete(object.metadata.uid);
    } else if (type === 'ERROR') this.losses.push(JSON.stringify(object));
    else this.#observe(object);
  }

  #observe({ kind = 'object', metadata, status }: Watched): void {
    const { name, namespace, uid, generation = 1 } = metadata;
    const place = `${kind} ${namespace}/${name}`;
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True' && ready.observedGeneration === generation) this.#ready.set(uid, generation);
    // An edit asks for something new, which takes its time.
    else if (this.#ready.get(uid) === generation) this.losses.push(`${place}: ${said(ready)}`);
    // DNS records follow it.
    if (!this.#withAddresses) return;
    const addresses = status?.addresses ?? status?.loadBalancer?.ingress ?? [];
    if (addresses.length > 0) this.#addressed.add(uid);
    else if (this.#addressed.has(uid)) this.losses.push(`${place}: its addresses are gone`);
  }
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'ERROR';
  readonly object: Watched;
}

function said(
  ready: { readonly status: string; readonly reason: string; readonly message: string } | undefined,
): string {
  return ready === undefined
    ? 'it has no condition Ready'
    : `Ready=${ready.status} ${ready.reason}, ${ready.message}`;
}
