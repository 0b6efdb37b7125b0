// Generates Services, some of them names outside the cluster, their EndpointSlices with hints, and nodes with zones.
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { objectsOf, oneOf, record, services, some } from './arbitrary-objects.ts';

const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.10', 'fd00::1', 'fd00::2'];
const zones = ['north', 'south'];

const protocol = record({ protocol: oneOf('TCP', 'TCP', 'TCP', 'UDP') });
const portOf = (...numbers: readonly number[]) =>
  fc
    .tuple(oneOf(...numbers), oneOf({}, {}, { name: 'http' }), protocol)
    .map(([port, name, more]) => ({ port, ...name, ...more }));

/** Most say nothing. */
const servicePortOf = (...numbers: readonly number[]) =>
  fc
    .tuple(portOf(...numbers), oneOf('', '', '', 'https', 'kubernetes.io/h2c', 'mysql'))
    .map(([port, appProtocol]) => ({ ...port, ...(appProtocol === '' ? {} : { appProtocol }) }));

const clusterService = record(
  {
    type: oneOf('ClusterIP'),
    ports: some(servicePortOf(80, 80, 81), 1),
    ipFamilies: oneOf(['IPv4'], ['IPv6', 'IPv4']),
  },
  'ports',
);

const externalService = record(
  {
    type: fc.constant('ExternalName'),
    externalName: oneOf('a.example.net', 'b.example.net'),
    ports: some(servicePortOf(80, 81)),
  },
  'type',
  'externalName',
);

export const serviceObjects = objectsOf(
  'v1',
  'Service',
  services,
  fc.constant({}),
  fc.record({
    spec: fc.oneof({ weight: 4, arbitrary: clusterService }, { weight: 1, arbitrary: externalService }),
  }),
  [2, 5],
);

/** Most have one, or all those of a Service would hardly ever. */
const hints = oneOf<object>(
  {},
  ...[zones.slice(0, 1), zones.slice(1), zones, zones.slice(0, 1), zones.slice(1)].map((names) => ({
    hints: { forZones: names.map((name) => ({ name })) },
  })),
);

const endpoint = fc
  .tuple(
    record(
      {
        addresses: fc.array(oneOf(...addresses), { minLength: 1, maxLength: 2 }),
        zone: oneOf(...zones, ''),
        conditions: record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
      },
      'addresses',
    ),
    hints,
  )
  .map(([body, hinted]) => ({ ...body, ...hinted }));

export const sliceObjects = objectsOf(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  ['e1', 'e2', 'e3', 'e4', 'e5'],
  oneOf(...services).map((name) => ({ labels: { 'kubernetes.io/service-name': name } })),
  fc.record({
    addressType: oneOf('IPv4', 'IPv4', 'IPv4', 'IPv6', 'FQDN'),
    ports: some(portOf(8080, 9090), 1),
    endpoints: some(endpoint),
  }),
  [3, 8],
);

export const nodes: fc.Arbitrary<KubernetesObject[]> = fc.uniqueArray(
  fc.tuple(oneOf('n1', 'n2', 'n3', 'n4'), oneOf(...zones, '')).map(([name, zone]) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: zone === '' ? {} : { 'topology.kubernetes.io/zone': zone } },
  })),
  { maxLength: 4, selector: ({ metadata }) => metadata.name },
);
