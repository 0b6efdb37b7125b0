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
import { portOf } from './backends.ts';
import type { TranslateSettings } from './cluster-view.ts';
import { hasZones, hintBytes, translateEndpoints, translateHints } from './endpoints.ts';
import type { HintedEndpoint } from './endpoints.ts';
import { SaidTerms } from './said-terms.ts';
import type { UpstreamUse } from './translated-object.ts';
import { plainId, termsBytes } from './upstream-terms.ts';
import type { ZonePreference } from './upstream-terms.ts';

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
  /** By plain id, of all upstreams that are one Service port: on whatever terms, its endpoints are the same list. */
  readonly #listed = new Map<string, ListedEndpoints>();
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
      this.#listed.delete(plainId(id));
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
    if (by === 0) return;
    for (const { id, terms } of uses)
      // No change of its Service reaches one whose terms nobody knows any more.
      if (terms !== undefined && this.#said.count(id, terms, by) === 0) this.forget(id);
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
    const plain = plainId(id);
    if (![plain, ...this.#said.of(plain)].some((each) => this.#resolved.has(each)))
      this.#listed.delete(plain);
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
  #termsOf(id: string, service: Service, port: ServicePort): ResolvedTerms | undefined {
    const terms = termsOf(service, port);
    const { loadBalancing } = this.#settings;
    if (plainId(id) === id) return { spoken: { ...terms, loadBalancing }, zonePreference: 'Hinted' };
    const said = this.#said.get(id);
    if (said === undefined) return undefined;
    const { zonePreference, policies } = said;
    const spoken = {
      ...terms,
      tls: said.tls ?? terms.tls,
      loadBalancing: said.loadBalancing ?? loadBalancing,
      policies,
    };
    return { spoken, zonePreference };
  }

  #resolve(id: string, service: Service, portNumber: number): ResolvedUpstream | undefined {
    const { externalNames } = this.#settings;
    const port = portOf(service, portNumber);
    if (port === undefined) return undefined;
    const terms = this.#termsOf(id, service, port);
    if (terms === undefined) return undefined;
    const { spoken, zonePreference } = terms;
    if (service.type === 'ExternalName') {
      const allowed = externalNames === 'Any' ? 'Any' : 'Public';
      return {
        upstream: {
          id,
          ...spoken,
          discovery: { kind: 'Dns', name: service.externalName, port: port.port, allowed },
          endpoints: [],
          zoneHints: [],
        },
        problem: undefined,
        hasHints: false,
      };
    }
    const { used, endpoints, problem } = this.#endpointsOf(service, port);
    const hasHints = hasZones(used, zonePreference);
    return {
      upstream: {
        id,
        ...spoken,
        discovery: listedEndpoints,
        endpoints,
        zoneHints: hasHints
          ? translateHints(used, zonePreference, this.#zonesWithNodes, roomForHints(spoken))
          : [],
      },
      problem,
      hasHints,
    };
  }

  #endpointsOf(service: Service, port: ServicePort): ListedEndpoints {
    const id = `${service.id}:${port.port}`;
    const known = this.#listed.get(id);
    if (known !== undefined) return known;
    const slices = [...(this.#slices.get(service.id) ?? [])]
      .map(readEndpointSlice)
      .sort((a, b) => compareText(a.name, b.name));
    const all = translateEndpoints(service, port, slices);
    const used = all.slice(0, upstreamEndpoints);
    const hasNames = slices.some(({ addressType }) => addressType === 'FQDN');
    const listed = {
      used,
      endpoints: used.map(({ endpoint }) => endpoint),
      problem: endpointsProblem(service, hasNames, all.length, used.length),
    };
    this.#listed.set(id, listed);
    return listed;
  }
}

interface ListedEndpoints {
  readonly used: readonly HintedEndpoint[];
  readonly endpoints: Upstream['endpoints'];
  readonly problem: ResolvedUpstream['problem'];
}

const listedEndpoints: Upstream['discovery'] = { kind: 'Endpoints' };

/** The upstreams that may have been resolved from the ports of a Service. */
function forgetPorts(service: Service | undefined, forget: (id: string) => void): void {
  for (const { port } of service?.ports ?? []) forget(`${service?.id}:${port}`);
}

/** How the endpoints of an upstream are treated. */
interface ResolvedTerms {
  readonly spoken: BackendTerms & Pick<Upstream, 'loadBalancing' | 'policies'>;
  readonly zonePreference: ZonePreference;
}

/** What is said of terms stands in the same chunk. */
function roomForHints(terms: Pick<Upstream, 'tls' | 'policies'>): number {
  return hintBytes - termsBytes(terms);
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
