// Which endpoint is picked: by value, by age, by what has been seen of it, and by how much it may have; and who waits for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainBackend } from '#model/plain-terms.ts';
import type { UpstreamPolicy } from '#model/upstream-policies.ts';
import { hashText } from '#model/rendezvous.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { alone } from '#upstream/surroundings.ts';
import type { Surroundings } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';
import type { ServedUpstream } from '#upstream/upstream.ts';

function model(count: number, ...policies: readonly UpstreamPolicy[]): ServedUpstream {
  return {
    id: 'shop/web:80',
    loadBalancing: 'RoundRobin',
    ...plainBackend,
    policies,
    endpoints: Array.from({ length: count }, (_, index) => ({
      address: `10.0.0.${index + 1}`,
      port: 8080,
      state: 'Ready',
    })),
    zoneHints: [],
  };
}

class Lab implements Surroundings {
  readonly zone = '';
  readonly secure = undefined;
  readonly workers: number;
  readonly outlierEjection = alone.outlierEjection;
  nowMs = 1_000_000;
  readonly ejected: string[] = [];
  readonly later: (() => void)[] = [];

  constructor(workers = 1) {
    this.workers = workers;
  }

  now(): number {
    return this.nowMs;
  }

  afterTurn(action: () => void): void {
    this.later.push(action);
  }

  onEjection(_: string, { address }: Endpoint, reason: string, durationMs: number): void {
    this.ejected.push(`${address} ${reason} ${durationMs}`);
  }

  turn(): void {
    for (const action of this.later.splice(0)) action();
  }
}

function counts(upstream: Upstream, picks: number): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let pick = 0; pick < picks; pick++) {
    const address = upstream.pick([])?.address ?? 'none';
    found[address] = (found[address] ?? 0) + 1;
  }
  return found;
}

function endpoint(upstream: Upstream, address: string): Endpoint {
  for (let pick = 0; pick < 1000; pick++) {
    const found = upstream.pick([]);
    if (found?.address === address) return found;
  }
  throw new Error(`${address} is never picked`);
}

// By value

const hash: UpstreamPolicy = { kind: 'ConsistentHash', source: 'Header', name: 'x-user' };

test('the same value goes to the same endpoint, in every worker, and to its next one when that was tried', () => {
  const upstream = new Upstream(model(5, hash));
  const other = new Upstream(model(5, hash));
  for (let user = 0; user < 200; user++) {
    const key = hashText(`user-${user}`);
    const first = upstream.pick([], key)!;
    assert.equal(upstream.pick([], key), first);
    assert.equal(other.pick([], key)?.address, first.address);
    const second = upstream.pick([first], key)!;
    assert.notEqual(second, first);
    assert.equal(upstream.pick([first], key), second);
  }
});

test('one endpoint more takes its share, and no value moves between the others', () => {
  const upstream = new Upstream(model(5, hash));
  const values = Array.from({ length: 5000 }, (_, user) => hashText(`user-${user}`));
  const before = values.map((value) => upstream.pick([], value)!.address);
  upstream.update(model(6, hash));
  let moved = 0;
  for (const [index, value] of values.entries()) {
    const { address } = upstream.pick([], value)!;
    if (address === before[index]) continue;
    assert.equal(address, '10.0.0.6');
    moved++;
  }
  assert.ok(Math.abs(moved - 5000 / 6) < 150, String(moved));
});

test('a request without a value takes its turn', () => {
  assert.deepEqual(counts(new Upstream(model(2, hash)), 10), { '10.0.0.1': 5, '10.0.0.2': 5 });
});

test('an endpoint that fails has its turn and no more, although another attempt follows it', () => {
  const upstream = new Upstream(model(2));
  let failures = 0;
  for (let request = 0; request < 100; request++) {
    const first = upstream.pick([])!;
    if (first.address !== '10.0.0.1') continue;
    failures++;
    assert.equal(upstream.pick([first])?.address, '10.0.0.2');
  }
  assert.equal(failures, 50);
});

// By age

