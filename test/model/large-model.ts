// A model as large as a big cluster's: thousands of hosts and upstreams, the same at every call.
import { compareText } from '#model/text-order.ts';
import type { RouteModel, Upstream, VirtualHost } from '#model/route-model.ts';
import { hostKey } from '#model/route-model.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import { defaultSettings } from '#model/default-settings.ts';

export function exactHost(name: string, upstream: string, value = '/'): VirtualHost {
  return {
    pattern: { kind: 'Exact', name },
    pathPolicy: strictPathPolicy,
    certificates: [],
    plaintext: 'Serve',
    ...plainTls,
    rules: [
      {
        ref: { kind: 'IngressRoute', namespace: 'x', name, rule: 'rules[0]' },
        matches: [
          {
            path: { kind: 'PathPrefix', value },
            method: { kind: 'AnyMethod' },
            headers: [],
            queryParams: [],
          },
        ],
        filters: [],
        backends: [{ kind: 'Upstream', upstream, weight: 1 }],
        timeouts: { requestMs: 60_000, backendRequestMs: 60_000, idleMs: 60_000 },
      },
    ],
  };
}

export function upstream(id: string, endpoints: number): Upstream {
  return {
    id,
    loadBalancing: 'LeastRequests',
    ...plainBackend,
    discovery: { kind: 'Endpoints' },
    endpoints: Array.from({ length: endpoints }, (_, index) => ({
      address: `10.0.${Math.floor(index / 250)}.${index % 250}`,
      port: 8080,
      state: 'Ready',
    })),
    zoneHints: [],
  };
}

export function modelOf(hosts: readonly VirtualHost[], upstreams: readonly Upstream[]): RouteModel {
  return {
    settings: defaultSettings,
    zones: [],
    hosts: hosts.toSorted((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern))),
    upstreams: upstreams.toSorted((a, b) => compareText(a.id, b.id)),
    certificates: [],
    keys: [],
  };
}

export function largeModel(size: number): RouteModel {
  const numbers = Array.from({ length: size }, (_, index) => index);
  return modelOf(
    numbers.map((number) => exactHost(`host-${number}.example.com`, `x/service-${number}:80`)),
    numbers.map((number) => upstream(`x/service-${number}:80`, 20)),
  );
}
