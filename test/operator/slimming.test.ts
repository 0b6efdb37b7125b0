// What is kept of each object is all that anybody reads: translation and status make of it what they make of the whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { KubeObject } from '#kube/source.ts';
import { packedEndpoints } from '#api/endpoint-slice.ts';
import { addressesOfNodes, addressesOfService } from '#operator/addresses.ts';
import { candidatesOf } from '#operator/members.ts';
import {
  slimEndpointSlice,
  slimNode,
  slimPod,
  slimRoute,
  slimSecret,
  slimService,
} from '#operator/slimming.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import { translate } from '#translate/translate.ts';
import { clusterView, translateSettings } from '../translate/arbitrary-view.ts';
import { bytesOf } from '../translate/translation-laws.ts';

type Fields = Readonly<Record<string, unknown>>;

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

const slimOf = {
  ingressRoutes: slimRoute,
  ingresses: slimRoute,
  services: slimService,
  endpointSlices: slimEndpointSlice,
  secrets: slimSecret,
  nodes: slimNode,
} as const;

/** What an API server and other hands add to every object: the bookkeeping that nobody here reads. */
function stored(object: KubernetesObject, index: number): KubernetesObject {
  const { metadata, ...rest } = object as unknown as { readonly metadata: Fields } & Fields;
  const { stringData, ...content } = rest;
  return {
    ...content,
    // As the API server answers.
    ...(stringData === undefined ? {} : { data: encoded(stringData as Readonly<Record<string, string>>) }),
    metadata: {
      uid: `uid-${index}`,
      resourceVersion: String(1000 + index),
      creationTimestamp: '2024-01-01T00:00:00Z',
      selfLink: '/x',
      finalizers: ['foregroundDeletion'],
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: 'y' }],
      ...metadata,
      labels: { 'app.kubernetes.io/name': 'x', ...(metadata['labels'] as object | undefined) },
      annotations: { [lastApplied]: '{}', note: 'x', ...(metadata['annotations'] as object | undefined) },
    },
  } as unknown as KubernetesObject;
}

function encoded(texts: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}

function mapped(
  view: ClusterView,
  change: (object: KubernetesObject, kind: string, index: number) => unknown,
): ClusterView {
  const collections = Object.keys(slimOf) as (keyof typeof slimOf)[];
  return {
    ...view,
    ...Object.fromEntries(
      collections.map((kind) => [kind, view[kind].map((object, index) => change(object, kind, index))]),
    ),
  };
}

test('translation makes of what is kept what it makes of the whole', () => {
  fc.assert(
    fc.property(clusterView, translateSettings, (view, settings) => {
      const whole = mapped(view, (object, _, index) => stored(object, index));
      const slim = mapped(whole, (object, kind) =>
        slimOf[kind as keyof typeof slimOf](object as unknown as KubeObject),
      );
      assert.equal(bytesOf(translate(slim, settings)), bytesOf(translate(whole, settings)));
    }),
    { numRuns: 300 },
  );
});

test('slimming what is slim already changes nothing', () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      for (const [kind, slim] of Object.entries(slimOf))
        for (const [index, object] of view[kind as keyof typeof slimOf].entries()) {
          const once = slim(stored(object, index) as unknown as KubeObject);
          assert.deepEqual(slim(once), once);
        }
    }),
  );
});

test('the last applied configuration, which is as large as the object, is dropped, and other bookkeeping of a route', () => {
  const metadata = {
    name: 'web',
    namespace: 'shop',
    uid: 'u',
    resourceVersion: '7',
    generation: 3,
    creationTimestamp: '2024-01-01T00:00:00Z',
    deletionTimestamp: '2024-01-02T00:00:00Z',
  };
  const object = {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: {
      ...metadata,
      annotations: { [lastApplied]: '{"spec":{}}', 'kubernetes.io/ingress.class': 'flint' },
      labels: { 'acme.cert-manager.io/http01-solver': 'true', app: 'x' },
      finalizers: ['x'],
      ownerReferences: [{}],
    },
    spec: { hostnames: ['a.test'] },
    status: { observedGeneration: 3 },
  };
  assert.deepEqual(slimRoute(object), {
    ...object,
    metadata: {
      ...metadata,
      annotations: { 'kubernetes.io/ingress.class': 'flint' },
      labels: { 'acme.cert-manager.io/http01-solver': 'true' },
    },
  });
  const bare = { ...object, metadata: { name: 'web', annotations: { [lastApplied]: '{}' } } };
  assert.deepEqual(slimRoute(bare).metadata, { name: 'web' });
});