test('a new endpoint warms up: a twentieth at first, half after half the time, all after all of it', () => {
  const lab = new Lab();
  const slow: UpstreamPolicy = { kind: 'SlowStart', windowMs: 10_000 };
  for (const loadBalancing of ['RoundRobin', 'LeastRequests'] as const) {
    const upstream = new Upstream({ ...model(3, slow), loadBalancing }, lab);
    // Those that were there from the beginning are not new.
    for (const share of Object.values(counts(upstream, 3000))) assert.ok(share > 850, String(share));
    upstream.update({ ...model(4, slow), loadBalancing });
    const shareOfNew = (): number => (counts(upstream, 8000)['10.0.0.4'] ?? 0) / 2000;
    assert.ok(shareOfNew() < 0.15);
    lab.nowMs += 5000;
    const half = shareOfNew();
    assert.ok(half > 0.4 && half < 0.7, String(half));
    lab.nowMs += 5000;
    assert.ok(shareOfNew() > 0.9);
  }
});

// By what has been seen of it

const ejection: UpstreamPolicy = {
  kind: 'OutlierEjection',
  consecutive5xx: 3,
  connectFailures: 2,
  baseEjectionMs: 1000,
  maxEjectionMs: 2500,
};

test('failures in a row eject, for longer each time, and a good while in use is counted for it', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(3, ejection), lab);
  const bad = endpoint(upstream, '10.0.0.2');
  const fail = (): void => {
    for (let time = 0; time < 3; time++) bad.onAnswer(503);
  };
  bad.onAnswer(500);
  bad.onAnswer(500);
  bad.onAnswer(200);
  bad.onAnswer(500);
  assert.deepEqual(lab.ejected, [], 'not in a row');
  bad.onAnswer(200);
  for (const durationMs of [1000, 2000, 2500]) {
    fail();
    assert.equal(lab.ejected.at(-1), `10.0.0.2 5xx ${durationMs}`);
    assert.equal(counts(upstream, 90)['10.0.0.2'], undefined);
    lab.nowMs += durationMs;
    assert.equal(counts(upstream, 90)['10.0.0.2'], 30, 'it is back');
  }
  lab.nowMs += 60_000;
  fail();
  assert.equal(lab.ejected.at(-1), '10.0.0.2 5xx 1000');
});

test('never more than half, and the last one stays whatever it does', () => {
  for (const [count, most] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
  ] as const) {
    const lab = new Lab();
    const upstream = new Upstream(model(count, ejection), lab);
    const endpoints = Array.from({ length: count }, (_, index) => endpoint(upstream, `10.0.0.${index + 1}`));
    for (const each of endpoints) for (let time = 0; time < 5; time++) each.onConnectFailure();
    assert.equal(lab.ejected.length, most, `${count} endpoints`);
    assert.equal(Object.keys(counts(upstream, 60)).length, count - most);
  }
});

test('an ejected endpoint is asked when all others have been, and one that was not to blame is not ejected', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(2, ejection), lab);
  const bad = endpoint(upstream, '10.0.0.1');
  bad.onConnectFailure();
  bad.onAnswer(200);
  bad.onConnectFailure();
  assert.deepEqual(lab.ejected, []);
  bad.onConnectFailure();
  assert.deepEqual(lab.ejected, ['10.0.0.1 connect 1000']);
  const good = upstream.pick([])!;
  assert.equal(good.address, '10.0.0.2');
  assert.equal(upstream.pick([good]), bad);
  assert.ok(upstream.hasUsable);
});

test('one that is about to go is not ejected: it is asked only where nobody else is', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(3, ejection), lab);
  const leaving = endpoint(upstream, '10.0.0.1');
  const next = model(3, ejection);
  upstream.update({
    ...next,
    endpoints: next.endpoints.map((each, index) => ({
      ...each,
      state: index === 0 ? 'Terminating' : 'Ready',
    })),
  });
  for (let time = 0; time < 5; time++) leaving.onConnectFailure();
  assert.deepEqual(lab.ejected, []);
});

