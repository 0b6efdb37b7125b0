// Every object is told what became of it, once for each change of its own outcome and never for anybody else's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '#api/problem.ts';
import type { RouteModel } from '#model/route-model.ts';
import { readStatus } from '#operator/route-status.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { stopClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import {
  accepted,
  editSpec,
  invalid,
  notFound,
  Office,
  proved,
  putRoute,
  rejected,
  storeOf,
} from './office.ts';
import { candidate } from './scripted-pods.ts';

test('an object seen for the first time is told at once that it is pending', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [accepted('web')]);
  await office.told('web', 'Ready', 'False Pending');
  assert.equal(office.said('web', 'Accepted'), 'True Accepted');
  assert.equal(office.said('web', 'Reconciling'), 'True Pending');
  assert.equal(office.said('web', 'Stalled'), undefined);
  assert.deepEqual(office.writes, ['PATCH web']);
});

test('without any pod an object is told at once that there is no data plane', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.publish(1, [accepted('web')]);
  await office.told('web', 'Ready', 'False NoDataPlane');
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web']);
});

test('proof is one more write, and then there is silence', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.acknowledgements.update([candidate('a'), candidate('b')]);
  office.publish(7, [accepted('web')]);
  await office.told('web', 'Ready', 'False Pending');
  office.observe('web');
  await office.settle();
  office.pods.serve('a', 7);
  await until('a has answered', () => office.acknowledgements.tally(7).serving === 1);
  await office.settle();
  assert.equal(office.writes.length, 1, 'half of the proof is told only when the rest takes long');
  office.pods.serve('b', 7);
  await office.told('web', 'Ready', 'True Programmed');
  assert.equal(office.said('web', 'Programmed'), 'True Programmed');
  assert.equal(office.said('web', 'Reconciling'), undefined);
  assert.deepEqual(readStatus(office.route('web')['status'])?.dataPlane, { summary: '2/2' });
  office.observe('web');
  await office.settle();
  assert.equal(office.writes.length, 2);
  assert.equal(office.statuses.writes, 2);
  assert.deepEqual([...office.statuses.reasons], [['Programmed', 1]]);
});

test('progress that takes longer than a second is told', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  office.acknowledgements.update([candidate('a'), candidate('b')]);
  editSpec(office.api, 'web', '/new');
  office.publish(2, [accepted('web')]);
  await office.settle();
  assert.deepEqual(office.writes, []);
  clock.advance(1000);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False Pending');
  assert.equal(office.writes.length, 1);
});

test('a change that is proved within a second is one write', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  editSpec(office.api, 'web', '/new');
  office.publish(2, [accepted('web')]);
  await office.settle();
  office.pods.serve('a', 2);
  await until(
    'generation 2 is told',
    () => readStatus(office.route('web')['status'])?.observedGeneration === 2,
  );
  assert.equal(office.said('web', 'Ready'), 'True Programmed');
  await office.settle();
  assert.equal(office.writes.length, 1);
});

test('an unchanged object is not written for another revision, a joining pod, a leaving pod or a tick', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  office.publish(2, [accepted('web')]);
  await office.settle();
  office.acknowledgements.update([candidate('a'), candidate('late')]);
  await office.settle();
  office.acknowledgements.update([candidate('late')]);
  await office.settle();
  clock.advance(59_000);
  await office.settle();
  office.observe('web');
  await office.settle();
  assert.deepEqual(office.writes, []);
});

test("another object's change writes the other object alone", async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  putRoute(office.api, 'other');
  office.publish(2, [accepted('web'), accepted('other')]);
  await office.told('other', 'Ready', 'False Pending');
  office.pods.serve('a', 2);
  await office.told('other', 'Ready', 'True Programmed');
  editSpec(office.api, 'other', '/bad');
  office.publish(3, [accepted('web'), rejected('other', invalid)]);
  office.pods.serve('a', 3);
  await office.settle();
  assert.deepEqual([...new Set(office.writes)], ['PATCH other']);
});

test('a note on an object, which may change with every endpoint, writes nothing', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  const note: Problem = { reason: 'TooManyEndpoints', at: 'spec.rules[0]', message: 'only 10000 are served' };
  office.publish(2, [accepted('web', note)]);
  await office.settle();
  assert.deepEqual(office.writes, []);
});

test('a new leader adopts what is stored without any write', async (context) => {
  const clock = stopClock(context);
  const before = await proved(context, 'web');
  putRoute(before.api, 'broken');
  before.publish(2, [accepted('web'), rejected('broken', invalid)]);
  clock.advance(500);
  before.statuses.refresh();
  await before.told('broken', 'Stalled', 'True Invalid');
  before.isLeading = false;
  before.api.writes.length = 0;
  const next = new Office(context, before.api);
  // No pod has answered yet, and one of them never will.
  next.acknowledgements.update([candidate('a'), candidate('b')]);
  next.publish(2, [accepted('web'), rejected('broken', invalid)]);
  await next.settle();
  clock.advance(30_000);
  await next.settle();
  assert.deepEqual(next.writes, []);
  assert.deepEqual(Object.fromEntries(next.statuses.reasons), { Programmed: 1, Invalid: 1 });
});

