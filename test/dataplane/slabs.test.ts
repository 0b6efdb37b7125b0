// Shared memory: what is written is read back, whatever is released and moved beside it, and what is released goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SlabReader, SlabWriter } from '#dataplane/slabs.ts';
import type { Entry, SlabRange } from '#dataplane/slabs.ts';
import { readText } from '#model/text-numbers.ts';

function entriesIn(reader: SlabReader, range: SlabRange): readonly Entry[] {
  const entries: Entry[] = [];
  reader.each(range, (place, key) => entries.push({ key: readText(key), text: reader.textAt(place) }));
  return entries;
}

/** What a thread sees that is told of the slabs, and of nothing else. */
function readerOf(writer: SlabWriter): SlabReader {
  const reader = new SlabReader();
  for (const [slab, memory] of writer.memories) reader.add(slab, memory);
  return reader;
}

const arbitraryEntry = fc.record(
  {
    key: fc.oneof(
      fc.constantFrom('', '*', '*.a.test', 'ÿ', 'ä.test', '\ud800'),
      fc.string({ unit: 'binary' }),
    ),
    text: fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 0, max: 700_000 }).map((length) => 'é'.repeat(length / 2)),
    ),
  },
  { noNullPrototype: true },
);

const arbitraryStep = fc.record({
  entries: fc.array(arbitraryEntry, { maxLength: 4 }),
  released: fc.nat(),
  isReleased: fc.boolean(),
  isMoved: fc.boolean(),
});

test('whatever is written, released and moved, every range reads back as it was written', () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep, { minLength: 1, maxLength: 20 }), (steps) => {
      const writer = new SlabWriter();
      const written: { range: SlabRange; readonly entries: readonly Entry[] }[] = [];
      for (const { entries, released, isReleased, isMoved } of steps) {
        written.push({ range: writer.write(entries), entries });
        if (isReleased)
          for (const { range } of written.splice(released % written.length, 1)) writer.release(range);
        const [first] = written;
        if (isMoved && first !== undefined && first.entries.length > 0)
          first.range = writer.move(first.range);
      }
      const reader = readerOf(writer);
      for (const { range, entries } of written) {
        // A range of nothing stands nowhere in particular, and needs no slab.
        if (entries.length === 0) continue;
        assert.deepEqual(entriesIn(reader, range), entries);
        assert.deepEqual(entriesIn(writer.reader, range), entries);
      }
    }),
    { numRuns: 100 },
  );
});

test('an entry larger than a slab has one of its own size', () => {
  const writer = new SlabWriter();
  const entry = { key: 'large', text: 'x'.repeat(5_000_000) };
  const range = writer.write([entry]);
  assert.deepEqual(entriesIn(readerOf(writer), range), [entry]);
});

test('a slab with nothing left in it goes, one that is mostly waste is sparse', () => {
  const writer = new SlabWriter();
  const text = 'x'.repeat(200_000);
  const ranges = Array.from({ length: 20 }, (_, index) => writer.write([{ key: `${index}`, text }]));
  const before = writer.memories.size;
  assert.ok(before >= 4);
  const inFirst = ranges.filter(({ slab }) => slab === ranges[0]!.slab);
  const [kept, ...others] = inFirst;
  assert.equal(writer.isSparse(kept!.slab), false);
  for (const range of others) writer.release(range);
  assert.equal(writer.isSparse(kept!.slab), true);
  const moved = writer.move(kept!);
  assert.notEqual(moved.slab, kept!.slab);
  assert.equal(writer.memories.has(kept!.slab), false);
  assert.deepEqual(entriesIn(writer.reader, moved), [{ key: '0', text }]);
  assert.throws(() => entriesIn(writer.reader, kept!), /there is no slab/);
});

test('memory does not grow with what comes and goes', () => {
  const writer = new SlabWriter();
  const text = 'x'.repeat(50_000);
  let range = writer.write([{ key: 'a', text }]);
  for (let round = 0; round < 500; round++) {
    const next = writer.write([{ key: 'a', text }]);
    writer.release(range);
    range = next;
  }
  assert.ok(writer.memories.size <= 2, `${writer.memories.size} slabs`);
});
