// Every Ingress says where it is reached, once every pod serves it, and an Event says what is wrong with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import { Acknowledgements } from '#operator/acknowledgements.ts';
import { addressOf } from '#operator/addresses.ts';
import { EventRecorder } from '#operator/event-recorder.ts';
import { IngressStatuses } from '#operator/ingress-statuses.ts';
import type { Verdict } from '#translate/verdict.ts';
import { failure, FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { stopClock } from './fake-clock.ts';
import { candidate, ScriptedPods } from './scripted-pods.ts';

const ingresses = '/apis/networking.k8s.io/v1/namespaces/shop/ingresses';
const events = '/apis/events.k8s.io/v1/namespaces/shop/events';
const here = [addressOf('192.0.2.1'), addressOf('lb.example.com')];
const stored = [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }];
const foreign = [{ ip: '203.0.113.9' }];

const notFound: Problem = {
  reason: 'BackendNotFound',
  at: 'spec.rules[0]',
  message: 'there is no Service s',
};
const invalid: Problem = { reason: 'Invalid', at: 'spec.rules', message: 'is required' };

/** The statuses of a leader over a store of Ingresses, with one pod that serves what the test says. */
class Desk {
  readonly api: FakeApi;
  readonly pods = new ScriptedPods();
  readonly errors: unknown[] = [];
  readonly acknowledgements: Acknowledgements;
  readonly statuses: IngressStatuses;
  isLeading = true;
  /** As the collections of a leader have them, which may be behind the store. */
  readonly seen = new Map<string, KubernetesObject>();
  #verdicts: readonly Verdict[] = [];

  constructor(context: TestContext, ...names: readonly string[]) {
    this.api = new FakeApi();
    for (const name of names) this.put(name);
    const controller = new AbortController();
    context.after(() => controller.abort());
    const { signal } = controller;
    const objects = new ClusterObjects(new ApiClient(this.api));
    const onError = (error: unknown): unknown => this.errors.push(error);
    this.acknowledgements = new Acknowledgements({
      ask: this.pods.ask,
      digestOf: (sequence) => `digest-${sequence}`,
      onChange: () => this.statuses.refresh(),
      onSilence: () => {},
      signal,
    });
    this.statuses = new IngressStatuses({
      objects,
      acknowledgements: this.acknowledgements,
      events: new EventRecorder({ objects, identity: 'operator-0', onError, signal }),
      isLeading: () => this.isLeading,
      onError,
      signal,
    });
    this.acknowledgements.update([candidate('a')]);
  }

  put(name: string, more: object = {}): void {
    this.api.put(ingresses, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, namespace: 'shop' },
      spec: { rules: [] },
      ...more,
    });
    this.see(name);
  }

  /** As a watch does; `observe` is its change. */
  see(name: string): KubernetesObject {
    const object = this.stored(name);
    this.seen.set(`shop/${name}`, object);
    return object;
  }

  observe(name: string): void {
    this.statuses.observe(this.see(name));
    this.statuses.refresh();
  }

  stored(name: string): KubernetesObject {
    const object = this.api.get(ingresses, name);
    assert.ok(object !== undefined, name);
    return object;
  }

  /** A new verdict where one is given, else the one before. */
  publish(sequence: number, ...verdicts: readonly Verdict[]): void {
    if (verdicts.length > 0) this.#verdicts = verdicts;
    this.statuses.publish(sequence, this.#verdicts, (id) => this.seen.get(id));
    this.statuses.refresh();
  }

  async served(sequence: number): Promise<void> {
    this.pods.serve('a', sequence);
    await until('a has answered', () => this.acknowledgements.tally(sequence).serving === 1);
  }

  ingressOf(name: string): unknown {
    return (this.stored(name)['status'] as { loadBalancer?: { ingress?: unknown } } | undefined)?.loadBalancer
      ?.ingress;
  }

  get writes(): readonly string[] {
    return this.api.writes.filter((write) => write.startsWith('PATCH '));
  }

  eventsOf(name: string): readonly string[] {
    return this.api
      .list(events)
      .filter((event) => (event['regarding'] as { name: string }).name === name)
      .map((event) => `${String(event['reason'])} ${String(event['note'])}`);
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const { length } = this.api.requests;
      this.statuses.refresh();
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (this.api.requests.length === length) return;
    }
    assert.fail(`there is no end of requests: ${this.api.requests.slice(-5).join(', ')}`);
  }
}

function accepted(name: string, ...problems: readonly Problem[]): Verdict {
  const object = { kind: 'Ingress', namespace: 'shop', name };
  return { kind: 'Accepted', object, hosts: ['a.test'], certificates: [], problems };
}

function rejected(name: string): Verdict {
  return { kind: 'Rejected', object: { kind: 'Ingress', namespace: 'shop', name }, problems: [invalid] };
}

function notOurs(name: string): Verdict {
  return { kind: 'NotOurs', object: { kind: 'Ingress', namespace: 'shop', name }, message: 'nginx' };
}

