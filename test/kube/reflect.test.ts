// The copy of a collection against an API server that fails in every way: never a part, never an old state for new.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackOff } from '#kube/back-off.ts';
import { reflect } from '#kube/reflect.ts';
import type { Change } from '#kube/reflect.ts';
import { Expired } from '#kube/source.ts';
import type { KubeObject, Listed, Source, WatchEvent } from '#kube/source.ts';

function object(name: string, resourceVersion: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'test', resourceVersion } };
}

type ListStep = Listed<KubeObject> | Error | 'hang';
type WatchStep = readonly (WatchEvent<KubeObject> | Error | 'hang')[];

/** Plays one list or watch after the other; the last watch stays open. */
class ScriptedSource implements Source<KubeObject> {
  readonly name = 'configmaps';
  readonly calls: string[] = [];
  readonly #lists: ListStep[];
  readonly #watches: WatchStep[];

  constructor(lists: readonly ListStep[], watches: readonly WatchStep[]) {
    this.#lists = [...lists];
    this.#watches = [...watches];
  }

  async list(signal: AbortSignal): Promise<Listed<KubeObject>> {
    this.calls.push('list');
    const step = this.#lists.shift() ?? 'hang';
    if (step === 'hang') return aborted(signal);
    if (step instanceof Error) throw step;
    return step;
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent<KubeObject>> {
    this.calls.push(`watch ${resourceVersion}`);
    for (const step of this.#watches.shift() ?? ['hang' as const]) {
      if (step === 'hang') await aborted(signal);
      else if (step instanceof Error) throw step;
      else yield step;
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')));
    if (signal.aborted) reject(new Error('aborted'));
  });
}

/** Runs until `calls` list and watch calls have been made, and returns every copy that was handed out. */
async function copies(source: ScriptedSource, calls: number, options = {}): Promise<string[][]> {
  const seen: string[][] = [];
  const controller = new AbortController();
  const done = reflect(source, {
    onChange: (all) =>
      seen.push([...all.values()].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)),
    onError: () => {},
    signal: controller.signal,
    backOff: new BackOff(() => 0),
    ...options,
  });
  while (source.calls.length < calls) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort();
  await done;
  return seen;
}

test('list, then events; the watch goes on from where it was', async () => {
  const source = new ScriptedSource(
    [{ items: [object('a', '1')], resourceVersion: '5' }],
    [
      [
        { kind: 'Applied', object: object('b', '6') },
        { kind: 'Deleted', object: object('a', '7') },
        { kind: 'Bookmark', resourceVersion: '9' },
      ],
    ],
  );
  assert.deepEqual(await copies(source, 3), [['a@1'], ['a@1', 'b@6'], ['b@6']]);
  assert.deepEqual(source.calls, ['list', 'watch 5', 'watch 9']);
});

test('a failed list changes nothing, and is tried again', async () => {
  const source = new ScriptedSource(
    [new Error('refused'), new Error('refused'), { items: [object('a', '1')], resourceVersion: '1' }],
    [],
  );
  assert.deepEqual(await copies(source, 4), [['a@1']]);
});

test('a watch that breaks resumes without a new list; 410 lists again, and a delete in the gap is seen', async () => {
  const source = new ScriptedSource(
    [
      { items: [object('a', '1'), object('b', '2')], resourceVersion: '2' },
      { items: [object('b', '2')], resourceVersion: '20' },
    ],
    [[{ kind: 'Applied', object: object('c', '3') }, new Error('reset')], [new Expired('too old')]],
  );
  assert.deepEqual(await copies(source, 5), [['a@1', 'b@2'], ['a@1', 'b@2', 'c@3'], ['b@2']]);
  assert.deepEqual(source.calls, ['list', 'watch 2', 'watch 3', 'list', 'watch 20']);
});

test('a hung API server is noticed, in a list and in a watch', async () => {
  const errors: unknown[] = [];
  const source = new ScriptedSource(
    ['hang', { items: [object('a', '1')], resourceVersion: '1' }],
    [['hang'], [{ kind: 'Applied', object: object('a', '2') }, 'hang']],
  );
  const seen = await copies(source, 5, {
    listTimeoutMs: 30,
    silenceMs: 30,
    onError: (error: unknown) => errors.push(error),
  });
  assert.deepEqual(seen, [['a@1'], ['a@2']]);
  assert.ok(errors.length >= 3);
});

