// The table of one thread: what stays is the same, what goes ends although nobody asks, nothing holds before its flip.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableStore } from '#dataplane/table-store.ts';
import type { RouteModel, VirtualHost } from '#model/route-model.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take, tidied } from './tables.ts';

const one = host('a.test', 'up');

test('endpoints that stay are the same objects after a flip, so that their connections stay', async () => {
  const store = new TableStore();
  const thread = new TableThread();
  const before = thread
    .bring(take(store, model([one], [upstream('up', 1)]), 1).state)
    .upstreams.get('up')
    ?.pick([]);
  assert.ok(before !== undefined);
  const { upstreams } = thread.bring(take(store, model([one], [upstream('up', 1, 2)]), 2).state);
  const picked = Array.from({ length: 50 }, () => upstreams.get('up')?.pick([]));
  assert.ok(picked.includes(before));
  assert.equal(before.isRetired, false);
  thread.bring(take(store, model([one], [upstream('up', 2)]), 3).state);
  await tidied();
  assert.equal(before.isRetired, true, 'although nobody asked for its upstream');
});

test('an upstream that is removed ends, although nobody asks for it any more', async () => {
  const store = new TableStore();
  const thread = new TableThread();
  const table = thread.bring(take(store, model([one], [upstream('up', 1)]), 1).state);
  const gone = table.upstreams.get('up');
  const endpoint = gone?.pick([]);
  const next = thread.bring(take(store, model([], []), 2).state);
  await tidied();
  assert.equal(endpoint?.isRetired, true);
  assert.equal(gone?.hasEndpoints, false);
  assert.equal(next.upstreams.get('up'), undefined);
  const again = thread.bring(take(store, model([one], [upstream('up', 1)]), 3).state);
  assert.notEqual(again.upstreams.get('up'), gone, 'a retired one never comes back');
  assert.equal(again.upstreams.get('up')?.pick([])?.port, 1);
});

test('an upstream that goes with the very revision that moves this node to another zone ends, too', async () => {
  const store = new TableStore('node-1');
  const thread = new TableThread();
  const inZone = (zone: string, part: RouteModel): RouteModel => ({
    ...part,
    zones: [{ node: 'node-1', zone }],
  });
  const table = thread.bring(take(store, inZone('a', model([one], [upstream('up', 1)])), 1).state);
  const endpoint = table.upstreams.get('up')?.pick([]);
  const next = thread.bring(take(store, inZone('b', model([], [])), 2).state);
  assert.equal(next.upstreams.get('up'), undefined);
  assert.equal(endpoint?.isRetired, true);
});

test('what is staged holds from the flip on, and then all of it', () => {
  const store = new TableStore();
  const thread = new TableThread();
  const table = thread.bring(take(store, model([one], [upstream('up', 1)]), 1).state);
  const next = take(store, model([host('b.test', 'up')], [upstream('up', 2)]), 2).state;
  thread.stage(next);
  assert.equal(table.routes.findHost('a.test')?.key, 'a.test');
  assert.equal(table.routes.findHost('b.test'), undefined);
  assert.equal(table.upstreams.get('up')?.pick([])?.port, 1);
  const flipped = thread.flip(next);
  assert.equal(flipped.routes.findHost('a.test'), undefined);
  assert.equal(flipped.routes.findHost('b.test')?.key, 'b.test');
  assert.equal(flipped.upstreams.get('up')?.pick([])?.port, 2);
});

test('of more values than a thread keeps, those with requests stay, the others end and are made again', () => {
  const ids = Array.from({ length: 40 }, (_, index) => `up-${index}`);
  const upstreams = ids.map((id, index) => upstream(id, 1000 + index));
  const { state } = take(new TableStore(), model([], upstreams), 1);
  const table = new TableThread({ hosts: 4, upstreams: 4 }).bring(state);
  const busy = table.upstreams.get('up-0');
  const endpoint = busy?.pick([]);
  assert.ok(endpoint !== undefined);
  endpoint.activeRequests = 1;
  const quiet = table.upstreams.get('up-1')?.pick([]);
  for (const [index, id] of ids.entries())
    assert.equal(table.upstreams.get(id)?.pick([])?.port, 1000 + index);
  assert.equal(table.upstreams.get('up-0'), busy);
  assert.equal(endpoint.isRetired, false);
  assert.equal(quiet?.isRetired, true);
  assert.equal(table.upstreams.get('up-1')?.pick([])?.port, 1001);
});

test('hosts with wildcards are found from the revision on that has one, and no longer than that', () => {
  const store = new TableStore();
  const thread = new TableThread();
  const wildcard: VirtualHost = {
    ...one,
    pattern: { kind: 'Wildcard', suffix: 'w.test', depth: 'AnyDepth' },
  };
  const upstreams = [upstream('up', 1)];
  const keyAfter = (hosts: readonly VirtualHost[], revision: number): string | undefined =>
    thread.bring(take(store, model(hosts, upstreams), revision).state).routes.findHost('x.w.test')?.key;
  assert.equal(keyAfter([one], 1), undefined);
  assert.equal(keyAfter([one, wildcard], 2), '*.w.test');
  assert.equal(keyAfter([wildcard, host('c.test', 'up')], 3), '*.w.test');
  assert.equal(keyAfter([one], 4), undefined);
});

test('a fallback that stays is compiled once', () => {
  const store = new TableStore();
  const thread = new TableThread();
  const { settings } = model([], []);
  const rule = { ...one.rules[0]!, ref: { ...one.rules[0]!.ref, kind: 'Setting' as const } };
  const withFallback = (ports: readonly number[]): RouteModel => ({
    ...model([], [upstream('up', ...ports)]),
    settings: { ...settings, fallback: { kind: 'Rule', rule } },
  });
  const { fallback } = thread.bring(take(store, withFallback([1]), 1).state);
  assert.ok(fallback !== undefined);
  assert.equal(thread.bring(take(store, withFallback([2]), 2).state).fallback, fallback);
  assert.equal(thread.bring(take(store, model([], []), 3).state).fallback, undefined);
});
