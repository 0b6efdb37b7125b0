// EndpointSlices of one Service port -> the endpoints that requests may go to.
import type { EndpointSlice, SliceEndpoint } from '#api/endpoint-slice.ts';
import type { Service, ServicePort } from '#api/service.ts';
import { compareText } from '#model/bundle.ts';
import type { Endpoint } from '#model/route-model.ts';

/**
 * Sorted by address and port, each once. Slices of the Service's first IP family win; the other family is used only
 * where the first has none that is ready, since a dual-stack pod stands in both.
 */
export function translateEndpoints(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
): readonly Endpoint[] {
  const byFamily = familiesInOrder(service).map((family) =>
    endpointsOf(
      slices.filter((slice) => slice.addressType === family),
      port,
    ),
  );
  const ready = byFamily.find((endpoints) => endpoints.some(({ state }) => state === 'Ready'));
  return ready ?? byFamily.find((endpoints) => endpoints.length > 0) ?? [];
}

function familiesInOrder(service: Service): readonly string[] {
  return [...new Set([...service.ipFamilies, 'IPv4', 'IPv6'])];
}

function endpointsOf(slices: readonly EndpointSlice[], port: ServicePort): readonly Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices)
    for (const slicePort of slice.ports) {
      if (slicePort.name !== port.name || slicePort.protocol !== port.protocol) continue;
      for (const sliceEndpoint of slice.endpoints) {
        const state = stateOf(sliceEndpoint);
        if (state === undefined) continue;
        const endpoint: Endpoint = { address: sliceEndpoint.address, port: slicePort.port, state };
        const key = `${endpoint.address} ${endpoint.port}`;
        // An endpoint may stand in two slices for a moment; the one that says Ready is the newer truth about traffic.
        if (found.get(key)?.state !== 'Ready') found.set(key, endpoint);
      }
    }
  return [...found.entries()].sort(([a], [b]) => compareText(a, b)).map(([, endpoint]) => endpoint);
}

/** KEP-1669: ready ones, and serving ones on their way out for when nothing else is left. */
function stateOf(endpoint: SliceEndpoint): Endpoint['state'] | undefined {
  if (endpoint.ready) return 'Ready';
  return endpoint.serving && endpoint.terminating ? 'Terminating' : undefined;
}
