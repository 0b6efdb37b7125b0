// What others do to objects and their statuses, and what fails, is no error, no hot loop and no lost word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/source.ts';
import { readStatus } from '#operator/route-status.ts';
import { failure, json } from '../kube/fake-api.ts';
import type { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { stopClock } from './fake-clock.ts';
import {
  accepted,
  editSpec,
  events,
  invalid,
  model,
  notFound,
  Office,
  proved,
  putRoute,
  rejected,
  routes,
  storeOf,
} from './office.ts';
import type { Route } from './office.ts';
import { candidate } from './scripted-pods.ts';

test('an object that changes while its status is written is no error and no hot loop', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.acknowledgements.update([candidate('a')]);
  const { api } = office;
  api.tap = ({ method }, answer) => {
    if (method === 'PATCH') api.edit(routes, 'web', (route) => ({ ...route, note: String(Math.random()) }));
    return answer();
  };
  office.publish(1, [accepted('web')]);
  await until('a write was tried', () => api.requests.length === 1);
  await office.settle();
  assert.equal(api.requests.length, 1, 'not again before a moment has passed');
  for (let round = 2; round <= 4; round++) {
    clock.advance(1000);
    office.observe('web');
    await until('another write was tried', () => api.requests.length === round);
    await office.settle();
    assert.equal(api.requests.length, round);
  }
  assert.deepEqual(office.errors, []);
  assert.deepEqual(office.writes, []);
  api.tap = (_, answer) => answer();
  clock.advance(1000);
  office.observe('web');
  await office.told('web', 'Ready', 'False Pending');
});

test('an object that is gone is no error; another refusal is one, and is tried again later', async (context) => {
  const clock = stopClock(context);
  const office = new Office(context, storeOf('gone', 'web'));
  office.api.tap = ({ method, path }, answer) => {
    if (method === 'PATCH' && path.includes('/gone/')) return failure(404, 'NotFound', 'gone');
    if (method === 'PATCH') return failure(500, 'InternalError', 'no');
    return answer();
  };
  office.publish(1, [accepted('gone'), accepted('web')]);
  await until('the refusal is told', () => office.errors.length === 1);
  await office.settle();
  assert.equal(office.api.requests.length, 2);
  office.api.tap = (_, answer) => answer();
  clock.advance(1000);
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False NoDataPlane');
  assert.equal(office.errors.length, 1);
});

test('an object of another controller loses the status that we gave it, and is left alone then', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  putRoute(office.api, 'stranger');
  office.api.edit(routes, 'web', (route) => ({ ...route, spec: { className: 'other' } }));
  const notOurs = (name: string): Route => ({ name, kind: 'NotOurs', problems: [] });
  office.publish(2, [notOurs('web'), notOurs('stranger')]);
  await until('the status is cleared', () => readStatus(office.route('web')['status']) === undefined);
  office.observe('web');
  await office.settle();
  assert.deepEqual(office.writes, ['PATCH web']);
  assert.deepEqual([...office.statuses.reasons], []);
});

function eventsOf(api: FakeApi, name: string): readonly string[] {
  return api
    .list(events)
    .filter((event) => (event['regarding'] as KubeObject['metadata']).name === name)
    .map((event) => `${String(event['type'])} ${String(event['reason'])}`);
}

test('an event is recorded once for each change of Ready, and none for waiting', async (context) => {
  const clock = stopClock(context);
  const office = await proved(context, 'web');
  await until('an event', () => office.api.list(events).length === 1);
  assert.deepEqual(eventsOf(office.api, 'web'), ['Normal Programmed']);
  const steps: readonly (readonly [Route, string])[] = [
    [rejected('web', invalid), 'Warning Invalid'],
    [rejected('web', { ...invalid, message: 'is still required' }), ''],
    [accepted('web', notFound), 'Warning BackendNotFound'],
    [accepted('web'), 'Normal Programmed'],
    [accepted('web'), ''],
  ];
  const expected = ['Normal Programmed'];
  for (const [index, [route, event]] of steps.entries()) {
    const sequence = index + 2;
    editSpec(office.api, 'web', `/${sequence}`);
    office.publish(sequence, [route]);
    office.pods.serve('a', sequence);
    await until('a has answered', () => office.acknowledgements.tally(sequence).serving === 1);
    clock.advance(500);
    office.statuses.refresh();
    const generation = sequence;
    await until(`generation ${generation} is told`, () => {
      const status = readStatus(office.route('web')['status']);
      return status?.observedGeneration === generation;
    });
    if (event !== '') expected.push(event);
    await office.settle();
    await until(`${expected.length} events`, () => office.api.list(events).length === expected.length);
    assert.deepEqual(eventsOf(office.api, 'web'), expected);
  }
});