test('a new leader does not adopt what was said of another generation', async (context) => {
  const clock = stopClock(context);
  const before = await proved(context, 'web');
  editSpec(before.api, 'web', '/new');
  const next = new Office(context, before.api);
  next.acknowledgements.update([candidate('a')]);
  next.publish(2, [accepted('web')]);
  await next.settle();
  assert.deepEqual(next.writes, []);
  clock.advance(1000);
  next.statuses.refresh();
  await next.told('web', 'Ready', 'False Pending');
});

test('what looks missing is given time before it is told', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  office.publish(1, [accepted('web', notFound)]);
  await office.told('web', 'Ready', 'False Pending');
  assert.equal(office.said('web', 'ResolvedRefs'), undefined, 'nothing is said of it yet');
  await office.settle();
  assert.equal(office.writes.length, 1);
  clock.advance(500);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False BackendNotFound');
  assert.equal(office.said('web', 'Programmed'), 'True Programmed');
  await office.settle();
  assert.equal(office.writes.length, 2);
});

test('a reference that is found within that time is never told to be missing', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [accepted('web', notFound)]);
  await office.told('web', 'Ready', 'False Pending');
  office.publish(2, [accepted('web')]);
  office.pods.serve('a', 2);
  await office.told('web', 'Ready', 'True Programmed');
  clock.advance(2000);
  await office.settle();
  assert.equal(office.writes.length, 2);
});

test('an upstream without endpoints is given a second before its route is ready', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  const host = exactHost('a.test', 'shop/s:80');
  const rules = host.rules.map((rule) => ({ ...rule, ref: { ...rule.ref, namespace: 'shop', name: 'web' } }));
  office.publish(1, [accepted('web')], modelOf([{ ...host, rules }], [upstream('shop/s:80', 0)]));
  await office.told('web', 'Ready', 'False Pending');
  clock.advance(999);
  await office.settle();
  assert.equal(office.writes.length, 1);
  clock.advance(1);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'True Programmed');
});

test('endpoints that come after their route are waited for until everybody serves them', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  const host = exactHost('a.test', 'shop/s:80');
  const rules = host.rules.map((rule) => ({ ...rule, ref: { ...rule.ref, namespace: 'shop', name: 'web' } }));
  const withEndpoints = (count: number): RouteModel =>
    modelOf([{ ...host, rules }], [upstream('shop/s:80', count)]);
  office.publish(1, [accepted('web')], withEndpoints(0));
  await office.told('web', 'Ready', 'False Pending');
  office.publish(2, [accepted('web')], withEndpoints(1));
  clock.advance(5000);
  await office.settle();
  assert.equal(office.said('web', 'Ready'), 'False Pending', 'a serves the revision before');
  office.pods.serve('a', 2);
  await office.told('web', 'Ready', 'True Programmed');
});

async function stall(office: Office, clock: FakeClock): Promise<void> {
  office.publish(1, [accepted('web')]);
  await until('a first word', () => office.said('web', 'Ready') !== undefined);
  office.observe('web');
  clock.advance(60_000);
  office.statuses.refresh();
  await until('stalled', () => office.said('web', 'Stalled') !== undefined);
  office.observe('web');
  await office.settle();
}

test(
  'an object that stalled for want of a pod is told when that pod serves it after all',
  {},
  async (context) => {
    const clock = stopClock(context);
    const office = new Office(context, storeOf('web'));
    office.pods.serve('a', 1);
    office.acknowledgements.update([candidate('a'), candidate('slow')]);
    await stall(office, clock);
    office.pods.serve('slow', 1);
    await until('slow has answered', () => office.acknowledgements.tally(1).serving === 2);
    await office.settle();
    assert.equal(office.said('web', 'Ready'), 'True Programmed');
    assert.equal(office.said('web', 'Stalled'), undefined);
  },
);

test('an object that stalled for want of a data plane is told when one comes', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  await stall(office, clock);
  assert.equal(office.said('web', 'Stalled'), 'True NoDataPlane');
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  await until('a has answered', () => office.acknowledgements.tally(1).serving === 1);
  await office.settle();
  assert.equal(office.said('web', 'Ready'), 'True Programmed');
});

test('without any pod for a minute what was proved is proved no more', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  office.acknowledgements.update([]);
  clock.advance(60_000);
  await office.settle();
  assert.deepEqual(office.writes, []);
  clock.advance(1);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False NoDataPlane');
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web']);
});
