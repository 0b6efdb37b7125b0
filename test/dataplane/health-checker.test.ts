// When endpoints are checked, when they become unwell and well again, what is forgotten, and what workers are told of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { checkedUpstreams } from '#dataplane/checked-group.ts';
import { endpointKey } from '#model/route-model.ts';
import type { CheckedUpstream } from '#dataplane/checked-group.ts';
import { HealthChecker } from '#dataplane/health-checker.ts';
import type { HealthCheckerOptions } from '#dataplane/health-checker.ts';
import type { HealthCheck } from '#model/upstream-policies.ts';
import type { OnOutcome, ProbedEndpoint } from '#upstream/prober.ts';
import { upstream } from './models.ts';

const check: HealthCheck = {
  probe: { kind: 'Tcp' },
  intervalMs: 10_000,
  timeoutMs: 1000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
};
/** Workers are told a little later, all at once. */
const gatherMs = 20;

type Wanted = Partial<HealthCheck> & { readonly with?: string };

function checked(id: string, ports: readonly number[], wanted: Wanted = {}): CheckedUpstream {
  const { with: more, ...terms } = wanted;
  const [found] = checkedUpstreams({
    ...upstream(more === undefined ? id : `${id} with ${more}`, ...ports),
    policies: [{ kind: 'HealthCheck', ...check, ...terms }],
  });
  assert.ok(found !== undefined);
  return found;
}

interface Probe {
  readonly port: number;
  readonly atMs: number;
  readonly answer: OnOutcome;
  isCancelled: boolean;
}

class Scripted {
  readonly checker: HealthChecker;
  readonly probes: Probe[] = [];
  /** Unwell endpoints as workers know them, by upstream. */
  readonly told = new Map<string, readonly string[]>();
  readonly changes: string[] = [];
  news = 0;
  nowMs = 0;
  /** What each port answers at once; undefined: it hangs. */
  readonly answers = new Map<number, boolean>();
  readonly #context: TestContext;

