// Names become endpoints, stay through failures, and never lead to a private address unless they may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { NameResolver, systemLookup } from '#dataplane/name-resolver.ts';
import type { NamedUpstream, NameResolverOptions } from '#dataplane/name-resolver.ts';
import { endpointText } from '#model/route-model.ts';
import type { Endpoint } from '#model/route-model.ts';

const refreshMs = 15_000;
const keepMs = 300_000;
const timeoutMs = 5_000;

type Answer = readonly string[] | Error | 'Hangs';

class Scripted {
  readonly resolver: NameResolver;
  readonly answers = new Map<string, Answer>();
  readonly asked: string[] = [];
  readonly told: (readonly [string, readonly Endpoint[]])[] = [];
  readonly refused: string[] = [];
  readonly errors: string[] = [];
  /** Of the lookups that hang, in the order in which they were asked for. */
  readonly hanging: PromiseWithResolvers<readonly string[]>[] = [];
  readonly #context: TestContext;

  constructor(context: TestContext, options: Partial<NameResolverOptions> = {}) {
    this.#context = context;
    context.mock.timers.enable({ apis: ['setTimeout'] });
    this.resolver = new NameResolver({
      lookup: (name) => {
        this.asked.push(name);
        const answer = this.answers.get(name) ?? [];
        if (answer instanceof Error) return Promise.reject(answer);
        if (answer !== 'Hangs') return Promise.resolve(answer);
        const hanging = Promise.withResolvers<readonly string[]>();
        this.hanging.push(hanging);
        return hanging.promise;
      },
      onResolved: (id, endpoints) => this.told.push([id, endpoints]),
      onRefused: (id, name, address) => this.refused.push(`${id} ${name} ${address}`),
      onError: (id, name, error) => this.errors.push(`${id} ${name} ${(error as Error).message}`),
      // The middle of the jitter.
      random: () => 0.5,
      ...options,
    });
    context.after(() => this.resolver.close());
  }

  async update(...upstreams: readonly NamedUpstream[]): Promise<void> {
    this.resolver.update(upstreams);
    await settled();
  }

  /** What an upstream was told last. */
  endpointsOf(id: string): readonly string[] | undefined {
    return this.told.findLast(([told]) => told === id)?.[1].map(endpointText);
  }

  async tick(ms: number): Promise<void> {
    this.#context.mock.timers.tick(ms);
    await settled();
  }
}

