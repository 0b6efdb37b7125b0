// Manifests for the end-to-end tests, written the short way.
import { stringify } from 'yaml';

export interface RouteSpec {
  readonly name: string;
  readonly namespace?: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

export function route(name: string, spec: Readonly<Record<string, unknown>>): unknown {
  return { apiVersion: 'flint.dev/v1alpha1', kind: 'IngressRoute', metadata: { name }, spec };
}

/** The smallest route: everything of one host to one Service. */
export function simpleRoute(
  hostname: string,
  service: string,
  rule: Readonly<Record<string, unknown>> = {},
): unknown {
  return route(hostname.replaceAll('*', 'any').replaceAll('.', '-'), {
    hostnames: [hostname],
    rules: [{ backendRefs: [{ name: service, port: 80 }], ...rule }],
  });
}

/** A Service on port 80 whose endpoints are these ports of one address, one EndpointSlice each. */
export function service(name: string, ports: readonly number[], address = '127.0.0.1'): readonly unknown[] {
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } },
    ...ports.map((port) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-${port}`, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [address] }],
      ports: [{ port }],
    })),
  ];
}

/** In the YAML that kubectl reads, where an unquoted `yes` is no string. */
export function yaml(...objects: readonly unknown[]): string {
  return objects.map((object) => stringify(object, { version: '1.1' })).join('---\n');
}
