// Numbers for texts: a Map does the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mostBytes, readText, TextNumbers, writeText } from '#model/text-numbers.ts';

const key = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aé', 'ÿ', 'ÿa', 'ÿ\0a', 'Ā', 'ā', '\ud800', '\udc00', 'a\0'),
  fc.integer({ min: 0, max: 400 }).map((number) => `host-${number}.example.com`),
  fc.string({ maxLength: 3, unit: 'binary' }),
);

test('whatever is added and deleted, every text keeps its number, and no two have one', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 1500, size: 'max' }), (steps) => {
      const numbers = new TextNumbers();
      const expected = new Map<string, number>();
      for (const [index, [isAdded, text]] of steps.entries()) {
        // Every other one as bytes, from the middle of others.
        const bytes = new Uint8Array(mostBytes(text) + 9).fill(7);
        const asBytes = { bytes, start: 4, end: writeText(text, bytes, 4) };
        const isText = index % 2 === 0;
        assert.equal(readText(asBytes), text);
        if (isAdded) {
          const number = isText ? numbers.add(text) : numbers.addBytes(asBytes);
          if (expected.has(text)) assert.equal(number, expected.get(text));
          else assert.ok(![...expected.values()].includes(number), `${number} stands for two texts`);
          expected.set(text, number);
        } else {
          if (isText) numbers.delete(text);
          else numbers.deleteBytes(asBytes);
          expected.delete(text);
        }
        assert.equal(numbers.find(text), expected.get(text) ?? -1);
        assert.equal(numbers.findBytes(asBytes), expected.get(text) ?? -1);
      }
      assert.equal(numbers.size, expected.size);
      for (const [text, number] of expected) assert.equal(numbers.find(text), number);
      for (const [, text] of steps) assert.equal(numbers.find(text), expected.get(text) ?? -1);
    }),
    { numRuns: 200 },
  );
});

test('numbers of texts that come and go stay small', () => {
  const numbers = new TextNumbers();
  for (let round = 0; round < 50; round++) {
    const texts = Array.from({ length: 1000 }, (_, index) => `team-${round}/service-${index}:80`);
    for (const text of texts) numbers.add(text);
    assert.equal(numbers.size, 1000);
    for (const text of texts) assert.ok(numbers.find(text) >= 0);
    for (const text of texts) numbers.delete(text);
  }
  assert.equal(numbers.size, 0);
  assert.ok(numbers.add('one more') < 1000);
});
