// One leader at most at every moment, whatever the API server does to the replicas, and one again soon after.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Election } from '#cluster/election.ts';
import type { ElectionOptions, Leadership } from '#cluster/election.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiClient } from '#kube/api-client.ts';
import type { ApiRequest, ApiResponse, ApiTransport } from '#kube/api-transport.ts';
import { FakeApi, hang } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { stopClock } from './fake-clock.ts';

const namespace = 'flint-system';
const name = 'flint-operator';
const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;

const quick = { leaseMs: 300, renewDeadlineMs: 200, retryMs: 30 };
/** Whoever waits for such a lease to run out waits longer than a test may take. */
const patient = { leaseMs: 600_000, renewDeadlineMs: 400_000, retryMs: 10 };

type Durations = Pick<ElectionOptions, 'leaseMs' | 'renewDeadlineMs' | 'retryMs'>;

/** One replica, with a connection of its own that can be cut. */
class Replica implements ApiTransport {
  readonly identity: string;
  readonly election: Election;
  readonly running: Promise<void>;
  readonly errors: unknown[] = [];
  readonly terms: Leadership[] = [];
  /** Terms that began after `stop` as if nothing had been said. */
  lateTerms = 0;
  readonly #api: FakeApi;
  readonly #controller = new AbortController();
  isCut = false;
  #endTerm: (error?: Error) => void = () => {};

  constructor(context: TestContext, api: FakeApi, identity: string, durations: Durations) {
    this.identity = identity;
    this.#api = api;
    this.election = new Election({
      objects: new ClusterObjects(new ApiClient(this)),
      namespace,
      name,
      identity,
      ...durations,
      lead: (leadership) => this.#lead(leadership),
      onError: (error) => this.errors.push(error),
      signal: this.#controller.signal,
    });
    this.running = this.election.run();
    context.after(() => this.stop());
  }

  get isLeading(): boolean {
    return this.election.isLeading;
  }

  send(request: ApiRequest): Promise<ApiResponse> {
    return this.isCut ? hang(request) : this.#api.send(request);
  }

  close(): void {}

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.running;
  }

  /** Ends the present term from inside, as an operator does that has lost heart. */
  endTerm(error?: Error): void {
    this.#endTerm(error);
  }

  #lead(leadership: Leadership): Promise<void> {
    if (this.#controller.signal.aborted) {
      if (!leadership.signal.aborted) this.lateTerms++;
      return Promise.resolve();
    }
    this.terms.push(leadership);
    return new Promise((resolve, reject) => {
      this.#endTerm = (error) => (error === undefined ? resolve() : reject(error));
      leadership.signal.addEventListener('abort', () => resolve());
    });
  }
}

/** Looks at all replicas again and again; more than one leader at a moment is a failure of the test. */
function watchLeaders(context: TestContext, replicas: readonly Replica[]): void {
  const looking = setInterval(look, 1);
  let together = '';
  function look(): void {
    const leading = replicas.filter(({ isLeading }) => isLeading).map(({ identity }) => identity);
    if (leading.length > 1) together = leading.join(' and ');
  }
  context.after(() => {
    clearInterval(looking);
    assert.equal(together, '', 'they led at once');
  });
}

function specOf(api: FakeApi): Readonly<Record<string, unknown>> {
  return api.get(leases, name)?.['spec'] as Readonly<Record<string, unknown>>;
}

async function leaderOf(...replicas: readonly Replica[]): Promise<Replica> {
  // The lease is taken a moment before the term begins, and may be lost a moment before it ends.
  const inOffice = (): Replica | undefined =>
    replicas.find(({ isLeading, terms }) => isLeading && terms.at(-1)?.signal.aborted === false);
  await until('somebody leads', () => inOffice() !== undefined);
  const leader = inOffice();
  assert.ok(leader !== undefined);
  return leader;
}

