// Generates Ingresses whose hosts, namespaces, ages and Services overlap with those of generated IngressRoutes.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const optional = <T, K extends keyof T>(model: { [P in keyof T]: fc.Arbitrary<T[P]> }, ...required: K[]) =>
  fc.record(model, { noNullPrototype: true, requiredKeys: required });

const hosts = ['a.test', 'b.test', 'c.b.test', '*.test', '*.b.test'];

const backend = fc
  .oneof(
    {
      arbitrary: fc.record({
        name: oneOf('s', 't', 'gone'),
        port: oneOf<object>({ number: 80 }, { number: 81 }, { name: 'p' }),
      }),
      weight: 9,
    },
    { arbitrary: fc.constant(undefined), weight: 1 },
  )
  .map((service) => (service === undefined ? { resource: { kind: 'Bucket', name: 'b' } } : { service }));

const path = optional(
  {
    path: oneOf('/', '/', '/a', '/a/', '/a/b', '/%61', '/a b', '/.well-known/acme-challenge/t'),
    pathType: oneOf('Exact', 'Prefix', 'ImplementationSpecific'),
    backend,
  },
  'pathType',
  'backend',
);

const rule = optional({
  host: oneOf(...hosts),
  http: fc.record({ paths: fc.array(path, { minLength: 1, maxLength: 3 }) }),
});

const spec = optional({
  ingressClassName: oneOf('flint', 'flint', 'flint', 'nginx'),
  defaultBackend: backend,
  rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  tls: fc.array(
    optional({ hosts: fc.array(oneOf(...hosts), { maxLength: 2 }), secretName: oneOf('u', 'v') }),
    {
      maxLength: 2,
    },
  ),
});

/** As cert-manager makes it, where `isWhole`. */
const solverSpec = fc
  .tuple(oneOf(...hosts.slice(0, 3)), path, fc.boolean())
  .map(([host, other, isWhole]) => ({
    rules: [
      {
        host,
        http: { paths: [isWhole ? { ...other, path: '/.well-known/acme-challenge/t' } : other] },
      },
    ],
  }));

const meta = fc.record({
  namespace: oneOf('x', 'x', 'x-y', 'z'),
  // Some have the name of an IngressRoute.
  name: oneOf('a', 'b', 'i', 'j', 'k'),
  creationTimestamp: oneOf('2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'),
});

const annotation = oneOf<object>(
  {},
  {},
  { annotations: { 'kubernetes.io/ingress.class': 'flint' } },
  { annotations: { 'kubernetes.io/ingress.class': 'nginx' } },
);

const solverLabels = { labels: { 'acme.cert-manager.io/http01-solver': 'true' } };

const ingress: fc.Arbitrary<KubernetesObject> = fc
  .tuple(
    meta,
    annotation,
    fc.oneof(
      { arbitrary: fc.tuple(spec, fc.constant({})), weight: 3 },
      { arbitrary: fc.tuple(solverSpec, fc.constant(solverLabels)), weight: 1 },
    ),
  )
  .map(([metadata, annotations, [body, labels]]) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...metadata, ...annotations, ...labels },
    spec: body,
  }));

export const ingresses: fc.Arbitrary<KubernetesObject[]> = fc.uniqueArray(ingress, {
  selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
  maxLength: 5,
});
