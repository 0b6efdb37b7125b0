// Deltas: whatever the two states, the pieces between them and one flip lead from the one to the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StagedTable } from '#dataplane/staged-table.ts';
import { piecesBetween, stateOf } from '#dataplane/table-state.ts';
import { host, model, upstream } from './models.ts';

const names = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test'];

const arbitraryModel = fc
  .record({
    hosts: fc.uniqueArray(fc.constantFrom(...names)),
    objects: fc.array(fc.constantFrom('x', 'y'), { minLength: 5, maxLength: 5 }),
    ports: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 5, maxLength: 5 }),
  })
  .map(({ hosts, objects, ports }) =>
    model(
      hosts.map((name, index) => host(name, `up-${name}`, objects[index])),
      hosts.map((name, index) => upstream(`up-${name}`, ports[index] ?? 1)),
    ),
  );

test('any sequence of models ends in the table of the last one', () => {
  fc.assert(
    fc.property(fc.array(arbitraryModel, { minLength: 1, maxLength: 6 }), (models) => {
      const staged = new StagedTable();
      let state: ReturnType<typeof stateOf> | undefined;
      for (const [index, next] of models.entries()) {
        const to = stateOf(next, index + 1);
        for (const piece of piecesBetween(state, to)) staged.stage(piece);
        const table = staged.flip(to.revision, to.settings);
        assert.deepEqual(
          [...table.routes.hosts.values()]
            .map(({ source }) => source)
            .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
          next.hosts.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
        );
        assert.deepEqual([...table.upstreams.keys()].sort(), next.upstreams.map(({ id }) => id).sort());
        for (const { id, endpoints } of next.upstreams)
          assert.equal(table.upstreams.get(id)?.pick([])?.port, endpoints[0]?.port);
        state = to;
      }
    }),
    { numRuns: 300 },
  );
});

test('the same model again has no pieces; one changed endpoint is one small piece', () => {
  const many = Array.from({ length: 500 }, (_, index) => `h${index}.test`);
  const hosts = many.map((name) => host(name, `up-${name}`));
  const upstreams = many.map((name, index) => upstream(`up-${name}`, 1000 + index));
  const first = stateOf(model(hosts, upstreams), 1);
  assert.deepEqual([...piecesBetween(first, stateOf(model(hosts, upstreams), 2))], []);
  const changed = upstreams.with(7, upstream('up-h7.test', 9));
  const pieces = [...piecesBetween(first, stateOf(model(hosts, changed), 2))];
  assert.equal(pieces.length, 1);
  assert.deepEqual([pieces[0]?.hosts.length, pieces[0]?.upstreams.length], [0, 1]);
});

test('a large table comes in pieces that are small', () => {
  const many = Array.from({ length: 3000 }, (_, index) => `h${index}.test`);
  const state = stateOf(
    model(
      many.map((name) => host(name, `up-${name}`)),
      many.map((name) => upstream(`up-${name}`, 80)),
    ),
    1,
  );
  const pieces = [...piecesBetween(undefined, state)];
  assert.ok(pieces.length > 10);
  for (const piece of pieces) assert.ok([...piece.hosts, ...piece.upstreams].join('').length < 40_000);
  assert.equal(pieces.flatMap((piece) => piece.hosts).length, 3000);
});

test('endpoints that stay are the same objects after a flip, so that their connections stay', () => {
  const staged = new StagedTable();
  const first = stateOf(model([host('a.test', 'up')], [upstream('up', 1)]), 1);
  for (const piece of piecesBetween(undefined, first)) staged.stage(piece);
  const before = staged.flip(1, first.settings).upstreams.get('up')?.pick([]);
  const second = stateOf(model([host('a.test', 'up')], [upstream('up', 1, 2)]), 2);
  for (const piece of piecesBetween(first, second)) staged.stage(piece);
  const up = staged.flip(2, second.settings).upstreams.get('up');
  const picked = Array.from({ length: 50 }, () => up?.pick([]));
  assert.ok(picked.includes(before));
  assert.equal(before?.isRetired, false);
  const third = stateOf(model([host('a.test', 'up')], [upstream('up', 2)]), 3);
  for (const piece of piecesBetween(second, third)) staged.stage(piece);
  staged.flip(3, third.settings);
  assert.equal(before?.isRetired, true);
});
