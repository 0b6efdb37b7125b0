// The head as text: what is encoded is decoded as it was, and any other text is refused for what is wrong with it first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Refusal } from '#model/chunk-reader.ts';
import { chunkName, parseChunkName, storedKinds } from '#model/chunk.ts';
import type { ChunkRef, StoredKind } from '#model/chunk.ts';
import { decodeHead, encodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { configMapBytes } from '#model/limits.ts';
import { compareText } from '#model/text-order.ts';

const digest = fc
  .array(fc.constantFrom(...Array.from('0123456789abcdef')), { minLength: 64, maxLength: 64 })
  .map((digits) => digits.join(''));
const count = (min: number): fc.Arbitrary<number> => fc.integer({ min, max: Number.MAX_SAFE_INTEGER });

function refs(...kinds: readonly StoredKind[]): fc.Arbitrary<ChunkRef[]> {
  return fc
    .uniqueArray(fc.record({ kind: fc.constantFrom(...kinds), digest }, { noNullPrototype: true }), {
      maxLength: 20,
      selector: chunkName,
    })
    .map(inOrder);
}

function inOrder(list: readonly ChunkRef[]): ChunkRef[] {
  return list.toSorted((a, b) => compareText(chunkName(a), chunkName(b)));
}

function headOf(schemas: readonly number[], ...kinds: readonly StoredKind[]): fc.Arbitrary<Head> {
  return fc.record(
    {
      schema: fc.constantFrom(...schemas),
      epoch: count(0),
      sequence: count(1),
      digest,
      chunks: refs(...kinds),
      claims: refs('claims'),
    },
    { noNullPrototype: true },
  );
}

const arbitraryHead: fc.Arbitrary<Head> = fc.oneof(
  headOf([1, 2], 'settings', 'hosts', 'upstreams'),
  headOf([3], 'settings', 'zones', 'hosts', 'upstreams', 'certificates'),
);

const zeros = '0'.repeat(64);
const head: Head = {
  schema: 2,
  epoch: 1,
  sequence: 1,
  digest: zeros,
  chunks: [{ kind: 'settings', digest: zeros }],
  claims: [],
};

type Content = Readonly<Record<string, unknown>>;

const named = JSON.parse(encodeHead(head)) as Content;
const byKind = JSON.parse(encodeHead({ ...head, schema: 3 })) as Content;
const sounds = [named, byKind];

test('a head that is encoded is decoded as it was', () => {
  fc.assert(
    fc.property(arbitraryHead, (head) => {
      const decoded = decodeHead(encodeHead(head));
      assert.ok(decoded.kind === 'Decoded');
      const { chunks, ...rest } = decoded.head;
      assert.deepEqual({ chunks: inOrder(chunks), ...rest }, head);
    }),
  );
});

test('a head of schema 3 holds digests alone, and is smaller than one with names', () => {
  const chunks = Array.from({ length: 500 }, (_, index): ChunkRef => ({
    kind: 'hosts',
    digest: index.toString(16).padStart(64, '0'),
  }));
  const claims: ChunkRef[] = [{ kind: 'claims', digest: 'f'.repeat(64) }];
  const text = encodeHead({ ...head, schema: 3, chunks, claims });
  assert.doesNotMatch(text, /flint/);
  assert.deepEqual((JSON.parse(text) as { chunks: unknown }).chunks, {
    settings: [],
    zones: [],
    hosts: chunks.map(({ digest }) => Buffer.from(digest, 'hex').toString('base64url')),
    upstreams: [],
    certificates: [],
    keys: [],
    claims: [`${'_'.repeat(42)}8`],
  });
  assert.ok(text.length < encodeHead({ ...head, chunks, claims }).length);
});

test('equal heads have equal bytes, in whatever order their chunks and fields stand', () => {
  fc.assert(
    fc.property(arbitraryHead, (head) => {
      const { schema, epoch, sequence, digest, chunks, claims } = head;
      const other = {
        claims: claims.toReversed(),
        chunks: chunks.toReversed(),
        digest,
        sequence,
        epoch,
        schema,
      };
      assert.equal(encodeHead(other), encodeHead(head));
    }),
  );
});

test('no text makes decoding throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((text) => text.slice(1)),
      ),
      (text) => {
        assert.ok(['Decoded', 'Refused'].includes(decodeHead(text).kind));
      },
    ),
  );
});

function assertRefused(content: unknown, refusal: Refusal, message: RegExp): void {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const decoded = decodeHead(text);
  assert.ok(decoded.kind === 'Refused', text.slice(0, 200));
  assert.equal(decoded.refusal, refusal);
  assert.match(decoded.message, message);
}

test('another schema is refused as such, whatever else is wrong', () => {
  for (const schema of [0, 6, 1.5, -1, '1', null, [], {}])
    for (const rest of [...sounds, {}, { sequence: 'x', chunks: 7 }])
      assertRefused({ ...rest, schema }, 'UnknownSchema', /^schema .* is none of 1, 2, 3, 4, 5$/);
  for (const content of [{}, [], null, 7, true, '"text"', sounds])
    assertRefused(content, 'UnknownSchema', /^schema undefined is none of 1, 2, 3, 4, 5$/);
});

