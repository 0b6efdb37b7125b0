// Which pods have to prove what they serve: those that are there to serve it, and can be asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { candidatesOf } from '#operator/members.ts';

type Fields = Readonly<Record<string, unknown>>;

const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const container = { name: 'flint', ports: [{ name: 'admin', containerPort: 9901 }] };

interface PodParts {
  readonly metadata?: Fields;
  readonly spec?: Fields;
  readonly status?: Fields;
}

function pod(parts: PodParts = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'proxy-1', namespace: 'flint-system', uid: 'u1', ...parts.metadata },
    spec: { nodeName: 'node-a', containers: [container], ...parts.spec },
    status: { ...ready, podIP: '10.0.0.7', ...parts.status },
  };
}

function node(name: string, status: unknown = ready): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, status };
}

const nodes = [node('node-a'), node('node-b')];

test('a Ready pod on a Ready node is asked at its admin port', () => {
  assert.deepEqual(candidatesOf([pod()], nodes), [
    {
      name: 'proxy-1',
      namespace: 'flint-system',
      uid: 'u1',
      node: 'node-a',
      urls: ['http://10.0.0.7:9901'],
      counts: true,
    },
  ]);
});

test('an IPv6 address stands in brackets', () => {
  const [candidate] = candidatesOf([pod({ status: { podIP: 'fd00::7' } })], nodes);
  assert.deepEqual(candidate?.urls, ['http://[fd00::7]:9901']);
  assert.ok(URL.canParse(candidate.urls[0] ?? ''));
});

test('the admin port is found by its name, in any container', () => {
  const containers = [
    { name: 'bare' },
    { name: 'sidecar', ports: [{ containerPort: 80 }, { name: 'http', containerPort: 8080 }] },
    {
      name: 'flint',
      ports: [
        { name: 'http', containerPort: 8081 },
        { name: 'admin', containerPort: 9999 },
      ],
    },
  ];
  assert.deepEqual(candidatesOf([pod({ spec: { containers } })], nodes)[0]?.urls, ['http://10.0.0.7:9999']);
});

test('without such a port the annotation says which ones one of which is its own', () => {
  const onNetworkOfNode = (ports: string): readonly string[] =>
    candidatesOf(
      [
        pod({
          metadata: { annotations: { 'flint.dev/admin-ports': ports } },
          spec: { containers: [{ name: 'proxy' }] },
        }),
      ],
      nodes,
    ).flatMap(({ urls }) => urls);
  assert.deepEqual(onNetworkOfNode('9901,9902'), ['http://10.0.0.7:9901', 'http://10.0.0.7:9902']);
  assert.deepEqual(onNetworkOfNode('9901'), ['http://10.0.0.7:9901']);
  for (const none of ['', '0', '9901,', 'admin', '9901 9902', '9901,9902,9903,9904,9905', '123456'])
    assert.deepEqual(onNetworkOfNode(none), [], none);
});

const unready: Readonly<Record<string, PodParts>> = {
  'a pod that is not Ready': { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
  'a pod of which nobody knows': { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
  'a pod without conditions': { status: { conditions: undefined } },
  'a pod that is ready only in part': {
    status: { conditions: [{ type: 'ContainersReady', status: 'True' }] },
  },
  'a pod without a node': { spec: { nodeName: undefined } },
  'a pod on a node that is not there': { spec: { nodeName: 'node-z' } },
  'a pod on a node that is not Ready': { spec: { nodeName: 'node-down' } },
};

const absent: Readonly<Record<string, PodParts>> = {
  'a terminating pod': { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
  'a pod without an address': { status: { podIP: undefined } },
  'a pod with an empty address': { status: { podIP: '' } },
  'a pod without containers': { spec: { containers: [] } },
  'a pod without an admin port': { spec: { containers: [{ ports: [{ name: 'http', containerPort: 80 }] }] } },
  'a pod with an admin port that is none': {
    spec: { containers: [{ ports: [{ name: 'admin', containerPort: 0 }] }] },
  },
};

/** Of a pod and another one that is as it should be. */
function candidatesWith(parts: PodParts): readonly string[] {
  const down = [
    node('node-down', { conditions: [{ type: 'Ready', status: 'Unknown' }] }),
    node('node-down-too', {}),
  ];
  const other = pod({ metadata: { name: 'proxy-2', uid: 'u2' }, spec: { nodeName: 'node-b' } });
  return candidatesOf([pod(parts), other], [...nodes, ...down]).map(
    ({ name, counts }) => `${name} ${counts ? 'counts' : 'is asked'}`,
  );
}

for (const [what, parts] of Object.entries(unready))
  test(`${what} is asked what it understands, and has nothing to prove`, () =>
    assert.deepEqual(candidatesWith(parts), ['proxy-1 is asked', 'proxy-2 counts']));

for (const [what, parts] of Object.entries(absent))
  test(`${what} is not asked, and does not hide others`, () =>
    assert.deepEqual(candidatesWith(parts), ['proxy-2 counts']));

test('where nodes cannot be read, a Ready pod counts on whatever node it is', () => {
  const [candidate] = candidatesOf([pod({ spec: { nodeName: 'node-z' } })], undefined);
  assert.equal(candidate?.counts, true);
});

test('objects of any other shape are no members, and no accident', () => {
  const strange = [null, 7, 'x', [], {}, { conditions: 'x' }, { conditions: [null] }, { conditions: [[]] }];
  for (const value of strange) {
    const odd = { ...pod(), status: value } as KubernetesObject;
    assert.deepEqual(candidatesOf([odd, { ...pod(), spec: value }], nodes), []);
    assert.equal(candidatesOf([pod()], [node('node-a', value)])[0]?.counts, false);
  }
});