test('a watch that ends at once is not asked for again without a pause', async () => {
  const source = new ScriptedSource(
    [{ items: [], resourceVersion: '1' }],
    Array.from({ length: 100 }, () => []),
  );
  const controller = new AbortController();
  const done = reflect(source, { onChange: () => {}, onError: () => {}, signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve, 300));
  controller.abort();
  await done;
  assert.ok(source.calls.length < 8, `${source.calls.length} calls in 300 ms`);
});

test('back-off grows, is bounded, and is spread', () => {
  const least = new BackOff(() => 0);
  const most = new BackOff(() => 1);
  const delays = Array.from({ length: 12 }, () => [least.next(), most.next()] as const);
  for (const [low, high] of delays) assert.ok(low * 2 === high && high <= 10_000);
  assert.deepEqual(delays.at(-1), [5000, 10_000]);
  least.reset();
  assert.equal(least.next(), 50);
});

test('an empty list after a full one is believed only when another one says so, too', async () => {
  const full = { items: [object('a', '1'), object('b', '2')], resourceVersion: '2' };
  const empty = { items: [], resourceVersion: '9' };
  const mistaken = new ScriptedSource([full, empty, full], [[new Expired('too old')]]);
  assert.deepEqual(await copies(mistaken, 5, { confirmEmptyMs: 1 }), [
    ['a@1', 'b@2'],
    ['a@1', 'b@2'],
  ]);
  const right = new ScriptedSource([full, empty, empty], [[new Expired('too old')]]);
  assert.deepEqual(await copies(right, 5, { confirmEmptyMs: 1 }), [['a@1', 'b@2'], []]);
  const fromTheStart = new ScriptedSource([empty], []);
  assert.deepEqual(await copies(fromTheStart, 2), [[]]);
});

test('where something is expected, a first list that is empty is believed only when another one says so, too', async () => {
  const full = { items: [object('a', '1')], resourceVersion: '2' };
  const empty = { items: [], resourceVersion: '9' };
  const options = { confirmEmptyMs: 1, isSomethingExpected: true };
  assert.deepEqual(await copies(new ScriptedSource([empty, full], []), 3, options), [['a@1']]);
  assert.deepEqual(await copies(new ScriptedSource([empty, empty], []), 3, options), [[]]);
  assert.deepEqual(await copies(new ScriptedSource([full], []), 2, options), [['a@1']]);
});

test('what stays the same from one version to the next is taken from the one before, in events and in new lists', async () => {
  const version = (name: string, resourceVersion: string, spec: object): KubeObject => ({
    ...object(name, resourceVersion),
    spec,
  });
  const [a, b] = [{ host: 'a.test' }, { host: 'b.test' }];
  const source = new ScriptedSource(
    [
      { items: [version('a', '1', a), version('b', '2', b)], resourceVersion: '2' },
      { items: [version('a', '5', { ...a }), version('b', '6', { host: 'changed' })], resourceVersion: '9' },
    ],
    [
      [
        { kind: 'Applied', object: version('a', '3', { ...a }) },
        { kind: 'Deleted', object: version('b', '3', b) },
        { kind: 'Applied', object: version('b', '4', { ...b }) },
        new Expired('too old'),
      ],
    ],
  );
  const kept: (readonly [version: string | undefined, spec: unknown])[][] = [];
  const befores: unknown[] = [];
  await copies(source, 4, {
    reuse: (before: KubeObject, after: KubeObject) =>
      JSON.stringify(before['spec']) === JSON.stringify(after['spec'])
        ? { ...after, spec: before['spec'] }
        : after,
    onChange: (all: ReadonlyMap<string, KubeObject>, change: Change<KubeObject>) => {
      kept.push([...all.values()].map((each) => [each.metadata.resourceVersion, each['spec']]));
      if (change.kind !== 'Listed') befores.push(change.before?.metadata.resourceVersion);
    },
  });
  const last = kept.at(-1);
  assert.deepEqual(
    last?.map(([resourceVersion]) => resourceVersion),
    ['5', '6'],
  );
  assert.equal(last?.[0]?.[1], a, 'the very value of the first list');
  assert.deepEqual(last?.[1]?.[1], { host: 'changed' });
  // What is deleted is forgotten.
  assert.notEqual(kept[3]?.[1]?.[1], b);
  assert.deepEqual(befores, ['1', '2', undefined]);
});