test('without the lease nothing is written', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.isLeading = false;
  office.publish(1, [accepted('web')]);
  await office.settle();
  assert.deepEqual(office.api.requests, []);
  office.isLeading = true;
  office.statuses.refresh();
  await office.told('web', 'Ready', 'False NoDataPlane');
});

test('a status that another hand has changed is written again', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  office.api.edit(routes, 'web', (route) => ({ ...route, status: {} }));
  office.observe('web');
  await office.told('web', 'Ready', 'True Programmed');
  await office.settle();
  assert.equal(office.writes.length, 1);
});

test('an object that was deleted and made again under its name is told as a new one', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  office.api.remove(routes, 'web');
  putRoute(office.api, 'web');
  office.publish(2, [accepted('web')]);
  await office.told('web', 'Ready', 'False Pending');
  office.pods.serve('a', 2);
  await office.told('web', 'Ready', 'True Programmed');
  assert.deepEqual(office.errors, []);
});

test('a hundred objects are told with few writes at a time', async (context) => {
  stopClock(context);
  const names = Array.from({ length: 100 }, (_, index) => `web-${index}`);
  const office = new Office(context, storeOf(...names));
  let underWay = 0;
  let most = 0;
  office.api.tap = async ({ method }, answer) => {
    if (method !== 'PATCH') return answer();
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    return answer();
  };
  office.publish(
    1,
    names.map((name) => accepted(name)),
  );
  await until('all are told', () => names.every((name) => office.said(name, 'Ready') !== undefined));
  assert.equal(office.writes.length, 100);
  assert.ok(most <= 8, `${most} at a time`);
});

test('a condition of another manager is left alone, and nobody writes because of it', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  const before = office.writes.length;
  office.api.edit(routes, 'web', (route) => {
    const status = route['status'] as { readonly conditions: readonly object[] };
    return { ...route, status: { ...status, conditions: [...status.conditions, foreign] } };
  });
  office.observe('web');
  await office.settle();
  assert.equal(office.writes.length, before);
});

test('an object of another controller with a condition of its own costs no write', async (context) => {
  stopClock(context);
  const office = new Office(context, storeOf('web'));
  office.api.edit(routes, 'web', (route) => ({ ...route, status: { conditions: [foreign] } }));
  office.publish(1, [{ name: 'web', kind: 'NotOurs', problems: [] }]);
  await office.settle();
  assert.deepEqual(office.writes, []);
});

test('a condition of ours that another manager holds, too, is not written again and again', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  const before = office.writes.length;
  // The API server keeps what somebody else owns: the write changes nothing.
  office.api.tap = (request, answer) =>
    request.method === 'PATCH' ? json(200, office.api.get(routes, 'web')) : answer();
  office.api.edit(routes, 'web', (route) => {
    const status = route['status'] as { readonly conditions: readonly object[] };
    return {
      ...route,
      status: { ...status, conditions: [...status.conditions, { ...foreign, type: 'Stalled' }] },
    };
  });
  const { length } = office.api.requests;
  office.observe('web');
  await office.settle();
  assert.equal(office.api.requests.length, length + 1);
  assert.equal(office.writes.length, before);
});

test('what a watch has shown meanwhile is not taken back by a cycle that began before it', async (context) => {
  stopClock(context);
  const office = await proved(context, 'web');
  const stale = office.route('web');
  office.api.edit(routes, 'web', (route) => ({ ...route, status: {} }));
  office.observe('web');
  await office.told('web', 'Ready', 'True Programmed');
  await office.settle();
  office.statuses.publish({
    sequence: 2,
    model,
    verdicts: [
      {
        kind: 'Accepted',
        object: { kind: 'IngressRoute', namespace: 'shop', name: 'web' },
        hosts: ['a.test'],
        certificates: [],
        problems: [],
      },
    ],
    routeOf: () => stale,
    heldBack: new Set(),
  });
  const { length } = office.api.requests;
  await office.settle();
  assert.equal(office.api.requests.length, length);
});

const foreign = {
  type: 'example.com/Audited',
  status: 'True',
  reason: 'Audited',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};