test('of replicas that start together one leads, and goes on to', async (context) => {
  const api = new FakeApi();
  const replicas = ['a', 'b', 'c'].map((identity) => new Replica(context, api, identity, patient));
  watchLeaders(context, replicas);
  const leader = await leaderOf(...replicas);
  const { renewTime } = specOf(api);
  await until('the lease is renewed ten times', () => api.writes.length > 10);
  assert.equal(leader.isLeading, true);
  assert.equal(leader.terms.length, 1);
  assert.equal(leader.terms[0]?.isHeld(), true);
  assert.deepEqual(
    replicas.flatMap(({ errors }) => errors),
    [],
    'to come second is no error',
  );
  const spec = specOf(api);
  assert.notEqual(spec['renewTime'], renewTime);
  assert.equal(spec['holderIdentity'], leader.identity);
  assert.equal(spec['leaseTransitions'], 0);
  assert.equal(spec['leaseDurationSeconds'], 600);
});

test('a leader that stops gives the lease up, and the next one need not wait', async (context) => {
  const api = new FakeApi();
  const first = new Replica(context, api, 'a', patient);
  await leaderOf(first);
  const second = new Replica(context, api, 'b', patient);
  watchLeaders(context, [first, second]);
  await until(
    'the second has looked',
    () => api.requests.filter((each) => each.startsWith('GET')).length > 3,
  );
  assert.equal(second.isLeading, false);
  await first.stop();
  assert.equal(first.isLeading, false);
  assert.equal(first.terms[0]?.signal.aborted, true);
  await leaderOf(second);
  assert.equal(specOf(api)['holderIdentity'], 'b');
  assert.equal(specOf(api)['leaseTransitions'], 1);
});

test('a term that ends by itself, well or badly, gives the lease up', async (context) => {
  const api = new FakeApi();
  const first = new Replica(context, api, 'a', patient);
  const second = new Replica(context, api, 'b', patient);
  watchLeaders(context, [first, second]);
  const trouble = new Error('lost heart');
  for (let round = 0; round < 4; round++) {
    const leader = await leaderOf(first, second);
    const term = leader.terms.at(-1);
    leader.endTerm(round % 2 === 0 ? undefined : trouble);
    await until('the term is over', () => term?.signal.aborted === true);
    await until('the lease is given up', () => !leader.isLeading || leader.terms.at(-1) !== term);
  }
  const errors = [...first.errors, ...second.errors];
  assert.deepEqual(errors, [trouble, trouble]);
});

test('a replica that is stopped while it takes the lease does not begin to lead', async (context) => {
  const api = new FakeApi();
  const replica: Replica = new Replica(context, api, 'a', patient);
  api.tap = ({ method }, answer) => {
    if (method === 'POST') void replica.stop();
    return answer();
  };
  await replica.running;
  assert.equal(replica.lateTerms, 0);
  assert.equal(specOf(api)['holderIdentity'], '', 'the lease is given up');
});

test('a holder that cannot reach the API server stops leading before another begins', async (context) => {
  const api = new FakeApi();
  const replicas = [new Replica(context, api, 'a', quick), new Replica(context, api, 'b', quick)];
  watchLeaders(context, replicas);
  for (let round = 0; round < 3; round++) {
    const leader = await leaderOf(...replicas);
    const other = replicas.find((replica) => replica !== leader);
    const term = leader.terms.at(-1);
    leader.isCut = true;
    await until('it has stopped', () => !leader.isLeading);
    assert.equal(term?.isHeld(), false);
    await until('the other leads', () => other?.isLeading === true);
    await until('its term is over', () => term === undefined || term.signal.aborted);
    leader.isCut = false;
    await until('its errors are told', () => leader.errors.length > 0);
    leader.errors.length = 0;
  }
});

test('a holder that was frozen knows at once that it leads no more', async (context) => {
  const clock = stopClock(context);
  const api = new FakeApi();
  const replica = new Replica(context, api, 'a', patient);
  await leaderOf(replica);
  clock.advance(patient.renewDeadlineMs - 1);
  assert.equal(replica.isLeading, true);
  clock.advance(1);
  assert.equal(replica.isLeading, false);
  assert.equal(replica.terms[0]?.isHeld(), false);
});

test('a renewal counts from before it was asked for, however late its answer', async (context) => {
  const clock = stopClock(context);
  const api = new FakeApi();
  api.tap = ({ method }, answer) => {
    // The lease is taken, but the answer takes longer than the lease holds.
    if (method === 'POST') clock.advance(patient.renewDeadlineMs);
    return answer();
  };
  const replica = new Replica(context, api, 'a', patient);
  await until('the lease is taken', () => api.writes.length > 0);
  assert.equal(replica.isLeading, false);
  await leaderOf(replica);
});

