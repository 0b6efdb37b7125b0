// How an upstream is written down from schema 3 on: an endpoint is a word, since a cluster has more of them than of all
// else together, and each of their changes rewrites a bucket of them.
//
//   10.0.0.1:8080    [2001:db8::1]:8080    10.0.0.2:8080 Terminating
import { canonicalJson } from './canonical-json.ts';
import { endpointText } from './route-model.ts';
import type { Endpoint, Upstream } from './route-model.ts';

export interface WrittenUpstream extends Omit<Upstream, 'endpoints'> {
  readonly endpoints: readonly string[];
}

const terminating = ' Terminating';
/** A zone of an address has no colon before it that could be taken for the port's. */
export const writtenEndpointPattern = '^(\\[[^\\[\\] ]+\\]|[^:\\[\\] ]+):[0-9]{1,5}( Terminating)?$';

/** Canonical JSON. */
export function writeUpstream(upstream: Upstream): string {
  const endpoints = upstream.endpoints.map(
    (endpoint) => `${endpointText(endpoint)}${endpoint.state === 'Ready' ? '' : terminating}`,
  );
  return canonicalJson({ ...upstream, endpoints } satisfies WrittenUpstream);
}

/** Undefined for a port that is none; the schema has judged the rest. */
export function readUpstream(written: WrittenUpstream): Upstream | undefined {
  const endpoints: Endpoint[] = [];
  for (const text of written.endpoints) {
    const state = text.endsWith(terminating) ? 'Terminating' : 'Ready';
    const end = state === 'Ready' ? text.length : text.length - terminating.length;
    const colon = text.lastIndexOf(':', end);
    const host = text.slice(0, colon);
    const address = host.startsWith('[') ? host.slice(1, -1) : host;
    const port = Number(text.slice(colon + 1, end));
    if (!(port >= 1 && port <= 65_535)) return undefined;
    endpoints.push({ address, port, state });
  }
  return { ...written, endpoints };
}
