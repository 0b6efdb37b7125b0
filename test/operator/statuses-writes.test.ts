// How many writes it takes to tell thousands of objects: two at first sight, one for a change of their own, none for anything
// else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { addressOf } from '#operator/addresses.ts';
import { failure } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { modelOf, exactHost, upstream } from '../model/large-model.ts';
import { stopClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { accepted, editSpec, invalid, notFound, Office, rejected, storeOf } from './office.ts';
import type { Route } from './office.ts';
import { candidate, ScriptedPods } from './scripted-pods.ts';

const here = [addressOf('192.0.2.1')];

/** Routes of which some are broken, and one in ten waits for a Service. */
function routesOf(count: number): readonly Route[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `web-${index}`;
    if (index % 10 === 3) return accepted(name, notFound);
    return index % 10 === 7 ? rejected(name, invalid) : accepted(name);
  });
}

interface Told {
  readonly office: Office;
  readonly routes: readonly Route[];
  readonly clock: FakeClock;
  readonly pods: ScriptedPods;
}

function written(office: Office): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const write of office.writes) counts.set(write, (counts.get(write) ?? 0) + 1);
  return counts;
}

/** All of them are told all there is to say, and the watch has shown it. */
async function settled(context: TestContext, count: number): Promise<Told> {
  const clock = stopClock(context);
  const pods = new ScriptedPods();
  for (const name of ['a', 'b']) pods.serve(name, 1);
  const routes = routesOf(count);
  const office = new Office(context, storeOf(...routes.map(({ name }) => name)), pods);
  office.statuses.announce(here);
  office.acknowledgements.update([candidate('a'), candidate('b')]);
  office.publish(1, routes);
  await told(office, routes, clock);
  return { office, routes, clock, pods };
}

/** Time goes on until everybody has a last word. */
async function told(office: Office, routes: readonly Route[], clock: FakeClock): Promise<void> {
  const expected = (name: string): string => {
    const { kind, problems } = routes.find((each) => each.name === name) ?? routes[0]!;
    if (kind === 'Rejected') return 'False Invalid';
    return problems.length > 0 ? 'False BackendNotFound' : 'True Programmed';
  };
  const open = new Map(routes.map(({ name }) => [name, expected(name)]));
  await until('all are told', () => {
    clock.advance(2);
    office.statuses.refresh();
    for (const [name, text] of open)
      if (office.said(name, 'Ready') === text) open.delete(name);
      else return false;
    return true;
  });
  for (const { name } of routes) office.observe(name);
  await office.settle();
}

test('five thousand objects are told with two writes each at most, and a new leader writes nothing', async (context) => {
  const { office, routes, clock, pods } = await settled(context, 5000);
  const most = Math.max(...written(office).values());
  assert.ok(most <= 2, `${most} writes to one object`);
  assert.equal(written(office).size, 5000);
  for (const { name } of routes) assert.deepEqual(office.status(name)?.addresses, here);
  office.isLeading = false;
  office.api.writes.length = 0;
  const next = new Office(context, office.api, pods);
  next.acknowledgements.update([candidate('a'), candidate('b')]);
  next.publish(1, routes);
  await next.settle();
  next.statuses.announce([...here]);
  for (let seconds = 0; seconds < 120; seconds += 10) {
    clock.advance(10_000);
    next.publish(2 + seconds, routes);
    await next.settle(200);
  }
  // What has been wrong for a minute is told to be so, once.
  const stalled = routes.filter(({ problems }) => problems.includes(notFound)).length;
  assert.equal(next.writes.length, stalled);
  assert.equal(written(next).size, stalled);
});

test('a change of the model writes to no object that it says nothing of', async (context) => {
  const { office, routes } = await settled(context, 1000);
  office.api.writes.length = 0;
  for (let sequence = 2; sequence < 40; sequence++) {
    const model = modelOf([exactHost('other.test', 'shop/s:80')], [upstream('shop/s:80', sequence)]);
    // Verdicts that are new and say the same.
    office.publish(
      sequence,
      routes.map((route) => ({ ...route, problems: [...route.problems] })),
      model,
    );
    if (sequence % 10 === 0) office.pods.serve('a', sequence);
    await office.settle();
  }
  assert.deepEqual(office.writes, []);
  editSpec(office.api, 'web-0', '/new');
  for (const name of ['a', 'b']) office.pods.serve(name, 40);
  office.publish(40, routes);
  await until('it is told', () => office.status('web-0')?.observedGeneration === 2);
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web-0']);
});