test('of a Secret nothing is kept but the pair, of an endpoint one address and one value for what is usual', () => {
  const secret = slimSecret({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', annotations: { [lastApplied]: 'with a key in it' } },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==', 'ca.crt': 'ZA==', 'keystore.jks': 'Yw==' },
  });
  assert.deepEqual(secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==', 'ca.crt': 'ZA==' },
  });
  const endpoint = (): object => ({
    addresses: ['10.0.0.1', '10.0.0.2'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', name: 'x' },
    nodeName: 'n',
  });
  const slice = slimEndpointSlice({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'e', labels: { 'kubernetes.io/service-name': 's', app: 'x' } },
    addressType: 'IPv4',
    ports: [{ port: 80 }],
    endpoints: [endpoint(), endpoint()],
  });
  // Ready is what absent conditions say.
  const text = packedEndpoints(slice);
  assert.equal(text, '[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.1"]}]');
  assert.deepEqual(slice.metadata, { name: 'e', labels: { 'kubernetes.io/service-name': 's' } });
});

const ready = fc.constantFrom('True', 'False', 'Unknown');
const conditions = ready.map((status) => [
  { type: 'PodScheduled', status: 'True', lastTransitionTime: '2024-01-01T00:00:00Z' },
  { type: 'Ready', status, lastHeartbeatTime: '2024-01-01T00:00:00Z', message: 'x' },
]);
const pod = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('Pod'),
  metadata: fc.record({
    name: fc.constant('proxy'),
    namespace: fc.constant('flint'),
    uid: fc.constant('u'),
    labels: fc.constant({ app: 'flint-proxy' }),
    annotations: fc.constantFrom<Readonly<Record<string, string>>>(
      {},
      { 'flint.dev/admin-ports': '9901,9902', other: 'x' },
    ),
    deletionTimestamp: fc.constantFrom(undefined, undefined, '2024-01-01T00:00:00Z'),
  }),
  spec: fc.record({
    nodeName: fc.constantFrom('a', 'b', 'gone', undefined),
    volumes: fc.constant([{ name: 'x' }]),
    containers: fc.constantFrom(
      [{ name: 'sidecar' }, { name: 'flint', image: 'x', ports: [{ name: 'admin', containerPort: 9901 }] }],
      [{ name: 'flint', env: [], ports: [{ name: 'http', containerPort: 80 }] }],
      [],
    ),
  }),
  status: fc.record({
    podIP: fc.constantFrom('10.0.0.1', 'fd00::1', '', undefined),
    phase: fc.constant('Running'),
    conditions,
  }),
});
const node = fc.constantFrom('a', 'b').chain((name) =>
  fc.record({
    apiVersion: fc.constant('v1'),
    kind: fc.constant('Node'),
    metadata: fc.constant({ name, labels: { 'topology.kubernetes.io/zone': 'north', arch: 'x' } }),
    spec: fc.constant({ podCIDR: '10.1.0.0/24' }),
    status: fc.record({
      conditions,
      images: fc.constant([{ names: ['x'] }]),
      addresses: fc.constantFrom(
        [
          { type: 'InternalIP', address: '10.0.0.1' },
          { type: 'ExternalIP', address: '192.0.2.1' },
        ],
        [{ type: 'Hostname', address: 'n' }],
      ),
    }),
  }),
);

test('of pods and nodes enough is kept to know who has to prove what, and where', () => {
  fc.assert(
    fc.property(fc.array(pod, { maxLength: 3 }), fc.array(node, { maxLength: 2 }), (pods, nodes) => {
      const slimNodes = nodes.map((each) => slimNode(each));
      const whole = candidatesOf(pods, nodes);
      const slim = candidatesOf(
        pods.map((each) => slimPod(each)),
        slimNodes,
      );
      assert.deepEqual(slim, whole);
      assert.deepEqual(addressesOfNodes(slim, slimNodes), addressesOfNodes(whole, nodes));
    }),
  );
});

test('of the published Service enough is kept to know where it is reached', () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'flint', namespace: 'flint-system' },
    spec: { type: 'LoadBalancer', clusterIP: '10.0.0.1' },
    status: {
      loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }] },
      conditions: [],
    },
  };
  const slim = slimService(service);
  assert.deepEqual(addressesOfService(slim), addressesOfService(service));
  assert.equal(addressesOfService(slim).length, 2);
});

test('objects of any shape are slimmed without an accident', () => {
  const strange = [null, 7, 'x', [], {}, { a: null }, [null, 7, {}, []]];
  for (const slim of [...Object.values(slimOf), slimPod])
    for (const value of strange)
      for (const field of ['spec', 'status', 'data', 'endpoints', 'ports'])
        slim({
          apiVersion: 'v1',
          kind: 'X',
          metadata: { name: 'x', labels: value, annotations: value },
          [field]: value,
        });
});
