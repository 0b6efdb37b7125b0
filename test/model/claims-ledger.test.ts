// The ledger of claims travels in chunks as it is, in small ones, and what is broken of it is not believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compareText } from '#model/text-order.ts';
import { chunkName, parseChunkName } from '#model/chunk.ts';
import type { StoredChunk } from '#model/chunk.ts';
import { digestOf } from '#model/canonical-json.ts';
import { decodeClaims, encodeClaims } from '#model/claims-ledger.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { bucketBytes } from '#model/limits.ts';
import { plainChunk } from './resealed.ts';

const text = fc.string({ minLength: 1, maxLength: 20 });
const entry: fc.Arbitrary<LedgerEntry> = fc.record(
  { host: text, namespace: text, since: text },
  { noNullPrototype: true },
);
const ledger = fc.uniqueArray(entry, { maxLength: 50, selector: ({ host }) => host });

function sorted(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  return entries.toSorted((a, b) => compareText(a.host, b.host));
}

function decodeAll(chunks: readonly StoredChunk[]): readonly LedgerEntry[] {
  return sorted(
    chunks.flatMap((chunk) => {
      const entries = decodeClaims(chunk);
      assert.ok(entries !== undefined);
      return entries;
    }),
  );
}

function entriesOf(count: number): readonly LedgerEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    host: `host-${index}.example.com`,
    namespace: `team-${index % 7}`,
    since: '2026-01-01T00:00:00Z',
  }));
}

test('a ledger that is encoded is decoded as it was, sorted by host', () => {
  fc.assert(
    fc.property(ledger, (entries) => {
      assert.deepEqual(decodeAll(encodeClaims(entries)), sorted(entries));
    }),
  );
});

test('equal ledgers have equal chunks, in whatever order they are written', () => {
  fc.assert(
    fc.property(ledger, (entries) => {
      assert.deepEqual(
        encodeClaims(entries.toReversed()).map(plainChunk),
        encodeClaims(entries).map(plainChunk),
      );
    }),
  );
});

test('an empty ledger needs no chunk', () => {
  assert.deepEqual(encodeClaims([]), []);
});

test('a large ledger is cut into small chunks, and one claim more rewrites few of them', () => {
  const entries = entriesOf(20_000);
  const chunks = encodeClaims(entries);
  assert.ok(chunks.length > 10);
  for (const chunk of chunks) {
    assert.ok(Buffer.byteLength(chunk.text) <= bucketBytes.claims);
    assert.deepEqual(parseChunkName(chunkName(chunk)), { kind: 'claims', digest: chunk.digest });
  }
  assert.deepEqual(decodeAll(chunks), sorted(entries));
  const known = new Set(chunks.map(chunkName));
  const more = encodeClaims([...entries, { host: 'new.example.com', namespace: 'x', since: 'now' }]);
  const written = more.filter((chunk) => !known.has(chunkName(chunk)));
  assert.ok(written.length >= 1 && written.length <= 2, `${written.length} chunks`);
});

test('a chunk that is not what its digest says is not believed', () => {
  const [chunk] = encodeClaims(entriesOf(3)).map(plainChunk);
  assert.ok(chunk !== undefined);
  assert.equal(decodeClaims({ ...chunk, text: chunk.text.replace('team-1', 'team-2') }), undefined);
  assert.equal(decodeClaims({ ...chunk, digest: '0'.repeat(64) }), undefined);
  assert.equal(decodeClaims({ ...chunk, text: '' }), undefined);
});

test('text under a sound digest that is no ledger is not believed', () => {
  const sound = entriesOf(1)[0];
  for (const content of [
    '',
    '[',
    'null',
    '{}',
    '7',
    '[null]',
    '[[]]',
    '["a.test"]',
    JSON.stringify([{ ...sound, host: '' }]),
    JSON.stringify([{ ...sound, namespace: null }]),
    JSON.stringify([{ ...sound, since: 7 }]),
    JSON.stringify([{ host: 'a.test', namespace: 'x' }]),
  ])
    assert.equal(
      decodeClaims({ kind: 'claims', digest: digestOf(content), text: content }),
      undefined,
      content,
    );
});

test('what a newer writer adds to an entry passes', () => {
  const content = JSON.stringify([{ ...entriesOf(1)[0], ofANewerWriter: [1] }]);
  assert.equal(decodeClaims({ kind: 'claims', digest: digestOf(content), text: content })?.length, 1);
});
