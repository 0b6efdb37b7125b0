// References to Services -> weighted backends, and which upstreams they need.
import type { Problem } from '#api/problem.ts';
import type { Service, ServicePort } from '#api/service.ts';
import type { Backend } from '#model/route-model.ts';
import { defaultWeight } from './defaults.ts';
import type { UpstreamUse } from './translated-object.ts';
import { idOnTerms } from './upstream-terms.ts';
import type { UpstreamTerms } from './upstream-terms.ts';

/** What the model takes; that there is such a name only a resolver can say. */
const dnsName = /^[a-zA-Z0-9._-]{1,253}$/;

/** What a rule refers to: a Service of the object's own namespace. */
export interface BackendTarget {
  readonly name: string;
  /** A number, or the name of a port of the Service. */
  readonly port: number | string;
  readonly weight?: number | undefined;
}

/** Services by `namespace/name`, as far as an object asks for them. */
export interface ServiceLookup {
  service(key: string): Service | undefined;
  /** Whether Services of type ExternalName are served. */
  readonly allowsExternalNames: boolean;
}

export type Resolved =
  | { readonly kind: 'Resolved'; readonly use: UpstreamUse }
  | { readonly kind: 'Unresolved'; readonly problem: Problem };

/** The places of a reference's name and port in the object, for problems. */
export interface TargetPlaces {
  readonly at: string;
  readonly name: string;
  readonly port: string;
}

/** Those of an IngressRoute's backendRef at `at`. */
export function placesOf(at: string): TargetPlaces {
  return { at, name: `${at}.name`, port: `${at}.port` };
}

/** Finds the Service port that a reference of `namespace` means. */
export function resolveBackend(
  target: BackendTarget,
  namespace: string,
  places: TargetPlaces,
  services: ServiceLookup,
): Resolved {
  const key = `${namespace}/${target.name}`;
  const service = services.service(key);
  if (service === undefined)
    return unresolved('BackendNotFound', places.name, `namespace ${namespace} has no Service ${target.name}`);
  if (service.type === 'ExternalName' && !services.allowsExternalNames)
    return unresolved(
      'BackendNotFound',
      places.name,
      `Service ${key} is of type ExternalName, which is not served unless the setting externalNames allows it`,
    );
  if (service.type === 'ExternalName' && !dnsName.test(service.externalName))
    return unresolved(
      'BackendNotFound',
      places.name,
      `Service ${key} is of type ExternalName, and its externalName is no DNS name`,
    );
  const port = portOf(service, target.port);
  if (port === undefined)
    return unresolved('PortNotFound', places.port, `Service ${key} has no TCP port ${target.port}`);
  return { kind: 'Resolved', use: { id: `${key}:${port.port}`, at: places.at, terms: undefined } };
}

/** A Service of type ExternalName need not list its ports: any number goes to the same name. */
export function portOf(service: Service, wanted: number | string): ServicePort | undefined {
  const found = service.ports.find(
    (each) =>
      (typeof wanted === 'number' ? each.port === wanted : each.name === wanted) && each.protocol === 'TCP',
  );
  if (found !== undefined || service.type !== 'ExternalName' || typeof wanted !== 'number') return found;
  return { name: '', port: wanted, protocol: 'TCP', appProtocol: '' };
}

/** An unresolved reference keeps its share of the requests: they are answered with 503, not sent to its siblings. */
export function backendOf(target: BackendTarget, resolved: Resolved): Backend {
  const weight = target.weight ?? defaultWeight;
  return resolved.kind === 'Resolved'
    ? { kind: 'Upstream', upstream: resolved.use.id, weight }
    : { kind: 'Unresolved', status: 503, weight };
}

/** One that takes what nobody else can: unresolved it is nothing. */
export function fallbackBackendsOf(target: BackendTarget, resolved: Resolved): readonly Backend[] {
  if (resolved.kind === 'Unresolved') return [];
  return [{ kind: 'Fallback', upstream: resolved.use.id, weight: target.weight ?? defaultWeight }];
}

/** The same Service port, its endpoints treated on terms of their own. */
export function onTerms(resolved: Resolved, terms: UpstreamTerms | undefined): Resolved {
  if (resolved.kind === 'Unresolved' || terms === undefined) return resolved;
  const { id, at } = resolved.use;
  return { kind: 'Resolved', use: { id: idOnTerms(id, terms), at, terms } };
}

function unresolved(reason: Problem['reason'], at: string, message: string): Resolved {
  return { kind: 'Unresolved', problem: { reason, at, message } };
}
