// Deltas: whatever the two states, the pieces between them and one flip lead from the one to the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { piecesBetween } from '#dataplane/table-state.ts';
import { TableStore } from '#dataplane/table-store.ts';
import type { Bundle } from '#model/bundle.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { chunkOf } from '#model/chunk.ts';
import type { Chunk } from '#model/chunk.ts';
import { defaultSettings } from '#model/default-settings.ts';
import type { Upstream, VirtualHost } from '#model/route-model.ts';
import { writeUpstream } from '#model/upstream-form.ts';
import { sealed } from '../model/resealed.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take, takeBundle, tidied } from './tables.ts';

const names = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test'];

interface Step {
  readonly bundle: Bundle;
  readonly hosts: readonly VirtualHost[];
  readonly upstreams: readonly Upstream[];
  /** Of each thread: whether it sees this revision, and whether it has time to tidy up before the next. */
  readonly threads: readonly { readonly isBrought: boolean; readonly isTidied: boolean }[];
}

/** Every value stands in any of three chunks, so that values move between chunks, too. */
const arbitraryStep: fc.Arbitrary<Step> = fc
  .record({
    hosts: fc.uniqueArray(fc.constantFrom(...names)),
    objects: fc.array(fc.constantFrom('x', 'y'), { minLength: 5, maxLength: 5 }),
    ports: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 5, maxLength: 5 }),
    places: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 10, maxLength: 10 }),
    threads: fc.array(fc.record({ isBrought: fc.boolean(), isTidied: fc.boolean() }), {
      minLength: 2,
      maxLength: 2,
    }),
  })
  .map(({ hosts, objects, ports, places, threads }) => {
    const step = {
      hosts: hosts.map((name, index) => host(name, `up-${name}`, objects[index])),
      upstreams: hosts.map((name, index) => upstream(`up-${name}`, ports[index] ?? 1)),
      threads,
    };
    const chunks: Chunk[] = [chunkOf('settings', canonicalJson(defaultSettings))];
    for (const place of [0, 1, 2]) {
      const here = (_: unknown, index: number): boolean => places[index] === place;
      const there = (_: unknown, index: number): boolean => places[index + 5] === place;
      const some = step.hosts.filter(here);
      if (some.length > 0) chunks.push(chunkOf('hosts', canonicalJson(some)));
      const targets = step.upstreams.filter(there).map((each) => JSON.parse(writeUpstream(each)) as unknown);
      if (targets.length > 0) chunks.push(chunkOf('upstreams', canonicalJson(targets)));
    }
    return { bundle: sealed(3, chunks), ...step };
  });

test('any sequence of models ends in the table of the last one, in threads of any pace', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryStep, { minLength: 1, maxLength: 8 }), async (steps) => {
      const store = new TableStore();
      const threads = [new TableThread(), new TableThread({ hosts: 2, upstreams: 2 })];
      for (const [index, { bundle, hosts, upstreams, ...step }] of steps.entries()) {
        const { state } = takeBundle(store, bundle, index + 1);
        for (const [of, thread] of threads.entries()) {
          if (step.threads[of]?.isBrought !== true) continue;
          const table = thread.bring(state);
          if (step.threads[of].isTidied) await tidied();
          assert.equal(table.revision, index + 1);
          for (const name of names) {
            const expected = hosts.find(
              (each) => each.pattern.kind === 'Exact' && each.pattern.name === name,
            );
            assert.deepEqual(table.routes.findHost(name)?.source, expected);
            const target = upstreams.find(({ id }) => id === `up-${name}`);
            assert.equal(table.upstreams.get(`up-${name}`)?.pick([])?.port, target?.endpoints[0]?.port);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('the same model again changes no block; one changed endpoint changes one chunk', () => {
  const many = Array.from({ length: 2000 }, (_, index) => `h${index}.test`);
  const hosts = many.map((name) => host(name, `up-${name}`));
  const upstreams = many.map((name, index) => upstream(`up-${name}`, 1000 + index));
  const store = new TableStore();
  const first = take(store, model(hosts, upstreams), 1).state;
  const again = take(store, model(hosts, upstreams), 2).state;
  assert.deepEqual(piecesBetween(first, again), [{ sizes: again.sizes, slabs: [], added: [], removed: [] }]);
  const changed = take(store, model(hosts, upstreams.with(7, upstream('up-h7.test', 9))), 3).state;
  const pieces = piecesBetween(again, changed);
  assert.equal(pieces.length, 1);
  const kinds = [pieces[0]?.added, pieces[0]?.removed].map((blocks) => blocks?.map(({ kind }) => kind));
  assert.deepEqual(kinds, [['upstreams'], ['upstreams']]);
});

test('a large table comes in pieces that are small, each with the memory that it stands in', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `h${index}.test`);
  const { state } = take(
    new TableStore(),
    model(
      many.map((name) => host(name, `up-${name}`)),
      many.map((name) => upstream(`up-${name}`, 80)),
    ),
    1,
  );
  const pieces = piecesBetween(undefined, state);
  assert.ok(pieces.length > 10);
  const known = new Set<number>();
  for (const { slabs, added } of pieces) {
    for (const [slab] of slabs) known.add(slab);
    assert.ok(added.every(({ slab }) => known.has(slab)));
    assert.ok(added.reduce((sum, { start, end }) => sum + end - start, 0) < 200_000);
  }
  assert.deepEqual(new Set(pieces.flatMap(({ added }) => added)), state.blocks);
});

test('what is removed comes after what is added: a value that moved to another block is never gone', () => {
  const store = new TableStore();
  const [one, two] = ['a.test', 'b.test'].map((name) => host(name, 'up'));
  const first = take(store, model([one!], [upstream('up', 1)]), 1).state;
  const second = take(store, model([one!, two!], [upstream('up', 1)]), 2).state;
  const [piece, ...others] = piecesBetween(first, second);
  assert.deepEqual([others.length, piece?.added.length, piece?.removed.length], [0, 1, 1]);
  const thread = new TableThread();
  thread.bring(first);
  const table = thread.bring(second);
  assert.deepEqual(table.routes.findHost('a.test')?.source, one);
});
