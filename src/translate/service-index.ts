// Services and their EndpointSlices by name, and the upstreams that they are. What stayed the same from one view to the
// next is not looked at again.
import { readEndpointSlice, serviceIdOf } from '#api/endpoint-slice.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { readService } from '#api/service.ts';
import type { Service, ServicePort } from '#api/service.ts';
import { upstreamEndpoints } from '#model/limits.ts';
import { ListDifference } from '#model/list-difference.ts';
import type { Upstream } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import { termsOf } from './app-protocol.ts';
import type { BackendTerms } from './app-protocol.ts';
import { plainId } from './backend-tls.ts';
import { portOf } from './backends.ts';
import type { TranslateSettings } from './cluster-view.ts';
import { hintBytes, translateEndpoints, translateHints } from './endpoints.ts';
import { SaidTerms, termsBytes } from './said-terms.ts';
import type { UpstreamUse } from './translated-object.ts';

export interface ResolvedUpstream {
  readonly upstream: Upstream;
  /** What is not as its Service has it; without a place. */
  readonly problem: Omit<Problem, 'at'> | undefined;
  /** Its endpoints are meant for zones. */
  readonly hasHints: boolean;
}

export interface ServiceChanges {
  /** Some Service is another one than before. */
  readonly hasOtherServices: boolean;
  /** The upstreams that may be others than before. */
  readonly upstreams: ReadonlySet<string>;
}

export class ServiceIndex {
  readonly #settings: TranslateSettings;
  readonly #serviceList = new ListDifference<KubernetesObject>();
  readonly #sliceList = new ListDifference<KubernetesObject>();
  readonly #services = new Map<string, Service>();
  /** By `namespace/name` of the Service. */
  readonly #slices = new Map<string, readonly KubernetesObject[]>();
  readonly #resolved = new Map<string, ResolvedUpstream>();
  readonly #said = new SaidTerms();
  #zonesWithNodes: ReadonlySet<string> = new Set();

  constructor(settings: TranslateSettings) {
    this.#settings = settings;
  }

