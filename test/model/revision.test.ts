// What a data-plane pod says of itself is taken as it is, and anything else is a fault that is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Refusal } from '#model/chunk-reader.ts';
import { parseRevision } from '#model/revision.ts';
import type { Revision } from '#model/revision.ts';

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const refusal = fc.constantFrom<Refusal[]>(
  'UnknownSchema',
  'DigestMismatch',
  'TooLarge',
  'Malformed',
  'ChunkMissing',
);
const revision: fc.Arbitrary<Revision> = fc.record(
  {
    sequence: count,
    digest: fc.string({ maxLength: 100 }),
    schemas: fc.array(count, { maxLength: 100 }),
    workers: count,
    refused: fc.option(
      fc.record({ sequence: count, refusal, message: fc.string() }, { noNullPrototype: true }),
    ),
  },
  { noNullPrototype: true },
);

const sound: Revision = { sequence: 3, digest: 'd', schemas: [1], workers: 2, refused: null };

test('a revision as JSON is parsed as it was', () => {
  fc.assert(
    fc.property(revision, (each) => {
      assert.deepEqual(parseRevision(`${JSON.stringify(each)}\n`), each);
    }),
  );
});

test('what a newer pod adds passes', () => {
  assert.equal(parseRevision(JSON.stringify({ ...sound, ofANewerPod: 1 })).sequence, 3);
});

test('text that is no JSON throws', () => {
  for (const text of ['', '{', 'ok', '<html>', `${JSON.stringify(sound)}x`])
    assert.throws(() => parseRevision(text), SyntaxError);
});

test('JSON that is no revision throws, and says where', () => {
  const refused = { sequence: 4, refusal: 'Malformed', message: 'x' };
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    sequence: [-1, 0.5, '1', null, 2 ** 53, undefined],
    digest: [7, null, 'x'.repeat(4097), undefined],
    schemas: [null, 1, ['1'], [-1], Array.from({ length: 101 }, () => 1), undefined],
    workers: [-1, '2', null, undefined],
    refused: [
      7,
      'x',
      [],
      {},
      { ...refused, sequence: -1 },
      { ...refused, message: 'x'.repeat(4097) },
      undefined,
    ],
  };
  for (const [field, values] of Object.entries(wrong))
    for (const value of values)
      assert.throws(() => parseRevision(JSON.stringify({ ...sound, [field]: value })), {
        message: new RegExp(
          `^the answer is no revision: (/${field}|/ must have required property '${field}')`,
        ),
      });
  for (const text of ['null', '[]', '7', '"x"']) assert.throws(() => parseRevision(text), /no revision: \/ /);
});