/** Every promise that can settle without time passing has settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function upstream(id: string, name: string, options: Partial<NamedUpstream> = {}): NamedUpstream {
  return { id, name, port: 443, allowed: 'Public', ...options };
}

function dnsError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const one = upstream('x/one:443', 'one.test');

test('addresses become endpoints: sorted, each once, Ready', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['9.9.9.9', '2606:4700::1', '1.1.1.1', '9.9.9.9']);
  await scripted.update(one);
  assert.deepEqual(scripted.told, [
    [
      'x/one:443',
      [
        { address: '1.1.1.1', port: 443, state: 'Ready' },
        { address: '2606:4700::1', port: 443, state: 'Ready' },
        { address: '9.9.9.9', port: 443, state: 'Ready' },
      ],
    ],
  ]);
});

test('a name is asked for again after the refresh time, and told of only when it changed', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1', '9.9.9.9']);
  await scripted.update(one);
  await scripted.tick(refreshMs - 1);
  assert.equal(scripted.asked.length, 1);
  scripted.answers.set('one.test', ['9.9.9.9', '1.1.1.1']);
  await scripted.tick(1);
  assert.equal(scripted.asked.length, 2);
  assert.equal(scripted.told.length, 1);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.tick(refreshMs);
  assert.equal(scripted.asked.length, 3);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  assert.equal(scripted.told.length, 2);
});

for (const [random, factor] of [
  [0, 0.8],
  [1, 1.2],
] as const)
  test(`the refresh time is jittered: at ${random} it is ${factor} of it`, async (context) => {
    const scripted = new Scripted(context, { random: () => random });
    scripted.answers.set('one.test', ['1.1.1.1']);
    await scripted.update(one);
    await scripted.tick(refreshMs * factor - 1);
    assert.equal(scripted.asked.length, 1);
    await scripted.tick(1);
    assert.equal(scripted.asked.length, 2);
  });

test('a failure keeps the last good answer, and is retried with growing waits up to the refresh time', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.update(one);
  scripted.answers.set('one.test', dnsError('EAI_AGAIN'));
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.errors, ['x/one:443 one.test EAI_AGAIN']);
  for (const [at, waitMs] of [1_000, 2_000, 4_000, 8_000, refreshMs, refreshMs].entries()) {
    await scripted.tick(waitMs - 1);
    assert.equal(scripted.asked.length, 2 + at, `before ${waitMs} ms`);
    await scripted.tick(1);
    assert.equal(scripted.asked.length, 3 + at, `after ${waitMs} ms`);
  }
  assert.equal(scripted.errors.length, 7);
  assert.equal(scripted.told.length, 1);
  scripted.answers.set('one.test', ['9.9.9.9']);
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['9.9.9.9:443']);
  // The back-off begins anew.
  scripted.answers.set('one.test', dnsError('EAI_AGAIN'));
  await scripted.tick(refreshMs);
  const asked = scripted.asked.length;
  await scripted.tick(1_000);
  assert.equal(scripted.asked.length, asked + 1);
});

for (const [words, absence] of [
  ['an empty answer', []],
  ['ENOTFOUND', dnsError('ENOTFOUND')],
  ['ENODATA', dnsError('ENODATA')],
] as const)
  test(`${words} empties the endpoints only when a second one says so too`, async (context) => {
    const scripted = new Scripted(context);
    scripted.answers.set('one.test', ['1.1.1.1']);
    await scripted.update(one);
    scripted.answers.set('one.test', absence);
    await scripted.tick(refreshMs);
    assert.equal(scripted.errors.length, 1);
    assert.equal(scripted.told.length, 1);
    // Good in between: the next one is a first one again.
    scripted.answers.set('one.test', ['1.1.1.1']);
    await scripted.tick(1_000);
    scripted.answers.set('one.test', absence);
    await scripted.tick(refreshMs);
    assert.equal(scripted.told.length, 1);
    await scripted.tick(1_000);
    assert.deepEqual(scripted.told.slice(1), [['x/one:443', []]]);
    scripted.answers.set('one.test', ['1.1.1.1']);
    await scripted.tick(2_000);
    assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  });

test('a failure between two empty answers says nothing either way', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.update(one);
  scripted.answers.set('one.test', dnsError('ENOTFOUND'));
  await scripted.tick(refreshMs);
  scripted.answers.set('one.test', dnsError('EAI_AGAIN'));
  await scripted.tick(1_000);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  scripted.answers.set('one.test', dnsError('ENOTFOUND'));
  await scripted.tick(2_000);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
});

test('the last good answer is kept for its time after the first failure since, and no longer', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.update(one);
  scripted.answers.set('one.test', dnsError('EAI_AGAIN'));
  await scripted.tick(refreshMs);
  // An answer between failures begins the time anew.
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.tick(1_000);
  scripted.answers.set('one.test', dnsError('EAI_AGAIN'));
  await scripted.tick(refreshMs);
  await scripted.tick(keepMs - 1);
  assert.equal(scripted.told.length, 1);
  await scripted.tick(1);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
  await scripted.tick(2 * keepMs);
  assert.equal(scripted.told.length, 2);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
});

test('a lookup that takes too long has failed, is not asked twice, and is still heard', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', 'Hangs');
  await scripted.update(one);
  await scripted.tick(timeoutMs - 1);
  assert.deepEqual(scripted.errors, []);
  await scripted.tick(1);
  assert.deepEqual(scripted.errors, ['x/one:443 one.test no answer within 5000 ms']);
  await scripted.tick(10 * refreshMs);
  assert.equal(scripted.asked.length, 1);
  scripted.hanging[0]?.resolve(['1.1.1.1']);
  await settled();
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  await scripted.tick(refreshMs);
  assert.equal(scripted.asked.length, 2);
  assert.equal(scripted.errors.length, 1);
  // Late and bad: it has been told of already.
  await scripted.tick(timeoutMs);
  scripted.hanging[1]?.reject(dnsError('EAI_AGAIN'));
  await settled();
  assert.equal(scripted.errors.length, 2);
  assert.equal(scripted.told.length, 1);
});

test('a lookup that hangs does not hold up the end of a kept answer', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.update(one);
  scripted.answers.set('one.test', 'Hangs');
  await scripted.tick(refreshMs);
  // In two steps: a timer that is set while time is ticked counts from the end of the step.
  await scripted.tick(timeoutMs);
  await scripted.tick(keepMs);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
});

test('what is not public is refused: told once, until it changes', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['10.0.0.1', '1.1.1.1', '::ffff:169.254.169.254', 'fe80::1%eth0']);
  await scripted.update(one);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  const refused = [
    'x/one:443 one.test 10.0.0.1',
    'x/one:443 one.test ::ffff:169.254.169.254',
    'x/one:443 one.test fe80::1%eth0',
  ];
  assert.deepEqual(scripted.refused, refused);
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.refused, refused);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.tick(refreshMs);
  scripted.answers.set('one.test', ['10.0.0.1']);
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.refused, [...refused, 'x/one:443 one.test 10.0.0.1']);
  // An answer, although of nothing that may be used: there is no second opinion to wait for.
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
  assert.deepEqual(scripted.errors, []);
});

test('private addresses are taken where any are allowed, and dropped when they no longer are', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['10.0.0.1', '1.1.1.1']);
  await scripted.update({ ...one, allowed: 'Any' });
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443', '10.0.0.1:443']);
  assert.deepEqual(scripted.refused, []);
  scripted.resolver.update([one]);
  // Before anything is asked for again.
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  assert.deepEqual(scripted.refused, ['x/one:443 one.test 10.0.0.1']);
  // With another name too: without waiting for what that one leads to.
  scripted.answers.set('two.test', 'Hangs');
  await scripted.update({ ...one, allowed: 'Any' });
  await scripted.update({ ...one, name: 'two.test' });
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
});

test('two upstreams of one name share its lookups, each with its own port and rule', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['10.0.0.1', '1.1.1.1']);
  const two = upstream('y/two:80', 'one.test', { port: 80, allowed: 'Any' });
  await scripted.update(one, two);
  await scripted.tick(refreshMs);
  assert.deepEqual(scripted.asked, ['one.test', 'one.test']);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
  assert.deepEqual(scripted.endpointsOf('y/two:80'), ['1.1.1.1:80', '10.0.0.1:80']);
  // A third one, and one with another port, are served from the answer that is there.
  await scripted.update({ ...one, port: 8443 }, two, upstream('z/three:443', 'one.test'));
  assert.equal(scripted.asked.length, 2);
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:8443']);
  assert.deepEqual(scripted.endpointsOf('z/three:443'), ['1.1.1.1:443']);
  // One of them goes: the name stays.
  await scripted.update(two);
  await scripted.tick(refreshMs);
  assert.equal(scripted.asked.length, 3);
});

test('an upstream that stays the same is let be, one that went is forgotten, and begins anew', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  await scripted.update(one);
  await scripted.update({ ...one });
  assert.equal(scripted.asked.length, 1);
  await scripted.update();
  await scripted.tick(10 * refreshMs);
  assert.equal(scripted.asked.length, 1);
  assert.equal(scripted.told.length, 1);
  await scripted.update(one);
  assert.equal(scripted.asked.length, 2);
  assert.equal(scripted.told.length, 2);
});

test('the answer to a lookup of a name that went is not told, not even to its successor', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', 'Hangs');
  await scripted.update(one);
  await scripted.update();
  await scripted.update(one);
  assert.equal(scripted.asked.length, 2);
  scripted.hanging[0]?.resolve(['9.9.9.9']);
  await settled();
  assert.deepEqual(scripted.told, []);
  scripted.hanging[1]?.resolve(['1.1.1.1']);
  await settled();
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['1.1.1.1:443']);
});

test('a changed name is resolved at once; until it is, the endpoints of the old one stay', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  scripted.answers.set('two.test', 'Hangs');
  await scripted.update(one);
  await scripted.update({ ...one, name: 'two.test' });
  assert.deepEqual(scripted.asked, ['one.test', 'two.test']);
  assert.equal(scripted.told.length, 1);
  scripted.hanging[0]?.resolve(['9.9.9.9']);
  await settled();
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['9.9.9.9:443']);
  // One that cannot be resolved has none, and not those of another name.
  scripted.answers.set('three.test', dnsError('EAI_AGAIN'));
  await scripted.update({ ...one, name: 'three.test' });
  assert.deepEqual(scripted.endpointsOf('x/one:443'), []);
  // Nobody asks for the names of before.
  scripted.asked.length = 0;
  await scripted.tick(refreshMs);
  assert.deepEqual([...new Set(scripted.asked)], ['three.test']);
});

test('names that are swapped between upstreams are swapped', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  scripted.answers.set('two.test', ['9.9.9.9']);
  const two = upstream('y/two:443', 'two.test');
  await scripted.update(one, two);
  await scripted.update({ ...one, name: 'two.test' }, { ...two, name: 'one.test' });
  assert.deepEqual(scripted.endpointsOf('x/one:443'), ['9.9.9.9:443']);
  assert.deepEqual(scripted.endpointsOf('y/two:443'), ['1.1.1.1:443']);
  assert.equal(scripted.asked.length, 2);
});

test('no more lookups run at once than may, and none of a name that went while it waited', async (context) => {
  const scripted = new Scripted(context, { parallel: 3 });
  const upstreams = Array.from({ length: 10 }, (_, at) => upstream(`x/${at}:443`, `${at}.test`));
  for (const { name } of upstreams) scripted.answers.set(name, 'Hangs');
  await scripted.update(...upstreams, one);
  await scripted.update(...upstreams);
  assert.equal(scripted.asked.length, 3);
  // One that is late still holds its thread.
  await scripted.tick(timeoutMs);
  assert.equal(scripted.asked.length, 3);
  for (let at = 0; at < 10; at++) {
    scripted.hanging[at]?.resolve(['1.1.1.1']);
    await settled();
    assert.equal(scripted.asked.length, Math.min(10, 4 + at));
  }
  assert.deepEqual(scripted.asked.toSorted(), upstreams.map(({ name }) => name).toSorted());
  assert.equal(scripted.told.length, 10);
});

test('after close nothing is asked and nothing told', async (context) => {
  const scripted = new Scripted(context);
  scripted.answers.set('one.test', ['1.1.1.1']);
  scripted.answers.set('two.test', 'Hangs');
  scripted.answers.set('three.test', dnsError('EAI_AGAIN'));
  await scripted.update(one, upstream('y/two:443', 'two.test'), upstream('z/three:443', 'three.test'));
  const [asked, told, errors] = [scripted.asked.length, scripted.told.length, scripted.errors.length];
  scripted.resolver.close();
  scripted.hanging[0]?.resolve(['9.9.9.9']);
  await scripted.tick(2 * keepMs);
  assert.deepEqual(
    [scripted.asked.length, scripted.told.length, scripted.errors.length],
    [asked, told, errors],
  );
});

test('a name that is an address is judged like any other, however it is spelt', async (context) => {
  const names = ['169.254.169.254', '0xa9fea9fe', '2852039166', '::ffff:a9fe:a9fe'];
  const told: string[] = [];
  const refused = new Map<string, string>();
  const done = Promise.withResolvers<void>();
  const resolver = new NameResolver({
    onResolved: (id) => told.push(id),
    onRefused: (id, _name, address) => {
      refused.set(id, address);
      if (refused.size === names.length) done.resolve();
    },
    onError: (_id, _name, error) => done.reject(error),
  });
  context.after(() => resolver.close());
  resolver.update(names.map((name) => upstream(name, name)));
  await done.promise;
  assert.deepEqual(told, []);
  assert.equal(refused.get('0xa9fea9fe'), '169.254.169.254');
  assert.equal(refused.get('2852039166'), '169.254.169.254');
});

test('the system is asked: for /etc/hosts and address literals as written', async () => {
  const localhost = await systemLookup('localhost');
  assert.ok(localhost.includes('127.0.0.1') || localhost.includes('::1'), localhost.join(' '));
  assert.deepEqual(await systemLookup('192.0.2.1'), ['192.0.2.1']);
  assert.deepEqual(await systemLookup('2001:db8::1'), ['2001:db8::1']);
});
