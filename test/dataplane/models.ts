// Small models for the tests of the data plane.
import type { RouteModel, Upstream, VirtualHost } from '#model/route-model.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import { compareText } from '#model/text-order.ts';
import { defaultSettings } from '#model/default-settings.ts';

export function host(name: string, upstream: string, object = name): VirtualHost {
  return {
    pattern: { kind: 'Exact', name },
    pathPolicy: { encodedSlash: 'Reject', mergeSlashes: 'Reject', backslash: 'Reject' },
    certificates: [],
    plaintext: 'Serve',
    ...plainTls,
    rules: [
      {
        ref: { kind: 'IngressRoute', namespace: 'test', name: object, rule: 'rules[0]' },
        matches: [
          {
            path: { kind: 'PathPrefix', value: '/' },
            method: { kind: 'AnyMethod' },
            headers: [],
            queryParams: [],
          },
        ],
        filters: [],
        backends: [{ kind: 'Upstream', upstream, weight: 1 }],
        timeouts: { requestMs: 10_000, backendRequestMs: 10_000, idleMs: 1000 },
      },
    ],
  };
}

export function upstream(id: string, ...ports: readonly number[]): Upstream {
  return {
    id,
    loadBalancing: 'LeastRequests',
    ...plainBackend,
    discovery: { kind: 'Endpoints' },
    endpoints: ports.map((port) => ({ address: '127.0.0.1', port, state: 'Ready' })),
    zoneHints: [],
  };
}

export function model(hosts: readonly VirtualHost[], upstreams: readonly Upstream[]): RouteModel {
  return {
    settings: defaultSettings,
    zones: [],
    hosts: hosts.toSorted((a, b) => compareText(JSON.stringify(a.pattern), JSON.stringify(b.pattern))),
    upstreams: upstreams.toSorted((a, b) => compareText(a.id, b.id)),
    certificates: [],
    keys: [],
  };
}