/** A desk whose Ingress says where it is reached, as a watch has shown. */
async function told(context: TestContext, name = 'web'): Promise<Desk> {
  const desk = new Desk(context, name);
  desk.statuses.announce(here);
  await desk.served(1);
  desk.publish(1, accepted(name));
  await until('it is told', () => desk.ingressOf(name) !== undefined);
  desk.observe(name);
  await desk.settle();
  desk.api.writes.length = 0;
  return desk;
}

test('it is written when every pod serves it, and once', async (context) => {
  const clock = stopClock(context);
  const desk = new Desk(context, 'web');
  desk.statuses.announce(here);
  desk.publish(3, accepted('web'));
  await desk.settle();
  assert.deepEqual(desk.writes, []);
  await desk.served(2);
  await desk.settle();
  assert.deepEqual(desk.writes, [], 'that was the revision before');
  await desk.served(3);
  await until('it is told', () => desk.ingressOf('web') !== undefined);
  assert.deepEqual(desk.ingressOf('web'), stored);
  desk.observe('web');
  desk.publish(4);
  desk.acknowledgements.update([candidate('a'), candidate('late')]);
  clock.advance(60_000);
  await desk.settle();
  desk.acknowledgements.update([]);
  await desk.settle();
  assert.deepEqual(desk.writes, ['PATCH web']);
  assert.equal(desk.statuses.writes, 1);
});

test('what stands there already is not written again, by no leader', async (context) => {
  stopClock(context);
  const desk = new Desk(context);
  desk.put('web', { status: { loadBalancer: { ingress: [{ ...stored[0], ipMode: 'VIP' }, stored[1]] } } });
  await desk.served(1);
  desk.publish(1, accepted('web'));
  await desk.settle();
  assert.deepEqual(desk.writes, [], 'nobody knows the addresses yet: they stay');
  desk.statuses.announce(here);
  await desk.settle();
  assert.deepEqual(desk.writes, []);
});

test('new addresses are written to every one, so many a second', async (context) => {
  const clock = stopClock(context);
  const names = Array.from({ length: 120 }, (_, index) => `web-${index}`);
  const desk = new Desk(context, ...names);
  await desk.served(1);
  desk.publish(1, ...names.map((name) => accepted(name)));
  desk.statuses.announce(here);
  await desk.settle();
  assert.equal(desk.writes.length, 50, 'one write begins the next');
  for (let seconds = 1; seconds <= 5; seconds++) {
    clock.advance(1000);
    await desk.settle();
  }
  assert.equal(new Set(desk.writes).size, names.length);
  assert.equal(desk.writes.length, names.length);
});

test('what another hand changes is written again, without a fight', async (context) => {
  const clock = stopClock(context);
  const desk = await told(context);
  const overwrite = (): void => {
    desk.api.edit(ingresses, 'web', (each) => ({ ...each, status: { loadBalancer: { ingress: foreign } } }));
    desk.observe('web');
  };
  clock.advance(60_000);
  overwrite();
  await until('it is told again', () => JSON.stringify(desk.ingressOf('web')) === JSON.stringify(stored));
  desk.observe('web');
  for (let round = 0; round < 10; round++) {
    clock.advance(100);
    overwrite();
    await desk.settle();
  }
  assert.equal(desk.writes.length, 1, 'the other one would only do it again');
  clock.advance(5000);
  await desk.settle();
  assert.deepEqual(desk.ingressOf('web'), stored);
});

test('a cycle that began before its own write was seen does not write on an old version for ever', async (context) => {
  const clock = stopClock(context);
  const desk = await told(context);
  desk.statuses.announce([addressOf('192.0.2.2')]);
  clock.advance(60_000);
  desk.statuses.refresh();
  await until('it is told', () => desk.writes.length === 1);
  // The watch has not shown that write yet, and the API server would refuse what does not know it.
  desk.publish(2, accepted('web'));
  const { length } = desk.api.requests;
  for (let round = 0; round < 10; round++) {
    clock.advance(1000);
    await desk.settle();
  }
  assert.equal(desk.api.requests.length, length);
  // Somebody else's field, of which no cycle is told: the version is another one.
  desk.api.edit(ingresses, 'web', (each) => ({ ...each, note: 'x' }));
  desk.observe('web');
  desk.statuses.announce(here);
  clock.advance(60_000);
  await desk.settle();
  assert.deepEqual(desk.ingressOf('web'), stored);
});

test('what was said is taken back when it is rejected, and said again when it is mended', async (context) => {
  const clock = stopClock(context);
  const desk = await told(context);
  clock.advance(60_000);
  desk.publish(2, rejected('web'));
  await until('it is taken back', () => desk.writes.length === 1);
  assert.deepEqual(desk.ingressOf('web'), []);
  desk.observe('web');
  await desk.settle();
  clock.advance(60_000);
  desk.publish(3, accepted('web'));
  await until('it is told again', () => desk.writes.length === 2);
  assert.deepEqual(desk.ingressOf('web'), stored);
});