  constructor(context: TestContext, options: Partial<HealthCheckerOptions> = {}) {
    this.#context = context;
    context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    this.checker = new HealthChecker({
      createProber: () => ({ probe: (endpoint, onOutcome) => this.#probe(endpoint, onOutcome) }),
      onUnwell: (changed) => {
        this.news++;
        for (const [id, keys] of changed)
          if (keys.length === 0) this.told.delete(id);
          else this.told.set(id, keys);
      },
      onChange: (change) =>
        this.changes.push(
          `${change.upstream} ${endpointKey(change.endpoint)} ${change.isWell ? 'well' : 'unwell'} ${change.reason}`,
        ),
      parallel: 64,
      // The middle of the jitter.
      random: () => 0.5,
      ...options,
    });
    context.after(() => this.checker.close());
  }

  #probe({ port }: ProbedEndpoint, onOutcome: OnOutcome): { cancel(): void } {
    const probe: Probe = { port, atMs: this.nowMs, answer: onOutcome, isCancelled: false };
    this.probes.push(probe);
    return { cancel: () => (probe.isCancelled = true) };
  }

  /** Answers all that have an answer. */
  answer(): void {
    for (const probe of this.probes.splice(0)) {
      const isGood = this.answers.get(probe.port);
      if (probe.isCancelled) continue;
      if (isGood === undefined) this.probes.push(probe);
      else probe.answer(isGood ? { result: 'passed', text: 'good' } : { result: 'failed', text: 'bad' });
    }
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.#context.mock.timers.tick(ms);
  }

  /** One check of everybody, with its answer, and workers know. */
  round(): void {
    this.answer();
    this.tick(gatherMs);
    this.tick(check.intervalMs - gatherMs);
  }

  get unwell(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries(this.told);
  }
}

test('an endpoint is well until so many checks in a row went wrong, and unwell until so many went well', (context) => {
  const scripted = new Scripted(context);
  scripted.checker.update([checked('shop/web:80', [1, 2])]);
  scripted.answers.set(1, false).set(2, true);
  const verdicts: boolean[] = [];
  for (const isGood of [false, false, true, false, false, false, true, false, true, true]) {
    scripted.answers.set(1, isGood);
    scripted.round();
    verdicts.push(scripted.told.has('shop/web:80'));
  }
  assert.deepEqual(verdicts, [false, false, false, false, false, true, true, true, true, false]);
  assert.deepEqual(scripted.changes, [
    'shop/web:80 127.0.0.1 1 unwell bad',
    'shop/web:80 127.0.0.1 1 well good',
  ]);
  assert.deepEqual(scripted.checker.counts, { passed: 14, failed: 6, timeout: 0 });
});

test('the first check comes at once, the others with the interval from beginning to beginning', (context) => {
  const scripted = new Scripted(context);
  scripted.checker.update([checked('shop/web:80', [1])]);
  assert.deepEqual(
    scripted.probes.map(({ port }) => port),
    [1],
  );
  scripted.answers.set(1, true);
  scripted.tick(900);
  scripted.answer();
  scripted.tick(9099);
  assert.equal(scripted.probes.length, 0);
  scripted.tick(1);
  assert.equal(scripted.probes.length, 1);
});

test('the jitter is a tenth, up and down', (context) => {
  for (const [random, dueMs] of [
    [0, 9000],
    [1, 11_000],
  ] as const) {
    const scripted = new Scripted(context, { random: () => random });
    scripted.checker.update([checked('shop/web:80', [1])]);
    scripted.answers.set(1, true);
    scripted.answer();
    scripted.tick(dueMs - 1);
    assert.equal(scripted.probes.length, 0);
    scripted.tick(1);
    assert.equal(scripted.probes.length, 1);
    context.mock.timers.reset();
  }
});

test('many that come together are spread over a time that their number and the interval bound', (context) => {
  const scripted = new Scripted(context, { random: () => 0.999 });
  const ports = Array.from({ length: 1000 }, (_, index) => index + 1);
  scripted.checker.update([checked('shop/web:80', ports, { intervalMs: 500 })]);
  assert.equal(scripted.probes.length, 0);
  scripted.tick(499);
  assert.equal(scripted.probes.length, 0);
  scripted.tick(1);
  assert.equal(scripted.probes.length, 32, 'as many as one Service port may take');
});

test('a check that takes longer than the interval is followed by the next one at once', (context) => {
  const scripted = new Scripted(context);
  scripted.checker.update([checked('shop/web:80', [1])]);
  scripted.tick(25_000);
  assert.equal(scripted.probes.length, 1, 'there is one at a time');
  scripted.answers.set(1, true);
  scripted.answer();
  assert.equal(scripted.probes.length, 1);
  scripted.answer();
  assert.equal(scripted.probes.length, 0);
});

test('a Service whose endpoints hang does not keep another one from its checks', (context) => {
  const scripted = new Scripted(context, { parallel: 8 });
  const ports = Array.from({ length: 100 }, (_, index) => index + 1000);
  scripted.answers.set(1, true);
  scripted.checker.update([checked('shop/slow:80', ports, { intervalMs: 500 }), checked('shop/web:80', [1])]);
  let answered = 0;
  for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 100) {
    scripted.tick(100);
    answered += scripted.probes.filter(({ port }) => port === 1).length;
    scripted.answer();
    assert.ok(scripted.probes.length <= 8);
  }
  assert.ok(answered >= 5, `${answered} checks in six intervals`);
});

test('what stays keeps its state, what goes is forgotten, and workers hear of that when they do not serve it', (context) => {
  const scripted = new Scripted(context);
  for (const port of [1, 2, 3]) scripted.answers.set(port, port === 3);
  scripted.checker.update([checked('shop/web:80', [1, 2, 3])]);
  for (let each = 0; each < 3; each++) scripted.round();
  assert.deepEqual(scripted.unwell, { 'shop/web:80': ['127.0.0.1 1', '127.0.0.1 2'] });
  assert.equal(scripted.checker.unwellEndpoints, 2);
  scripted.checker.update([checked('shop/web:80', [1, 3, 4])]);
  assert.equal(scripted.checker.unwellEndpoints, 1);
  assert.deepEqual(scripted.unwell['shop/web:80']?.length, 2, 'workers still serve the revision before');
  scripted.checker.settle();
  assert.deepEqual(scripted.unwell, { 'shop/web:80': ['127.0.0.1 1'] });
  scripted.checker.update([checked('shop/web:80', [1, 2, 3, 4])]);
  assert.deepEqual(scripted.unwell, { 'shop/web:80': ['127.0.0.1 1'] }, 'of what came back nothing is known');
  scripted.checker.update([]);
  scripted.checker.settle();
  assert.deepEqual(scripted.unwell, {});
  assert.equal(scripted.checker.unwellEndpoints, 0);
  scripted.probes.length = 0;
  scripted.tick(60_000);
  assert.equal(scripted.probes.length, 0, 'nothing is checked any more');
});

test('an endpoint that comes back before anybody was told that it had gone is well', (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set(1, false);
  const one = checked('shop/web:80', [1, 2]);
  scripted.checker.update([one]);
  for (let each = 0; each < 3; each++) scripted.round();
  scripted.checker.update([checked('shop/web:80', [2])]);
  scripted.checker.update([checked('shop/web:80', [1, 2])]);
  assert.deepEqual(scripted.unwell, {});
});

