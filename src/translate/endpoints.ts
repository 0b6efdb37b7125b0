// EndpointSlices of one Service port -> the endpoints that requests may go to, and which zone should use which.
import type { EndpointSlice, SliceEndpoint } from '#api/endpoint-slice.ts';
import type { Service, ServicePort } from '#api/service.ts';
import type { Endpoint, ZoneHint } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { ZonePreference } from './upstream-terms.ts';

/** As much as fits beside the endpoints of an upstream: those of 10,000 with one zone each do. */
export const hintBytes = 100_000;

export interface HintedEndpoint {
  readonly endpoint: Endpoint;
  /** The zones that it is meant for; empty where nothing is said. */
  readonly zones: readonly string[];
  /** Where it stands; empty: nobody says. */
  readonly zone: string;
}

/**
 * Sorted by address and port, each once. Slices of the Service's first IP family win; the other family is used only
 * where the first has none that is ready, since a dual-stack pod stands in both.
 */
export function translateEndpoints(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
): readonly HintedEndpoint[] {
  const byFamily = familiesInOrder(service).map((family) =>
    endpointsOf(
      slices.filter((slice) => slice.addressType === family),
      port,
    ),
  );
  const ready = byFamily.find((endpoints) => endpoints.some(({ endpoint }) => endpoint.state === 'Ready'));
  return ready ?? byFamily.find((endpoints) => endpoints.length > 0) ?? [];
}

/**
 * As KEP-2433 wants hints to be used: only when every ready endpoint has one and every zone that has nodes has an
 * endpoint. Half of the hints would send a zone's traffic to too few endpoints, or to none. Whoever always wants the
 * endpoints of a zone takes that into the bargain.
 */
export function translateHints(
  endpoints: readonly HintedEndpoint[],
  preference: ZonePreference,
  zonesWithNodes: ReadonlySet<string>,
  roomBytes: number = hintBytes,
): readonly ZoneHint[] {
  const byZone = new Map<string, number[]>();
  for (const [index, each] of endpoints.entries()) {
    if (each.endpoint.state !== 'Ready') continue;
    const zones = zonesOf(each, preference);
    if (zones.length === 0 && preference === 'Hinted') return [];
    for (const zone of new Set(zones)) {
      const found = byZone.get(zone);
      if (found === undefined) byZone.set(zone, [index]);
      else found.push(index);
    }
  }
  if (preference === 'Hinted' && [...zonesWithNodes].some((zone) => !byZone.has(zone))) return [];
  const hints = [...byZone]
    .map(([zone, indexes]) => ({ zone, endpoints: indexes }))
    .sort((a, b) => compareText(a.zone, b.zone));
  return Buffer.byteLength(JSON.stringify(hints)) > roomBytes ? [] : hints;
}

/** Whether anything is said of zones that this preference goes by. */
export function hasZones(endpoints: readonly HintedEndpoint[], preference: ZonePreference): boolean {
  return endpoints.some((each) => zonesOf(each, preference).length > 0);
}

function zonesOf({ zones, zone }: HintedEndpoint, preference: ZonePreference): readonly string[] {
  switch (preference) {
    case 'Hinted':
      return zones;
    case 'Always':
      return zone === '' ? [] : [zone];
    case 'Never':
      return [];
  }
}

function familiesInOrder(service: Service): readonly string[] {
  return [...new Set([...service.ipFamilies, 'IPv4', 'IPv6'])];
}

function endpointsOf(slices: readonly EndpointSlice[], port: ServicePort): readonly HintedEndpoint[] {
  const found = new Map<string, HintedEndpoint>();
  for (const slice of slices)
    for (const slicePort of slice.ports) {
      if (slicePort.name !== port.name || slicePort.protocol !== port.protocol) continue;
      for (const sliceEndpoint of slice.endpoints) {
        const state = stateOf(sliceEndpoint);
        if (state === undefined) continue;
        const { address, zones, zone } = sliceEndpoint;
        const key = `${address} ${slicePort.port}`;
        // An endpoint may stand in two slices for a moment; the one that says Ready is the newer truth about traffic.
        if (found.get(key)?.endpoint.state !== 'Ready')
          found.set(key, { endpoint: { address, port: slicePort.port, state }, zones, zone });
      }
    }
  return [...found.entries()].sort(([a], [b]) => compareText(a, b)).map(([, endpoint]) => endpoint);
}

/** KEP-1669: ready ones, and serving ones on their way out for when nothing else is left. */
function stateOf(endpoint: SliceEndpoint): Endpoint['state'] | undefined {
  if (endpoint.ready) return 'Ready';
  return endpoint.serving && endpoint.terminating ? 'Terminating' : undefined;
}
