// Generates small clusters whose hosts, namespaces, ages and Services overlap on purpose.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Claims, ClusterView } from '#translate/cluster-view.ts';
import { requestPolicy, withFilters } from './arbitrary-filters.ts';

export const now = '2024-06-01T00:00:00Z';

/** One is a prefix of the other, so that their order and that of `namespace/name` differ. */
const namespaces = ['x', 'x', 'x', 'x-y', 'z'];
const hosts = ['a.test', 'b.test', '*'];
const services = ['s', 't'];
const ages = ['2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'];
const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.10', 'fd00::1', 'fd00::2'];

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const some = <T>(each: fc.Arbitrary<T>, minLength = 0): fc.Arbitrary<T[]> =>
  fc.array(each, { minLength, maxLength: 3, size: 'max' });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true, requiredKeys: [] });

const named = fc.record(
  { type: oneOf('Exact', 'RegularExpression'), name: oneOf('n', 'm', 'k', 'l'), value: oneOf('1', 'v.*') },
  { noNullPrototype: true, requiredKeys: ['name', 'value'] },
);

const uniquelyNamed = fc.uniqueArray(named, { maxLength: 2, selector: ({ name }) => name });

const match = record({
  path: record({
    type: oneOf('Exact', 'PathPrefix', 'RegularExpression'),
    value: oneOf('/', '/a', '/a/', '/a/b', '/%61'),
  }),
  method: oneOf('GET', 'POST'),
  headers: uniquelyNamed,
  queryParams: uniquelyNamed,
});

const plainRule = fc.record(
  {
    name: oneOf('first', 'second', 'third'),
    matches: some(fc.oneof(match, fc.constant({ path: { value: '/a' } }))),
    backendRefs: some(
      fc.record(
        { name: oneOf(...services, 'gone'), port: oneOf(80, 80, 81), weight: oneOf(0, 1, 9) },
        { noNullPrototype: true, requiredKeys: ['name', 'port'] },
      ),
      1,
    ),
    timeouts: record({ request: oneOf('1s', '0s'), backendRequest: oneOf('500ms'), idle: oneOf('3s') }),
    policy: requestPolicy,
  },
  { noNullPrototype: true, requiredKeys: ['backendRefs'] },
);

/** Every other one has filters. */
const rule = fc.oneof(plainRule, plainRule.chain(withFilters));

const doubtful = oneOf('Reject', 'Keep', 'Decode');

const routeSpec = fc.record(
  {
    ingressClassName: oneOf('flint', 'flint', 'flint', 'flint', 'nginx'),
    hostnames: fc.uniqueArray(oneOf(...hosts), { minLength: 1, maxLength: 2 }),
    policy: fc
      .tuple(requestPolicy, record({ encodedSlash: doubtful, backslash: doubtful }))
      .map(([policy, path]) => ({ ...policy, path })),
    rules: some(rule, 1),
  },
  { noNullPrototype: true, requiredKeys: ['hostnames', 'rules'] },
);

const brokenSpec = fc.oneof(
  fc.jsonValue(),
  routeSpec.map((spec) => ({ ...spec, hostnames: [...spec.hostnames, 'NO'] })),
  routeSpec.map((spec) => ({
    ...spec,
    rules: [
      ...spec.rules,
      { matches: [{ headers: [{ type: 'RegularExpression', name: 'x', value: '(' }] }] },
    ],
  })),
  // Sound in itself, and no path that a request could have.
  routeSpec.map((spec) => ({
    ...spec,
    rules: [
      ...spec.rules,
      {
        filters: [
          {
            type: 'RequestRedirect',
            requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/%zz' } },
          },
        ],
      },
    ],
  })),
);

