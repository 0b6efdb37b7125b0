// Every object is told what became of it, once for each change of its own outcome and never for anybody else's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import type { KubeObject } from '#kube/source.ts';
import type { RouteModel } from '#model/route-model.ts';
import { Acknowledgements } from '#operator/acknowledgements.ts';
import { EventRecorder } from '#operator/event-recorder.ts';
import { conditionOf, readStatus } from '#operator/route-status.ts';
import type { ConditionType } from '#operator/route-status.ts';
import { Statuses } from '#operator/statuses.ts';
import type { Verdict } from '#translate/verdict.ts';
import { failure, FakeApi, json } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { exactHost, modelOf, upstream } from '../model/large-model.ts';
import { stopClock } from './fake-clock.ts';
import type { FakeClock } from './fake-clock.ts';
import { candidate, ScriptedPods } from './scripted-pods.ts';

const routes = '/apis/flint.dev/v1alpha1/namespaces/shop/ingressroutes';
const events = '/apis/events.k8s.io/v1/namespaces/shop/events';
const model = modelOf([exactHost('a.test', 'shop/s:80')], [upstream('shop/s:80', 1)]);

interface Route {
  readonly name: string;
  readonly kind: Verdict['kind'];
  readonly problems: readonly Problem[];
}

/** A leader's statuses over a store of routes, and pods that say what they serve. */
class Office {
  readonly api: FakeApi;
  readonly pods: ScriptedPods;
  readonly errors: unknown[] = [];
  readonly acknowledgements: Acknowledgements;
  readonly statuses: Statuses;
  isLeading = true;

  constructor(context: TestContext, api: FakeApi, pods = new ScriptedPods()) {
    const controller = new AbortController();
    context.after(() => controller.abort());
    const { signal } = controller;
    const objects = new ClusterObjects(new ApiClient(api));
    const onError = (error: unknown): unknown => this.errors.push(error);
    this.api = api;
    this.pods = pods;
    this.acknowledgements = new Acknowledgements({
      ask: pods.ask,
      digestOf: (sequence) => `digest-${sequence}`,
      onChange: () => this.statuses.refresh(),
      onSilence: () => {},
      signal,
    });
    this.statuses = new Statuses({
      objects,
      acknowledgements: this.acknowledgements,
      events: new EventRecorder({ objects, identity: 'operator-0', onError, signal }),
      isLeading: () => this.isLeading,
      onError,
      signal,
    });
  }

  /** As a cycle does: these are all the routes that there are. */
  publish(sequence: number, all: readonly Route[], present: RouteModel = model): void {
    const verdicts = all.map(({ name, kind, problems }): Verdict => {
      const object = { kind: 'IngressRoute', namespace: 'shop', name };
      switch (kind) {
        case 'Accepted':
          return { kind, object, hosts: ['a.test'], problems };
        case 'Rejected':
          return { kind, object, problems };
        case 'NotOurs':
          return { kind, object, message: 'of another class' };
      }
    });
    const objects = new Map(all.map(({ name }) => [`shop/${name}`, this.route(name)]));
    this.statuses.publish({ sequence, model: present, verdicts, routes: objects });
    this.statuses.refresh();
  }

  /** As a watch does that shows a status which was written. */
  observe(name: string): void {
    this.statuses.observe(this.route(name));
    this.statuses.refresh();
  }

  route(name: string): KubernetesObject {
    const object = this.api.get(routes, name);
    assert.ok(object !== undefined, name);
    return object;
  }

  /** The status of a condition and its reason; undefined when it is not there. */
  said(name: string, type: ConditionType): string | undefined {
    const condition = conditionOf(readStatus(this.route(name)['status']), type);
    return condition === undefined ? undefined : `${condition.status} ${condition.reason}`;
  }

  told(name: string, type: ConditionType, expected: string): Promise<void> {
    return until(`${name}: ${type} is ${expected}`, () => this.said(name, type) === expected);
  }

  /** Writes of statuses that took effect. */
  get writes(): readonly string[] {
    return this.api.writes.filter((write) => write.startsWith('PATCH '));
  }

  /** Everything that is under way has ended, and no amount of ticks asks for more. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const { length } = this.api.requests;
      this.statuses.refresh();
      // Longer than a request takes, which is one turn of the loop for each step of it.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (this.api.requests.length === length) return;
    }
    assert.fail(`there is no end of requests: ${this.api.requests.slice(-5).join(', ')}`);
  }
}

function accepted(name: string, ...problems: readonly Problem[]): Route {
  return { name, kind: 'Accepted', problems };
}

function rejected(name: string, ...problems: readonly Problem[]): Route {
  return { name, kind: 'Rejected', problems };
}

const notFound: Problem = {
  reason: 'BackendNotFound',
  at: 'spec.rules[0]',
  message: 'there is no Service s',
};
const invalid: Problem = { reason: 'Invalid', at: 'spec.hostnames', message: 'is required' };

function storeOf(...names: readonly string[]): FakeApi {
  const api = new FakeApi();
  for (const name of names) putRoute(api, name);
  return api;
}

function putRoute(api: FakeApi, name: string): void {
  api.put(routes, {
    apiVersion: 'flint.dev/v1alpha1',
    kind: 'IngressRoute',
    metadata: { name, namespace: 'shop' },
    spec: { hostnames: ['a.test'] },
  });
}

function editSpec(api: FakeApi, name: string, path: string): void {
  api.edit(routes, name, (route) => ({ ...route, spec: { hostnames: ['a.test'], path } }));
}

/** An office in which `name` is proved by one pod. */
async function proved(context: TestContext, name: string): Promise<Office> {
  const office = new Office(context, storeOf(name));
  office.pods.serve('a', 1);
  office.acknowledgements.update([candidate('a')]);
  office.publish(1, [accepted(name)]);
  await office.told(name, 'Ready', 'True Programmed');
  office.observe(name);
  await office.settle();
  office.api.writes.length = 0;
  return office;
}

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
  office.statuses.publish({
    sequence: 2,
    model,
    verdicts: [
      {
        kind: 'Accepted',
        object: { kind: 'IngressRoute', namespace: 'shop', name: 'web' },
        hosts: ['a.test'],
        problems: [],
      },
    ],
    routes: new Map([['shop/web', stale]]),
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