test('text that is no JSON is malformed', () => {
  for (const text of ['', ' ', '{', encodeHead(head).slice(1), `${encodeHead(head)}x`, '{"schema":1'])
    assertRefused(text, 'Malformed', /^the head is no JSON: ./);
});

type Wrong = Readonly<Record<string, readonly unknown[]>>;

const wrongNumbers: Wrong = {
  epoch: [-1, 0.5, '1', null, 2 ** 53, []],
  sequence: [0, -1, 0.5, '1', null, 2 ** 53, {}],
  digest: ['', zeros.slice(1), `${zeros}0`, zeros.replace('0', 'A'), 7, null],
};

function assertMalformed(sound: Content, wrong: Wrong): void {
  for (const [field, values] of Object.entries(wrong)) {
    const { [field]: _, ...rest } = sound;
    assertRefused(rest, 'Malformed', new RegExp(`^the head: / must have required property '${field}'$`));
    for (const value of values)
      assertRefused({ ...sound, [field]: value }, 'Malformed', new RegExp(`^the head: /${field}`));
  }
}

test('a head with a field missing, of another type or out of bounds is malformed', () => {
  const name = `flint-hosts-${zeros}`;
  assertMalformed(named, {
    ...wrongNumbers,
    chunks: [
      null,
      {},
      'x',
      name,
      [7],
      [null],
      [''],
      ['flint-head'],
      [`${name}0`],
      [name.slice(1)],
      [name, name],
    ],
    claims: [
      null,
      {},
      ['x'],
      [name.toUpperCase()],
      [`x${name}`],
      [`flint-claims-${zeros}`, `flint-claims-${zeros}`],
    ],
  });
});

test('so is a head by kind, and one without a list of settings or claims', () => {
  const { chunks } = byKind as { chunks: Content };
  const short = 'A'.repeat(43);
  const lists = [
    null,
    {},
    'x',
    short,
    [7],
    [null],
    [''],
    [zeros],
    [`flint-hosts-${zeros}`],
    [short.slice(1)],
    [`${short}A`],
    // The same 32 bytes, written in another way.
    [`${short.slice(1)}B`],
    [short, short],
  ];
  assertMalformed(byKind, {
    ...wrongNumbers,
    chunks: [
      null,
      [],
      'x',
      named['chunks'],
      ...['settings', 'claims'].map((kind) => ({ ...chunks, [kind]: undefined })),
      ...Object.keys(chunks).flatMap((kind) => lists.map((list) => ({ ...chunks, [kind]: list }))),
    ],
  });
});

test('what a newer writer adds passes', () => {
  for (const sound of sounds) {
    const decoded = decodeHead(JSON.stringify({ ...sound, ofANewerWriter: { a: [1] } }));
    assert.ok(decoded.kind === 'Decoded');
    assert.equal(decoded.head.sequence, 1);
  }
});

test('chunks of a kind that this build does not know are left out of a head by kind', () => {
  const { chunks } = byKind as { chunks: Content };
  for (const kind of ['secrets', 'constructor', '__proto__']) {
    const text = JSON.stringify({ ...byKind, chunks: { ...chunks, ofANewerWriter: [zeros] } });
    const decoded = decodeHead(text.replace('ofANewerWriter', kind));
    assert.ok(decoded.kind === 'Decoded');
    assert.deepEqual(decoded.head.chunks, head.chunks);
  }
});

test('a head larger than an object may be is refused before it is read', () => {
  const fit = encodeHead(head).padEnd(configMapBytes, ' ');
  assert.equal(decodeHead(fit).kind, 'Decoded');
  assertRefused(`${fit} `, 'TooLarge', /too large/);
  assertRefused('x'.repeat(configMapBytes + 1), 'TooLarge', /too large/);
  // Bytes count, not characters.
  assertRefused(`"${'é'.repeat(configMapBytes / 2)}"`, 'TooLarge', /too large/);
});

test('the name of a chunk and its reference say the same', () => {
  fc.assert(
    fc.property(
      fc.record({ kind: fc.constantFrom(...storedKinds), digest }, { noNullPrototype: true }),
      (ref) => {
        assert.deepEqual(parseChunkName(chunkName(ref)), ref);
      },
    ),
  );
});

test('any other name is none of a chunk', () => {
  const name = `flint-hosts-${zeros}`;
  for (const other of [
    '',
    'flint-head',
    'flint-hosts-',
    `flint-secrets-${zeros}`,
    `flint-constructor-${zeros}`,
    ` ${name}`,
    `${name}\n`,
    `${name}0`,
    `x${name}`,
    name.slice(0, -1),
    name.replace('flint', 'Flint'),
    `flint-hosts-${'A'.repeat(64)}`,
    `flint-hosts-${'g'.repeat(64)}`,
  ])
    assert.equal(parseChunkName(other), undefined, JSON.stringify(other));
});
