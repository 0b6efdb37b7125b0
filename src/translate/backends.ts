// backendRefs -> weighted backends, and the upstreams they need.
import type { EndpointSlice } from '#api/endpoint-slice.ts';
import type { BackendRef } from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import type { Service } from '#api/service.ts';
import { upstreamEndpoints } from '#model/limits.ts';
import type { Backend, LoadBalancing, Upstream } from '#model/route-model.ts';
import { defaultWeight } from './defaults.ts';
import { translateEndpoints } from './endpoints.ts';

/** Services and their slices, found by `namespace/name`. */
export interface ServiceIndex {
  readonly services: ReadonlyMap<string, Service>;
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
}

export function indexServices(services: readonly Service[], slices: readonly EndpointSlice[]): ServiceIndex {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = `${slice.namespace}/${slice.service}`;
    const found = byService.get(key);
    if (found === undefined) byService.set(key, [slice]);
    else found.push(slice);
  }
  return {
    services: new Map(services.map((service) => [`${service.namespace}/${service.name}`, service])),
    slices: byService,
  };
}

export type Resolved =
  | { readonly kind: 'Resolved'; readonly upstream: Upstream; readonly problem: Problem | undefined }
  | { readonly kind: 'Unresolved'; readonly problem: Problem };

/** Finds the Service port that a reference of `namespace` means, at the place `at` of the object. */
export function resolveBackend(
  ref: BackendRef,
  namespace: string,
  at: string,
  index: ServiceIndex,
  loadBalancing: LoadBalancing,
): Resolved {
  const key = `${namespace}/${ref.name}`;
  const service = index.services.get(key);
  if (service === undefined)
    return unresolved('BackendNotFound', `${at}.name`, `namespace ${namespace} has no Service ${ref.name}`);
  if (service.type === 'ExternalName')
    return unresolved(
      'BackendNotFound',
      `${at}.name`,
      `Service ${key} is of type ExternalName, which is not served`,
    );
  const port = service.ports.find((each) => each.port === ref.port && each.protocol === 'TCP');
  if (port === undefined)
    return unresolved('PortNotFound', `${at}.port`, `Service ${key} has no TCP port ${ref.port}`);
  const all = translateEndpoints(service, port, index.slices.get(key) ?? []);
  const endpoints = all.slice(0, upstreamEndpoints);
  const problem: Problem | undefined =
    all.length === endpoints.length
      ? undefined
      : {
          reason: 'TooManyEndpoints',
          at,
          message: `Service ${key} has ${all.length} endpoints; ${upstreamEndpoints} of them are used`,
        };
  return { kind: 'Resolved', upstream: { id: `${key}:${ref.port}`, loadBalancing, endpoints }, problem };
}

/** An unresolved reference keeps its share of the requests: they are answered with 503, not sent to its siblings. */
export function backendOf(ref: BackendRef, resolved: Resolved): Backend {
  const weight = ref.weight ?? defaultWeight;
  return resolved.kind === 'Resolved'
    ? { kind: 'Upstream', upstream: resolved.upstream.id, weight }
    : { kind: 'Unresolved', status: 503, weight };
}

function unresolved(reason: Problem['reason'], at: string, message: string): Resolved {
  return { kind: 'Unresolved', problem: { reason, at, message } };
}