test('a follower goes by how long it has seen the lease unchanged, not by the times in it', async (context) => {
  for (const renewTime of [
    '1970-01-01T00:00:00.000000Z',
    '2999-01-01T00:00:00.000000Z',
    'never',
    undefined,
  ]) {
    const clock = stopClock(context);
    const api = new FakeApi();
    api.put(leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, annotations: { of: 'somebody' } },
      spec: { holderIdentity: 'gone', leaseDurationSeconds: 1, leaseTransitions: 7, renewTime },
    });
    const replica = new Replica(context, api, 'a', patient);
    const looks = async (): Promise<void> => {
      const { length } = api.requests;
      await until('it has looked again', () => api.requests.length > length + 2);
    };
    await looks();
    clock.advance(patient.leaseMs - 1);
    await looks();
    assert.equal(replica.isLeading, false);
    // Renewed by its holder after all, or touched by anybody.
    api.edit(leases, name, (lease) => ({ ...lease, note: 'touched' }));
    await looks();
    clock.advance(patient.leaseMs - 1);
    await looks();
    assert.equal(replica.isLeading, false);
    assert.deepEqual(api.writes, []);
    clock.advance(1);
    await leaderOf(replica);
    assert.equal(specOf(api)['leaseTransitions'], 8);
    assert.deepEqual(api.get(leases, name)?.metadata['annotations'], { of: 'somebody' });
    await replica.stop();
    context.mock.restoreAll();
  }
});

test('a lease that another takes by force ends the term', async (context) => {
  const api = new FakeApi();
  const replica = new Replica(context, api, 'a', patient);
  await leaderOf(replica);
  api.edit(leases, name, (lease) => ({ ...lease, spec: { ...specOf(api), holderIdentity: 'usurper' } }));
  await until('the term is over', () => replica.terms[0]?.signal.aborted === true);
  assert.equal(replica.isLeading, false);
  assert.equal(specOf(api)['holderIdentity'], 'usurper', 'what is not held is not given up');
});

test('a lease that is deleted is made anew by its holder', async (context) => {
  const api = new FakeApi();
  const replica = new Replica(context, api, 'a', patient);
  await leaderOf(replica);
  api.remove(leases, name);
  await until('the lease is there again', () => api.get(leases, name) !== undefined);
  assert.equal(replica.isLeading, true);
  assert.equal(replica.terms.length, 1);
});

/** A small sequence of pseudo-random numbers below 1, the same in every run. */
function* fractions(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test('never two leaders at once, while requests fail before or after they take effect', async (context) => {
  const api = new FakeApi();
  const random = fractions(11);
  api.tap = (request, answer) => {
    const chance = random.next().value;
    if (chance < 0.2) throw new Error('reset before');
    if (chance < 0.22) return hang(request);
    const response = answer();
    if (chance < 0.4) throw new Error('reset after');
    return chance < 0.42 ? hang(request) : response;
  };
  const brief = { leaseMs: 120, renewDeadlineMs: 60, retryMs: 10 };
  const replicas = ['a', 'b', 'c'].map((identity) => new Replica(context, api, identity, brief));
  watchLeaders(context, replicas);
  const terms = (): number => replicas.reduce((sum, replica) => sum + replica.terms.length, 0);
  await until('five terms', () => terms() >= 5);
  api.tap = (_, answer) => answer();
  await leaderOf(...replicas);
});

test('every change of leaders is a higher term, whoever they are', async (context) => {
  const api = new FakeApi();
  const replicas = ['a', 'b'].map((identity) => new Replica(context, api, identity, quick));
  watchLeaders(context, replicas);
  const seen: number[] = [];
  for (let round = 0; round < 5; round++) {
    const leader = await leaderOf(...replicas);
    const present = leader.terms.at(-1);
    seen.push(present?.term ?? 0);
    leader.endTerm();
    await until('the term is over', () => present?.signal.aborted === true);
    await until('the lease is given up', () => !leader.isLeading || leader.terms.at(-1) !== present);
  }
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen[0], 1);
  const stored = specOf(api)['leaseTransitions'];
  assert.ok(Number(stored) >= 4, `${String(stored)} changes`);
});