test('a check under way is called off with its endpoint, and makes room', (context) => {
  const scripted = new Scripted(context, { parallel: 2 });
  scripted.checker.update([checked('shop/web:80', [1])]);
  const [probe] = scripted.probes;
  scripted.checker.update([checked('shop/other:80', [2])]);
  assert.equal(probe?.isCancelled, true);
  assert.deepEqual(
    scripted.probes.filter(({ isCancelled }) => !isCancelled).map(({ port }) => port),
    [2],
  );
});

test('endpoints that terminate are not checked', (context) => {
  const scripted = new Scripted(context);
  const one = checked('shop/web:80', [1, 2]);
  const endpoints = one.endpoints.map((each) => ({
    ...each,
    state: each.port === 1 ? ('Terminating' as const) : each.state,
  }));
  scripted.checker.update([{ ...one, endpoints }]);
  assert.deepEqual(
    scripted.probes.map(({ port }) => port),
    [2],
  );
});

test('an upstream that is another one by what else is asked of it knows at once what is known', (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set(1, false).set(2, true);
  scripted.checker.update([checked('shop/web:80', [1, 2], { with: 'aaaa' })]);
  for (let each = 0; each < 3; each++) scripted.round();
  scripted.answer();
  scripted.checker.update([checked('shop/web:80', [1, 2], { with: 'bbbb' })]);
  assert.equal(scripted.probes.length, 0, 'nothing is new');
  const unwell = ['127.0.0.1 1'];
  assert.deepEqual(scripted.unwell, { 'shop/web:80 with aaaa': unwell, 'shop/web:80 with bbbb': unwell });
  scripted.checker.settle();
  assert.deepEqual(scripted.unwell, { 'shop/web:80 with bbbb': unwell });
});

test('upstreams of a Service port that are checked on the same terms are checked once; on others, by themselves', (context) => {
  const scripted = new Scripted(context);
  scripted.checker.update([
    checked('shop/web:80', [1], { with: 'aaaa' }),
    checked('shop/web:80', [1], { with: 'bbbb' }),
    checked('shop/web:80', [1], { with: 'cccc', unhealthyThreshold: 1 }),
    checked('shop/other:80', [1]),
  ]);
  assert.equal(scripted.probes.length, 3);
  scripted.answers.set(1, false);
  scripted.answer();
  scripted.tick(gatherMs);
  assert.deepEqual(Object.keys(scripted.unwell), ['shop/web:80 with cccc']);
});

test('the same upstream on other terms starts anew', (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set(1, false);
  scripted.checker.update([checked('shop/web:80', [1])]);
  for (let each = 0; each < 3; each++) scripted.round();
  assert.equal(scripted.told.size, 1);
  scripted.checker.update([checked('shop/web:80', [1], { timeoutMs: 2000 })]);
  assert.deepEqual(scripted.unwell, {});
});

test('workers hear of many changes at once', (context) => {
  const scripted = new Scripted(context);
  const ports = Array.from({ length: 30 }, (_, index) => index + 1);
  for (const port of ports) scripted.answers.set(port, false);
  scripted.checker.update([checked('shop/web:80', ports, { unhealthyThreshold: 1 })]);
  while (scripted.probes.length > 0) scripted.answer();
  assert.equal(scripted.news, 0);
  scripted.tick(gatherMs);
  assert.equal(scripted.news, 1);
  assert.equal(scripted.unwell['shop/web:80']?.length, 30);
});

test('what is shown: since when an endpoint is what it is, and what the last check said', (context) => {
  const scripted = new Scripted(context);
  scripted.checker.update([checked('shop/web:80', [1], { unhealthyThreshold: 1 })]);
  const state = (): unknown => {
    const [{ isWell, sinceMs, last } = assert.fail()] = [...scripted.checker.states()].flatMap(
      ([, endpoints]) => endpoints,
    );
    return { isWell, sinceMs, last };
  };
  assert.deepEqual(state(), { isWell: true, sinceMs: 0, last: undefined });
  scripted.answers.set(1, false);
  scripted.tick(100);
  scripted.answer();
  assert.deepEqual(state(), { isWell: false, sinceMs: 100, last: { text: 'bad', atMs: 100 } });
  scripted.tick(10_000);
  scripted.answer();
  assert.deepEqual(state(), { isWell: false, sinceMs: 100, last: { text: 'bad', atMs: 10_100 } });
});