test('without a policy the settings say it: three connections that fail, and no answer counts', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(2), lab);
  const [a, b] = [endpoint(upstream, '10.0.0.1'), endpoint(upstream, '10.0.0.2')];
  for (let time = 0; time < 100; time++) a.onAnswer(500);
  assert.deepEqual(lab.ejected, []);
  for (let time = 0; time < 3; time++) b.onConnectFailure();
  assert.deepEqual(lab.ejected, ['10.0.0.2 connect 5000']);
});

test('what checks find unwell is left out as long as anybody is well, also after an update', () => {
  const upstream = new Upstream(model(3));
  upstream.setUnwell(new Set(['10.0.0.1 8080', '10.0.0.3 8080']));
  assert.deepEqual(counts(upstream, 6), { '10.0.0.2': 6 });
  upstream.update(model(4));
  assert.deepEqual(Object.keys(counts(upstream, 6)).sort(), ['10.0.0.2', '10.0.0.4']);
  upstream.setUnwell(new Set(['10.0.0.1 8080', '10.0.0.2 8080', '10.0.0.3 8080', '10.0.0.4 8080']));
  assert.equal(upstream.hasUsable, false);
  assert.equal(upstream.hasEndpoints, true);
  assert.equal(Object.keys(counts(upstream, 8)).length, 4, 'better any than none');
  upstream.setUnwell(new Set());
  assert.equal(Object.keys(counts(upstream, 8)).length, 4);
});

// By how much it may have

function breaker(limits: Partial<Extract<UpstreamPolicy, { kind: 'CircuitBreaker' }>>): UpstreamPolicy {
  return {
    kind: 'CircuitBreaker',
    connections: 0,
    pendingRequests: 1,
    activeRequests: 0,
    endpointConnections: 0,
    endpointActiveRequests: 0,
    ...limits,
  };
}

test('as many requests as the upstream may have, shared by the workers', () => {
  const upstream = new Upstream(model(2, breaker({ activeRequests: 6 })), new Lab(2));
  const entered: Endpoint[] = [];
  while (!upstream.isFull) {
    const next = upstream.pick([])!;
    next.enter();
    entered.push(next);
  }
  assert.equal(entered.length, 3);
  entered[0]!.leave();
  assert.equal(upstream.isFull, false);
});

test('where one endpoint is full another is asked; where all are, requests wait in their order, as many as may', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(2, breaker({ endpointActiveRequests: 1, pendingRequests: 2 })), lab);
  const first = upstream.pick([])!;
  first.enter();
  const second = upstream.pick([])!;
  assert.notEqual(second, first);
  second.enter();
  assert.equal(upstream.pick([]), undefined);
  const woken: string[] = [];
  const waiter = (name: string): { goOn(): void } => ({ goOn: () => woken.push(name) });
  const [a, b] = [waiter('a'), waiter('b')];
  assert.equal(upstream.wait(a, []), 'Waiting');
  assert.equal(upstream.wait(b, []), 'Waiting');
  assert.equal(upstream.wait(waiter('c'), []), 'TooMany');
  upstream.forget(a);
  first.leave();
  assert.deepEqual(woken, [], 'not before its connection is free');
  lab.turn();
  assert.deepEqual(woken, ['b']);
});

test('nobody waits for endpoints that were all tried, or without limits', () => {
  const upstream = new Upstream(model(1, breaker({ connections: 1 })));
  const only = upstream.pick([])!;
  assert.equal(upstream.wait({ goOn: () => {} }, [only]), 'Nobody');
  assert.equal(new Upstream(model(1)).wait({ goOn: () => {} }, []), 'Nobody');
});

test('limits that change, and endpoints that go, wake everybody', () => {
  const upstream = new Upstream(model(1, breaker({ connections: 1, pendingRequests: 5 })));
  upstream.pick([])!.enter();
  let woken = 0;
  const waiter = { goOn: () => void woken++ };
  upstream.wait(waiter, []);
  upstream.wait(waiter, []);
  upstream.update(model(1, breaker({ connections: 5, pendingRequests: 5 })));
  assert.equal(woken, 2);
  assert.ok(upstream.pick([]) !== undefined);
});