test('pods that come, go, lag and fall silent write nothing to objects that are served', async (context) => {
  const { office, clock, pods } = await settled(context, 1000);
  // What was wrong from the start is Stalled by then.
  clock.advance(60_000);
  for (let round = 0; round < 3; round++) {
    await until('all are told', () => {
      office.statuses.refresh();
      return office.said('web-3', 'Stalled') !== undefined;
    });
    await office.settle();
  }
  for (let index = 0; index < 1000; index++) office.observe(`web-${index}`);
  await office.settle();
  office.api.writes.length = 0;
  for (let round = 0; round < 20; round++) {
    office.acknowledgements.update([candidate('a'), candidate(`b-${round}`)]);
    pods.serve('a', 1 + round);
    if (round % 5 === 4) pods.silence('a');
    clock.advance(10_000);
    office.acknowledgements.findSilent();
    await office.settle();
  }
  assert.deepEqual(office.writes, []);
});

test('objects that wait for a laggard are told of it now and then, not with every word of it', async (context) => {
  const clock = stopClock(context);
  const pods = new ScriptedPods();
  const routes = Array.from({ length: 100 }, (_, index) => accepted(`web-${index}`));
  const office = new Office(context, storeOf(...routes.map(({ name }) => name)), pods);
  office.acknowledgements.update([candidate('a'), candidate('slow')]);
  office.publish(1000, routes);
  await until('all have heard', () => routes.every(({ name }) => office.said(name, 'Ready') !== undefined));
  for (const { name } of routes) office.observe(name);
  // Half a minute in which it comes nearer twice a second.
  for (let sequence = 1; sequence <= 60; sequence++) {
    pods.serve('slow', sequence);
    clock.advance(500);
    await until('it has answered', () => office.acknowledgements.tally(sequence).serving === 1);
    await office.settle();
  }
  const most = Math.max(...written(office).values());
  assert.ok(most <= 4, `${most} writes to one object in 30 s`);
  assert.ok(most >= 2, 'nothing is heard of it');
  for (const name of ['a', 'slow']) pods.serve(name, 1000);
  await until('all are ready', () =>
    routes.every(({ name }) => office.said(name, 'Ready') === 'True Programmed'),
  );
});

test('the first word to thousands of objects that nobody serves costs each of them once', async (context) => {
  stopClock(context);
  const count = 5000;
  const office = new Office(context, storeOf(...routesOf(count).map(({ name }) => name)));
  const looks = context.mock.method(office.acknowledgements, 'tally').mock;
  office.acknowledgements.update([candidate('a'), candidate('b')]);
  const startedMs = Date.now();
  office.publish(1, routesOf(count));
  await until('all have heard', () => office.writes.length >= count);
  context.diagnostic(`${count} first words in ${Date.now() - startedMs} ms`);
  assert.equal(written(office).size, count);
  // Each look at an object that is judged anew costs a tally, unless nothing has happened since.
  assert.ok(looks.callCount() < 5000, `${looks.callCount()} tallies`);
});

test('an API server that refuses statuses is asked a few at a time, with pauses, and told of as often', async (context) => {
  const clock = stopClock(context);
  const routes = Array.from({ length: 500 }, (_, index) => accepted(`web-${index}`));
  const office = new Office(context, storeOf(...routes.map(({ name }) => name)));
  office.api.tap = () => failure(503, 'ServiceUnavailable', 'no');
  office.publish(1, routes);
  for (let ms = 0; ms < 60_000; ms += 500) {
    clock.advance(500);
    await office.settle();
  }
  const { length } = office.api.requests;
  assert.ok(length < 8 * 40, `${length} requests in a minute`);
  assert.equal(office.errors.length, length);
  office.api.tap = (_, answer) => answer();
  clock.advance(10_000);
  office.statuses.refresh();
  await until('all have heard', () => office.writes.length >= 500);
});