function objectsOf(
  apiVersion: string,
  kind: string,
  names: readonly string[],
  metadata: fc.Arbitrary<object>,
  rest: fc.Arbitrary<object>,
  [minLength, maxLength]: readonly [number, number],
): fc.Arbitrary<KubernetesObject[]> {
  const object = fc
    .tuple(oneOf(...names), oneOf(...namespaces), metadata, rest)
    .map(([name, namespace, more, fields]) => ({
      apiVersion,
      kind,
      metadata: { ...more, name, namespace },
      ...fields,
    }));
  return fc.uniqueArray(object, {
    minLength,
    maxLength,
    size: 'max',
    selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
  });
}

const aged = record({ creationTimestamp: oneOf(...ages), generation: fc.nat(3) });

export const ingressRoutes = objectsOf(
  'flint.dev/v1alpha1',
  'IngressRoute',
  ['p', 'q', 'r'],
  aged,
  fc.record(
    { spec: fc.oneof({ weight: 8, arbitrary: routeSpec }, { weight: 1, arbitrary: brokenSpec }) },
    { noNullPrototype: true },
  ),
  [0, 9],
);

/** Of a name that no generated object has, and older than all of them. */
export const brokenRoute: fc.Arbitrary<KubernetesObject> = fc
  .tuple(oneOf(...namespaces), brokenSpec)
  .map(([namespace, spec]) => ({
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name: 'a-broken-one', namespace, creationTimestamp: '2020-01-01T00:00:00Z' },
    spec,
  }));

const protocol = record({ protocol: oneOf('TCP', 'TCP', 'TCP', 'UDP') });
const portOf = (...numbers: readonly number[]) =>
  fc
    .tuple(oneOf(...numbers), oneOf({}, {}, { name: 'http' }), protocol)
    .map(([port, name, more]) => ({ port, ...name, ...more }));

const serviceObjects = objectsOf(
  'v1',
  'Service',
  services,
  fc.constant({}),
  fc.record({
    spec: fc.record(
      {
        type: oneOf('ClusterIP', 'ClusterIP', 'ClusterIP', 'ExternalName'),
        ports: some(portOf(80, 80, 81), 1),
        ipFamilies: oneOf(['IPv4'], ['IPv6', 'IPv4']),
      },
      { noNullPrototype: true, requiredKeys: ['ports'] },
    ),
  }),
  [2, 5],
);

const sliceObjects = objectsOf(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  ['e1', 'e2', 'e3', 'e4', 'e5'],
  oneOf(...services).map((name) => ({ labels: { 'kubernetes.io/service-name': name } })),
  fc.record({
    addressType: oneOf('IPv4', 'IPv4', 'IPv6'),
    ports: some(portOf(8080, 9090), 1),
    endpoints: some(
      fc.record(
        {
          addresses: fc.array(oneOf(...addresses), { minLength: 1, maxLength: 2 }),
          conditions: record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
        },
        { noNullPrototype: true, requiredKeys: ['addresses'] },
      ),
    ),
  }),
  [3, 8],
);

/** Most often there is one of ours that is the default. */
const ingressClasses = fc
  .tuple(
    fc.nat(9),
    fc.subarray([
      ['flint-internal', 'flint.dev/ingress-controller', 'false'],
      ['nginx', 'k8s.io/ingress-nginx', 'true'],
    ] as const),
  )
  .map(([dice, others]) =>
    dice === 0 ? others : [...others, ['flint', 'flint.dev/ingress-controller', 'true'] as const],
  )
  .map((classes) =>
    classes.map(([name, controller, isDefault]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': isDefault } },
      spec: { controller },
    })),
  );

const claims: fc.Arbitrary<Claims> = fc
  .uniqueArray(fc.tuple(oneOf(...hosts), oneOf(...namespaces, 'gone'), oneOf(...ages)), {
    selector: ([host]) => host,
    maxLength: 3,
  })
  .map((entries) => new Map(entries.map(([host, namespace, since]) => [host, { namespace, since }])));

export const clusterView: fc.Arbitrary<ClusterView> = fc.record({
  ingressRoutes,
  ingressClasses,
  services: serviceObjects,
  endpointSlices: sliceObjects,
  claims,
  now: fc.constant(now),
});