test('a new leader takes back what an earlier one has said', async (context) => {
  stopClock(context);
  const desk = new Desk(context);
  desk.put('web', { status: { loadBalancer: { ingress: stored } } });
  desk.publish(1, rejected('web'));
  await desk.settle();
  assert.deepEqual(desk.writes, [], 'whose words these are is not known yet');
  desk.statuses.announce(here);
  await desk.settle();
  assert.deepEqual(desk.writes, ['PATCH web']);
  assert.deepEqual(desk.ingressOf('web'), []);
});

test("another controller's words are left alone", async (context) => {
  const clock = stopClock(context);
  const desk = new Desk(context);
  desk.put('theirs', { status: { loadBalancer: { ingress: foreign } } });
  desk.put('same', { status: { loadBalancer: { ingress: stored } } });
  desk.put('broken', { status: { loadBalancer: { ingress: foreign } } });
  desk.put('bare');
  desk.statuses.announce(here);
  await desk.served(1);
  desk.publish(1, notOurs('theirs'), notOurs('same'), rejected('broken'), rejected('bare'));
  clock.advance(5000);
  await desk.settle();
  desk.statuses.announce([addressOf('192.0.2.2')]);
  clock.advance(5000);
  await desk.settle();
  assert.deepEqual(desk.writes, []);
});

test('of problems there is one Event for each change, when they have stayed for a moment', async (context) => {
  const clock = stopClock(context);
  const desk = await told(context);
  const after = async (ms: number, expected: readonly string[]): Promise<void> => {
    clock.advance(ms);
    desk.statuses.refresh();
    await until(`${expected.length} events`, () => desk.eventsOf('web').length === expected.length);
    await desk.settle();
    assert.deepEqual(desk.eventsOf('web'), expected);
  };
  desk.publish(2, accepted('web', notFound));
  await after(999, []);
  // The Service comes in time.
  desk.publish(3, accepted('web'));
  await after(5000, []);
  const first = 'BackendNotFound spec.rules[0]: there is no Service s';
  desk.publish(4, accepted('web', notFound));
  await after(1000, [first]);
  desk.publish(5);
  desk.publish(6, accepted('web', notFound));
  await after(5000, [first]);
  const other = { ...notFound, message: 'there is no Service t' };
  desk.publish(7, accepted('web', notFound, other));
  const second = `${first}; spec.rules[0]: there is no Service t`;
  await after(1000, [first, second]);
  // That all is well is no warning, and what is wrong again is.
  desk.publish(8, accepted('web'));
  await after(1000, [first, second]);
  desk.publish(9, accepted('web', notFound));
  await after(1000, [first, second, first]);
});

test('an Ingress that was made anew under its name is another one', async (context) => {
  const clock = stopClock(context);
  const desk = await told(context);
  desk.publish(2, accepted('web', notFound));
  clock.advance(1000);
  await desk.settle();
  desk.api.remove(ingresses, 'web');
  desk.put('web');
  desk.publish(3, accepted('web', notFound));
  clock.advance(1000);
  await desk.settle();
  assert.equal(desk.ingressOf('web'), undefined, 'nobody serves it yet');
  assert.equal(desk.eventsOf('web').length, 2);
  await desk.served(3);
  await until('it is told', () => desk.ingressOf('web') !== undefined);
});

test('without the lease nothing is written', async (context) => {
  stopClock(context);
  const desk = new Desk(context, 'web');
  desk.isLeading = false;
  desk.statuses.announce(here);
  await desk.served(1);
  desk.publish(1, accepted('web'));
  await desk.settle();
  assert.deepEqual(desk.api.requests, []);
  desk.isLeading = true;
  await desk.settle();
  assert.deepEqual(desk.writes, ['PATCH web']);
});

test('an API server that fails is asked again after a pause by all of them, and told of a few times', async (context) => {
  const clock = stopClock(context);
  const names = Array.from({ length: 40 }, (_, index) => `web-${index}`);
  const desk = new Desk(context, ...names);
  desk.statuses.announce(here);
  await desk.served(1);
  desk.api.tap = () => failure(500, 'InternalError', 'no');
  desk.publish(1, ...names.map((name) => accepted(name)));
  await desk.settle();
  assert.ok(desk.errors.length <= 8, `${desk.errors.length} errors`);
  for (let round = 0; round < 5; round++) {
    clock.advance(10);
    await desk.settle();
  }
  assert.ok(desk.api.requests.length <= 8, `${desk.api.requests.length} requests`);
  desk.api.tap = (_, answer) => answer();
  for (let seconds = 0; desk.writes.length < names.length && seconds < 30; seconds++) {
    clock.advance(1000);
    await desk.settle();
  }
  assert.equal(new Set(desk.writes).size, names.length);
});