test('a session finds its endpoint as long as that is usable', () => {
  const upstream = new Upstream(model(3, ejection), new Lab());
  const mine = upstream.pick([])!;
  assert.equal(upstream.find(mine.seed), mine);
  upstream.setUnwell(new Set([`${mine.address} ${mine.port}`]));
  assert.equal(upstream.find(mine.seed), undefined);
});

// Who waits

/** Asks as a request does, and is served until it leaves. */
class Asker {
  readonly name: string;
  readonly tried: Endpoint[];
  readonly #upstream: Upstream;
  readonly #log: string[];
  endpoint: Endpoint | undefined = undefined;

  constructor(name: string, upstream: Upstream, log: string[], tried: readonly Endpoint[] = []) {
    this.name = name;
    this.#upstream = upstream;
    this.#log = log;
    this.tried = [...tried];
  }

  goOn(): void {
    this.endpoint = this.#upstream.pick(this.tried);
    if (this.endpoint === undefined) {
      const outcome = this.#upstream.wait(this, this.tried);
      if (outcome !== 'Waiting') this.#log.push(`${this.name} ${outcome}`);
      return;
    }
    this.endpoint.enter();
    this.#log.push(this.name);
  }
}

test('who cannot use the room that there is keeps its place, and does not hold up the next one', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(2, breaker({ endpointActiveRequests: 1, pendingRequests: 9 })), lab);
  const [one, two] = [endpoint(upstream, '10.0.0.1'), endpoint(upstream, '10.0.0.2')];
  one.enter();
  two.enter();
  const log: string[] = [];
  for (const [name, tried] of [
    ['a', [one]],
    ['b', []],
    ['c', []],
  ] as const)
    new Asker(name, upstream, log, tried).goOn();
  one.leave();
  lab.turn();
  assert.deepEqual(log, ['b']);
  two.leave();
  lab.turn();
  assert.deepEqual(log, ['b', 'a']);
});

test('who has just come does not go before those who wait', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(1, breaker({ endpointActiveRequests: 1, pendingRequests: 9 })), lab);
  const only = endpoint(upstream, '10.0.0.1');
  only.enter();
  const log: string[] = [];
  const first = new Asker('first', upstream, log);
  first.goOn();
  only.leave();
  // In the same turn.
  new Asker('second', upstream, log).goOn();
  lab.turn();
  assert.deepEqual(log, ['first']);
  first.endpoint!.leave();
  lab.turn();
  assert.deepEqual(log, ['first', 'second']);
});

test('those who wait are counted again before they go: larger limits of connections are not more requests', () => {
  const lab = new Lab();
  const limits = { activeRequests: 2, pendingRequests: 9 };
  const upstream = new Upstream(model(1, breaker({ ...limits, connections: 1 })), lab);
  const log: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) new Asker(name, upstream, log).goOn();
  assert.deepEqual(log, ['a']);
  upstream.update(model(1, breaker({ ...limits, connections: 100 })));
  assert.deepEqual(log, ['a', 'b']);
  assert.equal(upstream.activeRequests, 2);
});

test('those who wait meet the endpoints of now, spoken to on other terms', () => {
  const lab = new Lab();
  const limits = breaker({ endpointActiveRequests: 1, pendingRequests: 9 });
  const upstream = new Upstream(model(1, limits), lab);
  const log: string[] = [];
  for (const name of ['a', 'b']) new Asker(name, upstream, log).goOn();
  upstream.update({ ...model(1, limits), protocol: 'HTTP/2' });
  assert.deepEqual(log, ['a', 'b']);
});

test('an ejection that is over counts at once for those who ask whether anybody serves', () => {
  const lab = new Lab();
  const upstream = new Upstream(model(2, ejection), lab);
  const bad = endpoint(upstream, '10.0.0.1');
  for (let time = 0; time < 3; time++) bad.onAnswer(503);
  upstream.setUnwell(new Set(['10.0.0.2 8080']));
  assert.equal(upstream.hasUsable, false);
  assert.equal(upstream.find(bad.seed), undefined);
  lab.nowMs += 1000;
  assert.ok(upstream.hasUsable);
  assert.equal(upstream.find(bad.seed), bad);
});
