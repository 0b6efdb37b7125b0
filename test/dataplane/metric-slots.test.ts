// Counters in shared memory: what is written in several threads is summed, and never falls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MetricReader,
  MetricWriter,
  durationBuckets,
  maxSlots,
  newMetricMemory,
} from '#dataplane/metric-slots.ts';
import { RouteSlots } from '#dataplane/route-slots.ts';

test('counts of several workers are summed, by status class and bucket', () => {
  const reader = new MetricReader();
  const memories = [newMetricMemory(), newMetricMemory()];
  for (const memory of memories) reader.add(memory);
  const [one, two] = memories.map((memory) => new MetricWriter(memory)) as [MetricWriter, MetricWriter];
  one.countRequest(3, 200, 0.0005);
  two.countRequest(3, 204, 0.03);
  two.countRequest(3, 503, 60);
  two.countRequest(3, 0, 0.001);
  one.countFault('endpoints-none');
  one.addConnections(2);
  two.addConnections(-1);
  const slot = reader.slot(3);
  assert.deepEqual(slot.requests, [0, 2, 0, 1, 1]);
  assert.ok(Math.abs(slot.durationSum - 60.0315) < 1e-9);
  assert.equal(slot.durationCounts.length, durationBuckets.length + 1);
  assert.deepEqual([slot.durationCounts[0], slot.durationCounts.at(-1)], [2, 1]);
  assert.equal(reader.faults('endpoints-none'), 1);
  assert.equal(reader.connections, 1);
});

test('a worker that is gone leaves its counters, not its gauges', () => {
  const reader = new MetricReader();
  const memory = newMetricMemory();
  reader.add(memory);
  const writer = new MetricWriter(memory);
  writer.addConnections(5);
  writer.countRequest(1, 200, 1);
  reader.retire(memory);
  assert.equal(reader.connections, 0);
  assert.deepEqual(reader.slot(1).requests, [0, 1, 0, 0, 0]);
  reader.clear(1);
  assert.deepEqual(reader.slot(1).requests, [0, 0, 0, 0, 0]);
});

test('slots are bounded: routes beyond the limit share the first, and slots of gone routes are reused last', () => {
  const slots = new RouteSlots();
  const ids = Array.from({ length: maxSlots + 100 }, (_, index) => `ns/${index}`);
  const first = slots.update({ added: ids, removed: [] });
  assert.equal(first.added.length, maxSlots - 1);
  assert.ok(first.added.every(([, slot]) => slot >= 1 && slot < maxSlots));
  const waiting = ids.slice(maxSlots - 1);
  const second = slots.update({ added: ['ns/new'], removed: ['ns/0', ...waiting] });
  assert.deepEqual(second.removed, ['ns/0'], 'those that waited had no slot');
  assert.deepEqual(second.added, [['ns/new', 1]]);
});

test('a route that waits for a slot gets the next one that is free', () => {
  const slots = new RouteSlots();
  const ids = Array.from({ length: maxSlots }, (_, index) => `ns/${index}`);
  slots.update({ added: ids, removed: [] });
  const [late] = ids.slice(-1);
  assert.equal(slots.entries.has(late!), false);
  assert.deepEqual(slots.update({ added: [], removed: ['ns/7'] }), {
    added: [[late, 8]],
    removed: ['ns/7'],
  });
});

test('an object keeps its slot as long as one chunk has rules of it, also while it moves to another', () => {
  const slots = new RouteSlots();
  assert.deepEqual(slots.update({ added: ['ns/a', 'ns/a'], removed: [] }).added, [['ns/a', 1]]);
  const nothing = { added: [], removed: [] };
  assert.deepEqual(slots.update({ added: [], removed: ['ns/a'] }), nothing);
  assert.deepEqual(slots.update({ added: ['ns/a'], removed: ['ns/a'] }), nothing);
  assert.deepEqual(slots.update({ added: [], removed: ['ns/a'] }), { added: [], removed: ['ns/a'] });
  assert.deepEqual([...slots.entries], []);
});
