// Where values stand: what is staged changes nothing until the flip, and every flip leads to exactly its values.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { nowhere, SlabWriter } from '#dataplane/slabs.ts';
import type { SlabRange } from '#dataplane/slabs.ts';
import { StagedIndex } from '#dataplane/staged-index.ts';

const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);

type Values = ReadonlyMap<string, string>;

function valuesIn(index: StagedIndex): Values {
  const found = keys.flatMap((key) => {
    const number = index.find(key);
    const place = number < 0 ? nowhere : index.placeOf(number);
    return place === nowhere ? [] : [[key, index.textAt(place)] as const];
  });
  return new Map(found);
}

/** By block: the keys in it, with texts. A block of the next step with the very same content is the same block. */
const arbitraryTable = fc
  .array(fc.tuple(fc.constantFrom(...keys), fc.constantFrom('0', '1', '2'), fc.integer({ min: 0, max: 2 })), {
    maxLength: 12,
  })
  .map((entries) => {
    const values = new Map(entries.map(([key, text, block]) => [key, { text, block }]));
    const blocks = [0, 1, 2].map((block) =>
      [...values].flatMap(([key, value]) => (value.block === block ? [{ key, text: value.text }] : [])),
    );
    return { blocks, values: new Map([...values].map(([key, { text }]) => [key, text])) };
  });

test('any sequence of tables: the one before holds until the flip, and then the new one', () => {
  const step = fc.tuple(arbitraryTable, fc.constantFrom(0, 1, 100));
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 10 }), (steps) => {
      const writer = new SlabWriter();
      const index = new StagedIndex(writer.reader);
      let present: Values = new Map();
      let ranges = new Map<string, SlabRange>();
      for (const [{ blocks, values }, forgotten] of steps) {
        const next = new Map<string, SlabRange>();
        for (const entries of blocks) {
          const name = JSON.stringify(entries);
          const range = ranges.get(name) ?? writer.write(entries);
          if (!ranges.has(name)) index.stage(range);
          next.set(name, range);
        }
        for (const [name, range] of ranges) if (!next.has(name)) index.stageRemoval(range);
        assert.deepEqual(sorted(valuesIn(index)), sorted(present));
        index.flip();
        [present, ranges] = [values, next];
        assert.deepEqual(sorted(valuesIn(index)), sorted(present));
        index.settle(forgotten);
        assert.deepEqual(sorted(valuesIn(index)), sorted(present));
      }
      while (index.settle(1));
      assert.equal(index.size, present.size, 'keys that are gone are forgotten');
    }),
    { numRuns: 500 },
  );
});

test('a new version of a key has a place of its own, also with the same text', () => {
  const writer = new SlabWriter();
  const index = new StagedIndex(writer.reader);
  const places = [1, 2, 3].map(() => {
    index.stage(writer.write([{ key: 'a', text: 'same' }]));
    index.flip();
    return index.placeOf(index.find('a'));
  });
  assert.equal(new Set(places).size, 3);
});

test('more keys than were reserved, while others that are gone still have numbers, are found', () => {
  const writer = new SlabWriter();
  const index = new StagedIndex(writer.reader);
  const write = (round: number): SlabRange =>
    writer.write(
      Array.from({ length: 300 }, (_, number) => ({ key: `${round}-${number}`, text: `${number}` })),
    );
  index.reserve({ keys: 10, bytes: 50 });
  let before: SlabRange | undefined;
  for (let round = 0; round < 3; round++) {
    const range = write(round);
    index.stage(range);
    if (before !== undefined) index.stageRemoval(before);
    index.flip();
    for (const number of [0, 150, 299])
      assert.equal(index.textAt(index.placeOf(index.find(`${round}-${number}`))), `${number}`);
    before = range;
  }
});

test('what is settled bit by bit ends', () => {
  const writer = new SlabWriter();
  const index = new StagedIndex(writer.reader);
  const entries = Array.from({ length: 1000 }, (_, number) => ({ key: `key-${number}`, text: '' }));
  const range = writer.write(entries);
  index.reserve({ keys: 1000, bytes: 8000 });
  index.stage(range);
  index.flip();
  index.stageRemoval(range);
  assert.equal(index.settle(100), false, 'nothing is gone before the flip');
  index.flip();
  let rounds = 0;
  while (index.settle(100)) assert.ok(++rounds < 100);
  assert.equal(index.size, 0);
  assert.ok(rounds >= 9);
});

function sorted(values: Values): readonly (readonly [string, string])[] {
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1));
}
