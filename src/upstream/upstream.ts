// One upstream of the model in one worker: its endpoints outlive the revisions that name them, and so do their pools.
import type { SecureTransport } from '#transport/secure-transport.ts';
import type {
  Endpoint as EndpointModel,
  LoadBalancing,
  Upstream as UpstreamModel,
} from '#model/route-model.ts';
import { Endpoint } from './endpoint.ts';
import { pickEndpoint } from './load-balancing.ts';
import { connectorFor } from './secure-connector.ts';
import type { Connector } from './secure-connector.ts';

/** What a worker needs of an upstream. */
export type ServedUpstream = Omit<UpstreamModel, 'discovery'>;

export class Upstream {
  readonly id: string;
  #loadBalancing: LoadBalancing;
  #ready: readonly Endpoint[] = [];
  #terminating: readonly Endpoint[] = [];
  /** The ready ones that are meant for this zone; empty: all are. */
  #local: readonly Endpoint[] = [];
  #turn = 0;
  #terms = '';
  #connector: Connector | undefined = undefined;
  /** The runtime does not take its authorities: it has no endpoints then, rather than unproved ones. */
  #isUntrustable = false;

  /** `zone`: where this process runs; empty: nobody knows. `secure`: absent where no upstream has TLS. */
  constructor(model: ServedUpstream, zone = '', secure?: SecureTransport) {
    this.id = model.id;
    this.#loadBalancing = model.loadBalancing;
    this.update(model, zone, secure);
  }

  /**
   * Endpoints that stay keep their connections; those that go finish what they have begun. None stays when they are to be
   * spoken to otherwise: a connection of before proves nothing now.
   */
  update(model: ServedUpstream, zone = '', secure?: SecureTransport): void {
    this.#loadBalancing = model.loadBalancing;
    this.#agree(model, secure);
    const known = new Map(
      [...this.#ready, ...this.#terminating].map((endpoint) => [keyOf(endpoint), endpoint]),
    );
    const next = new Map<string, Endpoint>();
    for (const each of this.#isUntrustable ? [] : model.endpoints) {
      const key = keyOf(each);
      const endpoint = known.get(key) ?? new Endpoint(each, model.protocol, this.#connector);
      known.delete(key);
      endpoint.state = each.state;
      if (!next.has(key)) next.set(key, endpoint);
    }
    const endpoints = [...next.values()];
    for (const endpoint of known.values()) endpoint.retire();
    this.#ready = endpoints.filter((endpoint) => endpoint.state === 'Ready');
    this.#terminating = endpoints.filter((endpoint) => endpoint.state === 'Terminating');
    const hinted = zone === '' ? undefined : model.zoneHints.find((hint) => hint.zone === zone);
    const local = (hinted?.endpoints ?? []).flatMap((index) => {
      const each = model.endpoints[index];
      const endpoint = each === undefined ? undefined : next.get(keyOf(each));
      return endpoint?.state === 'Ready' ? [endpoint] : [];
    });
    this.#local = local;
  }

  #agree(model: ServedUpstream, secure: SecureTransport | undefined): void {
    const terms = JSON.stringify([model.protocol, model.tls]);
    if (terms === this.#terms) return;
    this.retire();
    this.#terms = terms;
    this.#isUntrustable = false;
    try {
      this.#connector = connectorFor(model, secure);
    } catch {
      this.#isUntrustable = true;
    }
  }

  retire(): void {
    for (const endpoint of [...this.#ready, ...this.#terminating]) endpoint.retire();
    this.#ready = [];
    this.#terminating = [];
    this.#local = [];
  }

  /**
   * An endpoint that is not in `tried`: of this zone while there is one, serving but terminating ones only when there is
   * no ready one; undefined when all have been tried or there is none.
   */
  pick(tried: readonly Endpoint[]): Endpoint | undefined {
    if (this.#local.length > 0) {
      const local = tried.length === 0 ? this.#local : this.#local.filter((each) => !tried.includes(each));
      if (local.length > 0) return pickEndpoint(this.#loadBalancing, local, this.#turn++, Math.random);
    }
    const all = this.#ready.length > 0 ? this.#ready : this.#terminating;
    const candidates = tried.length === 0 ? all : all.filter((endpoint) => !tried.includes(endpoint));
    if (candidates.length === 0) return undefined;
    return pickEndpoint(this.#loadBalancing, candidates, this.#turn++, Math.random);
  }

  get hasEndpoints(): boolean {
    return this.#ready.length + this.#terminating.length > 0;
  }

  /** It has connections, or requests under way. */
  get isBusy(): boolean {
    return this.#ready.some(isBusy) || this.#terminating.some(isBusy);
  }
}

function keyOf({ address, port }: Pick<EndpointModel, 'address' | 'port'>): string {
  return `${address} ${port}`;
}

function isBusy(endpoint: Endpoint): boolean {
  return endpoint.isBusy;
}
