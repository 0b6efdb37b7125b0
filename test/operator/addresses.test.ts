// Where the data plane is reached: what is believed of it, how soon, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { Addresses, addressesOfNodes, addressesOfService, addressOf } from '#operator/addresses.ts';
import type { Address } from '#operator/addresses.ts';
import type { Candidate } from '#operator/members.ts';
import { candidate } from './scripted-pods.ts';

const times = { newMs: 2000, goneMs: 120_000 };

function ips(...values: readonly string[]): readonly Address[] {
  return values.map(addressOf);
}

function valuesOf(addresses: Addresses): readonly string[] {
  return addresses.current.map(({ value }) => value);
}

test('what is there at the start is believed at once, sorted, as one list', () => {
  const addresses = new Addresses(times);
  assert.equal(addresses.observe(ips('10.0.0.2', '10.0.0.1', '10.0.0.2'), 5000), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.1', '10.0.0.2']);
  const { current } = addresses;
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), 6000), false);
  assert.equal(addresses.current, current, 'the same list for as long as it says the same');
});

test('what comes first after nothing is there from the start', () => {
  const addresses = new Addresses(times);
  assert.equal(addresses.observe([], 0), false);
  assert.equal(addresses.observe(ips('10.0.0.1'), 60_000), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.1']);
});

test('a new one is believed when it has stayed for two seconds', () => {
  const addresses = new Addresses(times);
  addresses.observe(ips('10.0.0.1'), 0);
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), 10_000), false);
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), 11_999), false);
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), 12_000), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.1', '10.0.0.2']);
});

test('one that is gone stays as long as a rolling update may take, and then goes', () => {
  const addresses = new Addresses(times);
  addresses.observe(ips('10.0.0.1', '10.0.0.2'), 0);
  const { current } = addresses;
  // One node after the other has no pod for a while.
  for (let ms = 1000; ms <= 240_000; ms += 1000)
    assert.equal(addresses.observe(ips(ms % 100_000 < 50_000 ? '10.0.0.1' : '10.0.0.2'), ms), false);
  assert.equal(addresses.current, current);
  const lastMs = 249_000;
  addresses.observe(ips('10.0.0.1', '10.0.0.2'), lastMs);
  assert.equal(addresses.observe(ips('10.0.0.2'), lastMs + 120_000), false);
  assert.equal(addresses.observe(ips('10.0.0.2'), lastMs + 120_001), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.2']);
  // Back again it is new.
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), lastMs + 130_000), false);
  assert.equal(addresses.observe(ips('10.0.0.1', '10.0.0.2'), lastMs + 132_000), true);
});

test('one that comes and goes within that time changes the list once', () => {
  const addresses = new Addresses(times);
  addresses.observe(ips('10.0.0.1'), 0);
  let changes = 0;
  for (let ms = 1000; ms <= 300_000; ms += 1000)
    if (addresses.observe(ips('10.0.0.1', ...(ms % 4000 < 2000 ? ['10.0.0.9'] : [])), ms)) changes++;
  assert.equal(changes, 1);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.1', '10.0.0.9']);
});

test('an outage of the whole data plane changes nothing, and those that are back first do not drive out the others', () => {
  const addresses = new Addresses(times);
  const all = ips('10.0.0.1', '10.0.0.2', '10.0.0.3');
  addresses.observe(all, 0);
  for (let ms = 1000; ms <= 600_000; ms += 1000) assert.equal(addresses.observe([], ms), false);
  for (let ms = 601_000; ms <= 720_000; ms += 1000)
    assert.equal(addresses.observe(ips('10.0.0.2'), ms), false);
  assert.deepEqual(addresses.current, all);
  assert.equal(addresses.observe(ips('10.0.0.2'), 721_000), true);
});

