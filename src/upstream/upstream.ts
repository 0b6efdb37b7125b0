// One upstream of the model in one worker: its endpoints outlive the revisions that name them, and so do their pools.
import type { LoadBalancing, Upstream as UpstreamModel } from '#model/route-model.ts';
import { Endpoint } from './endpoint.ts';
import { pickEndpoint } from './load-balancing.ts';

export class Upstream {
  readonly id: string;
  #loadBalancing: LoadBalancing;
  #byAddress = new Map<string, Endpoint>();
  #ready: readonly Endpoint[] = [];
  #terminating: readonly Endpoint[] = [];
  #turn = 0;

  constructor(model: UpstreamModel) {
    this.id = model.id;
    this.#loadBalancing = model.loadBalancing;
    this.update(model);
  }

  /** Endpoints that stay keep their connections; those that go finish what they have begun. */
  update(model: UpstreamModel): void {
    this.#loadBalancing = model.loadBalancing;
    const next = new Map<string, Endpoint>();
    for (const each of model.endpoints) {
      const key = `${each.address} ${each.port}`;
      const endpoint = this.#byAddress.get(key) ?? new Endpoint(each);
      endpoint.state = each.state;
      next.set(key, endpoint);
    }
    for (const [key, endpoint] of this.#byAddress) if (!next.has(key)) endpoint.retire();
    this.#byAddress = next;
    const endpoints = [...next.values()];
    this.#ready = endpoints.filter((endpoint) => endpoint.state === 'Ready');
    this.#terminating = endpoints.filter((endpoint) => endpoint.state === 'Terminating');
  }

  retire(): void {
    for (const endpoint of this.#byAddress.values()) endpoint.retire();
    this.#byAddress.clear();
    this.#ready = [];
    this.#terminating = [];
  }

  /**
   * An endpoint that is not in `tried`, serving but terminating ones only when there is no ready one; undefined when
   * all have been tried or there is none.
   */
  pick(tried: readonly Endpoint[]): Endpoint | undefined {
    const all = this.#ready.length > 0 ? this.#ready : this.#terminating;
    const candidates = tried.length === 0 ? all : all.filter((endpoint) => !tried.includes(endpoint));
    if (candidates.length === 0) return undefined;
    return pickEndpoint(this.#loadBalancing, candidates, this.#turn++, Math.random);
  }

  get hasEndpoints(): boolean {
    return this.#ready.length + this.#terminating.length > 0;
  }
}