  update(
    services: readonly KubernetesObject[],
    slices: readonly KubernetesObject[],
    zonesWithNodes: ReadonlySet<string>,
  ): ServiceChanges {
    const forgotten = new Set<string>();
    const forget = (id: string): void => {
      for (const each of [id, ...this.#said.of(id)]) if (this.#resolved.delete(each)) forgotten.add(each);
    };
    const hasOtherServices = this.#updateServices(services, forget);
    const { added, removed } = this.#sliceList.update(slices);
    for (const object of removed) {
      const service = serviceIdOf(object);
      const left = (this.#slices.get(service) ?? []).filter((each) => each !== object);
      if (left.length === 0) this.#slices.delete(service);
      else this.#slices.set(service, left);
      forgetPorts(this.#services.get(service), forget);
    }
    for (const object of added) {
      const service = serviceIdOf(object);
      this.#slices.set(service, [...(this.#slices.get(service) ?? []), object]);
      forgetPorts(this.#services.get(service), forget);
    }
    if (zonesWithNodes !== this.#zonesWithNodes) {
      this.#zonesWithNodes = zonesWithNodes;
      for (const [id, { hasHints }] of this.#resolved) if (hasHints) forget(id);
    }
    return { hasOtherServices, upstreams: forgotten };
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** What the objects that are there ask for, or no longer ask for. `by`: 1, 0 or -1. */
  announce(uses: readonly UpstreamUse[], by: number): void {
    if (by !== 0) for (const { id, tls } of uses) if (tls !== undefined) this.#said.count(id, tls, by);
  }

  /** Of all terms that references say. */
  get termsBytes(): number {
    return this.#said.bytes;
  }

  /** The upstream `namespace/service:port`, of a port that the Service has; undefined when it has not. */
  upstream(id: string): ResolvedUpstream | undefined {
    const known = this.#resolved.get(id);
    if (known !== undefined) return known;
    const plain = plainId(id);
    const key = plain.slice(0, plain.indexOf(':'));
    const service = this.#services.get(key);
    const resolved = service && this.#resolve(id, service, Number(plain.slice(key.length + 1)));
    if (resolved === undefined) return undefined;
    this.#resolved.set(id, resolved);
    return resolved;
  }

  /** One that nobody uses any more. */
  forget(id: string): void {
    this.#resolved.delete(id);
  }

  #updateServices(objects: readonly KubernetesObject[], forget: (id: string) => void): boolean {
    const { added, removed } = this.#serviceList.update(objects);
    for (const object of removed) {
      const { id } = readService(object);
      forgetPorts(this.#services.get(id), forget);
      this.#services.delete(id);
    }
    for (const object of added) {
      const service = readService(object);
      forgetPorts(this.#services.get(service.id), forget);
      this.#services.set(service.id, service);
      forgetPorts(service, forget);
    }
    // A Service of type ExternalName is resolved for ports that it does not list.
    const hasChanged = added.length + removed.length > 0;
    if (hasChanged)
      for (const [id, { upstream }] of this.#resolved) if (upstream.discovery.kind === 'Dns') forget(id);
    return hasChanged;
  }

  /** Undefined where a reference has said something that nobody announced: never less than what it asked for. */
  #termsOf(id: string, service: Service, port: ServicePort): BackendTerms | undefined {
    const terms = termsOf(service, port);
    if (plainId(id) === id) return terms;
    const tls = this.#said.get(id);
    return tls === undefined ? undefined : { ...terms, tls };
  }

  #resolve(id: string, service: Service, portNumber: number): ResolvedUpstream | undefined {
    const { loadBalancing, externalNames } = this.#settings;
    const port = portOf(service, portNumber);
    if (port === undefined) return undefined;
    const terms = this.#termsOf(id, service, port);
    if (terms === undefined) return undefined;
    if (service.type === 'ExternalName') {
      const allowed = externalNames === 'Any' ? 'Any' : 'Public';
      return {
        upstream: {
          id,
          loadBalancing,
          ...terms,
          discovery: { kind: 'Dns', name: service.externalName, port: port.port, allowed },
          endpoints: [],
          zoneHints: [],
        },
        problem: undefined,
        hasHints: false,
      };
    }
    const slices = [...(this.#slices.get(service.id) ?? [])]
      .map(readEndpointSlice)
      .sort((a, b) => compareText(a.name, b.name));
    const all = translateEndpoints(service, port, slices);
    const used = all.slice(0, upstreamEndpoints);
    const hasHints = used.some(({ zones }) => zones.length > 0);
    const hasNames = slices.some(({ addressType }) => addressType === 'FQDN');
    return {
      upstream: {
        id,
        loadBalancing,
        ...terms,
        discovery: listedEndpoints,
        endpoints: used.map(({ endpoint }) => endpoint),
        zoneHints: hasHints ? translateHints(used, this.#zonesWithNodes, roomForHints(terms)) : [],
      },
      problem: endpointsProblem(service, hasNames, all.length, used.length),
      hasHints,
    };
  }
}

const listedEndpoints: Upstream['discovery'] = { kind: 'Endpoints' };

/** The upstreams that may have been resolved from the ports of a Service. */
function forgetPorts(service: Service | undefined, forget: (id: string) => void): void {
  for (const { port } of service?.ports ?? []) forget(`${service?.id}:${port}`);
}

/** What is said of whom to trust stands in the same chunk. */
function roomForHints({ tls }: Pick<Upstream, 'tls'>): number {
  return tls.kind === 'None' ? hintBytes : hintBytes - termsBytes(tls);
}

function endpointsProblem(
  service: Service,
  hasNames: boolean,
  all: number,
  used: number,
): Omit<Problem, 'at'> | undefined {
  if (all > used)
    return {
      reason: 'TooManyEndpoints',
      message: `Service ${service.id} has ${all} endpoints; ${used} of them are used`,
    };
  if (hasNames)
    return {
      reason: 'EndpointsUnusable',
      message: `Service ${service.id} has EndpointSlices of type FQDN: names are not resolved, so they are not used`,
    };
  return undefined;
}