test('what statuses say already is believed like what has been there before', () => {
  const addresses = new Addresses(times);
  addresses.adopt(ips('10.0.0.2', '10.0.0.1'), 0);
  assert.equal(addresses.observe([], 500), false);
  assert.equal(addresses.observe(ips('10.0.0.2'), 1000), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.1', '10.0.0.2'], 'one of them is being replaced');
  assert.equal(addresses.observe(ips('10.0.0.2'), 60_000), false);
  assert.equal(addresses.observe(ips('10.0.0.2'), 121_000), true);
  assert.deepEqual(valuesOf(addresses), ['10.0.0.2']);
});

test('of more than sixteen those stay that statuses say already', () => {
  const addresses = new Addresses(times);
  const nodes = Array.from({ length: 20 }, (_, index) => `10.0.1.${100 + index}`);
  addresses.adopt(ips(...nodes.slice(4)), 0);
  addresses.observe(ips(...nodes), 1);
  assert.deepEqual(valuesOf(addresses), nodes.slice(4));
});

test('there are sixteen at most, and nodes that come and go beside them change nothing', () => {
  const addresses = new Addresses(times);
  const node = (number: number): string => `10.0.1.${number}`;
  const nodes = Array.from({ length: 40 }, (_, index) => node(100 + index));
  addresses.observe(ips(...nodes), 0);
  assert.deepEqual(valuesOf(addresses), nodes.slice(0, 16));
  // Their names would come first.
  const more = [...nodes, node(10), node(11)];
  addresses.observe(ips(...more), 1000);
  assert.equal(addresses.observe(ips(...more), 10_000), false);
  // Where one of them goes, another takes its place, and the others stay.
  const fewer = more.filter((value) => value !== node(103));
  addresses.observe(ips(...fewer), 11_000);
  assert.equal(addresses.observe(ips(...fewer), 131_000), true);
  assert.deepEqual(valuesOf(addresses), [...nodes.slice(0, 3), ...nodes.slice(4, 17)]);
});

test('an address is an IP address or a name', () => {
  assert.deepEqual(
    ['192.0.2.1', '2001:db8::1', 'lb.example.com', '999.1.1.1'].map((text) => addressOf(text).type),
    ['IPAddress', 'IPAddress', 'Hostname', 'Hostname'],
  );
});

function service(status: unknown): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'flint', namespace: 'flint-system' },
    status,
  };
}

test('a Service gives what its load balancer says', () => {
  const ingress = [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }, { ip: '2001:db8::1', ipMode: 'VIP' }];
  assert.deepEqual(addressesOfService(service({ loadBalancer: { ingress } })), [
    { type: 'IPAddress', value: '192.0.2.1' },
    { type: 'Hostname', value: 'lb.example.com' },
    { type: 'IPAddress', value: '2001:db8::1' },
  ]);
  for (const status of [
    undefined,
    null,
    {},
    { loadBalancer: {} },
    { loadBalancer: { ingress: 'x' } },
    { loadBalancer: { ingress: [{}, null, { ip: 7 }, { hostname: '' }] } },
  ])
    assert.deepEqual(addressesOfService(service(status)), []);
  assert.deepEqual(addressesOfService(undefined), []);
});

function node(
  name: string,
  ...addresses: readonly (readonly [type: string, address: string])[]
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map(([type, address]) => ({ type, address })) },
  };
}

test('nodes give their external addresses, else their internal ones, where a pod serves on them', () => {
  const nodes = [
    node('a', ['InternalIP', '10.0.0.1'], ['ExternalIP', '192.0.2.1'], ['ExternalIP', '2001:db8::1']),
    node('b', ['Hostname', 'b'], ['InternalIP', '10.0.0.2']),
    node('c', ['InternalIP', '10.0.0.3']),
    node('d', ['Hostname', 'd']),
    node('e', ['InternalIP', '10.0.0.5']),
  ];
  const on = (name: string): Candidate => ({ ...candidate(`on-${name}`), node: name });
  const pods = [on('a'), on('a'), on('b'), on('d'), on('gone'), on(''), { ...on('e'), counts: false }];
  assert.deepEqual(addressesOfNodes(pods, nodes), ips('192.0.2.1', '2001:db8::1', '10.0.0.2'));
  for (const status of [
    undefined,
    null,
    'x',
    { addresses: 'x' },
    { addresses: [null, {}, { type: 'InternalIP' }] },
  ])
    assert.deepEqual(addressesOfNodes([on('a')], [{ ...node('a'), status }]), []);
});
