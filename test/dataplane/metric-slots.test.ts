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
  const first = slots.update(new Set(ids));
  assert.equal(first.added.length, maxSlots - 1);
  assert.ok(first.added.every(([, slot]) => slot >= 1 && slot < maxSlots));
  const second = slots.update(new Set([...ids.slice(1, maxSlots - 1), 'ns/new']));
  assert.deepEqual(second.removed, ['ns/0']);
  assert.deepEqual(second.added, [['ns/new', 1]]);
});
