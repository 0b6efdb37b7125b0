// Endpoints by zone: those of this zone while there is one, and the others when there is none left to try.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '#upstream/endpoint.ts';
import { plainBackend } from '#model/plain-terms.ts';
import { alone } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';

const addresses = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.1.2'];

function model(terminating: readonly number[] = []) {
  return {
    id: 'shop/web:80',
    loadBalancing: 'RoundRobin' as const,
    ...plainBackend,
    endpoints: addresses.map((address, index) => ({
      address,
      port: 8080,
      state: terminating.includes(index) ? ('Terminating' as const) : ('Ready' as const),
    })),
    zoneHints: [
      { zone: 'a', endpoints: [0, 1] },
      { zone: 'b', endpoints: [2, 3] },
    ],
  };
}

function picks(upstream: Upstream, tried: readonly Endpoint[] = []): readonly string[] {
  const seen = new Set<string>();
  for (let turn = 0; turn < 40; turn++) seen.add(upstream.pick(tried)?.address ?? 'none');
  return [...seen].sort();
}

test('a process of a zone uses the endpoints that are meant for it', () => {
  assert.deepEqual(picks(new Upstream(model(), { ...alone, zone: 'a' })), ['10.0.0.1', '10.0.0.2']);
  assert.deepEqual(picks(new Upstream(model(), { ...alone, zone: 'b' })), ['10.0.1.1', '10.0.1.2']);
});

test('without a zone, or in one that has no hint, all of them are used', () => {
  assert.deepEqual(picks(new Upstream(model())), addresses);
  assert.deepEqual(picks(new Upstream(model(), { ...alone, zone: 'c' })), addresses);
});

test('a retry leaves the zone when all of it has been tried', () => {
  const upstream = new Upstream(model(), { ...alone, zone: 'a' });
  const tried: Endpoint[] = [];
  for (let attempt = 0; attempt < addresses.length; attempt++) {
    const next = upstream.pick(tried);
    assert.ok(next !== undefined && !tried.includes(next));
    tried.push(next);
    assert.equal(next.address.startsWith('10.0.0.'), attempt < 2);
  }
  assert.equal(upstream.pick(tried), undefined);
});

test('an endpoint of the zone that terminates is not used while another is ready; then the other zones are', () => {
  assert.deepEqual(picks(new Upstream(model([0]), { ...alone, zone: 'a' })), ['10.0.0.2']);
  assert.deepEqual(picks(new Upstream(model([0, 1]), { ...alone, zone: 'a' })), ['10.0.1.1', '10.0.1.2']);
});

test('another zone takes hold with the next update, and pools stay', () => {
  const surroundings = { ...alone, zone: 'a' };
  const upstream = new Upstream(model(), surroundings);
  const first = upstream.pick([]);
  surroundings.zone = 'b';
  upstream.update(model());
  assert.deepEqual(picks(upstream), ['10.0.1.1', '10.0.1.2']);
  surroundings.zone = 'a';
  upstream.update(model());
  const again = new Set(Array.from({ length: 10 }, () => upstream.pick([])));
  assert.ok(first !== undefined && again.has(first));
});
