// Ten thousand heads and bundles, each damaged in another way: decoding never throws, and what it lets through is sound.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import { storedKinds } from '#model/chunk.ts';
import type { Chunk } from '#model/chunk.ts';
import { decodeHead, encodeHead } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { decodeClaims, encodeClaims } from '#model/claims-ledger.ts';
import { chunkValidators, newestSchema } from '#model/route-model-schema.ts';
import { countPlaces, replaceAt } from '../translate/json-places.ts';
import { asWritten } from './as-written.ts';
import { plainBundle, resealed, sealed, withText } from './resealed.ts';
import { revealed } from './revealed.ts';
import { variedModel } from './varied-model.ts';

const rounds = 10_000;
const sound = plainBundle(encode(variedModel()));
const claims = encodeClaims([
  { host: 'a.test', namespace: 'x', since: '2026-01-01T00:00:00Z' },
  { host: '*.é.test', namespace: 'y', since: '2026-01-02T00:00:00Z' },
]);
const { digest, chunks } = sound;
const schemas = [2, 3, 4, 5] as const;
const headTexts = schemas.map((schema) =>
  encodeHead({ schema, epoch: 4, sequence: 17, digest, chunks, claims }),
);

/** Pseudo-random whole numbers, the same in every run. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of such a sequence repeat soon.
    return Math.floor((this.#state / 2 ** 32) * bound);
  }

  of<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    assert.ok(value !== undefined || values.length > 0);
    return value as T;
  }
}

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  'x',
  'constructor',
  '__proto__',
  '\u0000',
  '\ud800',
  [],
  [[]],
  {},
  { kind: 'Exact' },
  { kind: 'AnyHost' },
  { length: 3 },
];

type Mutation = (text: string, dice: Dice) => string;

function span(text: string, dice: Dice): readonly [number, number] {
  const start = dice.below(text.length + 1);
  return [start, Math.min(text.length, start + dice.below(60))];
}

/** Damage to bytes, which rarely leaves JSON behind, and to JSON, which always does. */
const mutations: Readonly<Record<string, Mutation>> = {
  flippedBits: (text, dice) => {
    const bytes = Buffer.from(text);
    for (let flips = 1 + dice.below(3); flips > 0; flips--) {
      const at = dice.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
    }
    return bytes.toString();
  },
  truncated: (text, dice) => text.slice(0, dice.below(text.length)),
  duplicatedSpan: (text, dice) => {
    const [start, end] = span(text, dice);
    return text.slice(0, end) + text.slice(start);
  },
  removedSpan: (text, dice) => {
    const [start, end] = span(text, dice);
    return text.slice(0, start) + text.slice(end);
  },
  movedSpan: (text, dice) => {
    const [start, end] = span(text, dice);
    const rest = text.slice(0, start) + text.slice(end);
    const at = dice.below(rest.length + 1);
    return rest.slice(0, at) + text.slice(start, end) + rest.slice(at);
  },
  anotherDigit: (text, dice) => {
    const digits = [...text.matchAll(/[0-9]/g)].map(({ index }) => index);
    if (digits.length === 0) return text;
    const at = dice.of(digits);
    return `${text.slice(0, at)}${dice.below(10)}${text.slice(at + 1)}`;
  },
  anotherValue: (text, dice) => {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(replaceAt(value, dice.below(countPlaces(value)), dice.of(values)));
  },
  valueFromElsewhere: (text, dice) => {
    const value: unknown = JSON.parse(text);
    const count = countPlaces(value);
    const found = placeAt(value, dice.below(count));
    return JSON.stringify(replaceAt(value, dice.below(count), found));
  },
  repeatedKey: (text, dice) => {
    const keys = [...text.matchAll(/"[a-zA-Z]+":/g)].map(([key]) => key);
    const opening = [...text.matchAll(/\{/g)].map(({ index }) => index + 1);
    if (keys.length === 0) return text;
    const at = dice.of(opening);
    return `${text.slice(0, at)}${dice.of(keys)}${JSON.stringify(dice.of(values))},${text.slice(at)}`;
  },
  listEntry: (text, dice) => {
    const value: unknown = JSON.parse(text);
    const number = dice.below(countPlaces(value));
    const found = placeAt(value, number);
    if (!Array.isArray(found) || found.length === 0) return text;
    const at = dice.below(found.length);
    const changed = dice.below(2) === 0 ? found.toSpliced(at, 1) : [...found, found[at]];
    return JSON.stringify(replaceAt(value, number, changed));
  },
};

const names = Object.keys(mutations);

/** The value at place `number`, counted as `replaceAt` counts. */
function placeAt(value: unknown, number: number): unknown {
  if (number === 0 || typeof value !== 'object' || value === null) return value;
  let left = number - 1;
  for (const field of Object.values(value)) {
    const places = countPlaces(field);
    if (left < places) return placeAt(field, left);
    left -= places;
  }
  return undefined;
}

function mutated(text: string, round: number, dice: Dice): string {
  const mutation = mutations[names[round % names.length] ?? ''];
  assert.ok(mutation !== undefined);
  return mutation(text, dice);
}

class Counts {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}

const digestPattern = /^[0-9a-f]{64}$/;

function assertSoundHead(head: Head): void {
  assert.ok([1, 2, 3, 4, 5].includes(head.schema));
  for (const count of [head.epoch, head.sequence]) assert.ok(Number.isSafeInteger(count) && count >= 0);
  assert.ok(head.sequence >= 1);
  assert.match(head.digest, digestPattern);
  for (const ref of [...head.chunks, ...head.claims]) {
    assert.match(ref.digest, digestPattern);
    assert.ok(storedKinds.includes(ref.kind));
  }
  const again = decodeHead(encodeHead(head));
  assert.equal(again.kind, 'Decoded');
  assert.equal(encodeHead(again.head), encodeHead(head));
}

for (const [index, headText] of headTexts.entries())
  test(`no damaged head of schema ${schemas[index]} makes decoding throw, and those that pass are heads`, () => {
    const dice = new Dice(23);
    const counts = new Counts();
    for (let round = 0; round < rounds; round++) {
      const decoded = decodeHead(mutated(headText, round, dice));
      counts.add(decoded.kind);
      if (decoded.kind === 'Decoded') assertSoundHead(decoded.head);
      else {
        counts.add(decoded.refusal);
        assert.notEqual(decoded.message, '');
      }
    }
    assert.ok(counts.of('Decoded') > 100 && counts.of('Malformed') > 1000 && counts.of('UnknownSchema') > 10);
  });

/** Damage to the bundle itself rather than to a chunk of it; every digest is made right again. */
function rearranged(bundle: Bundle, dice: Dice): Bundle {
  const chunk = dice.of(bundle.chunks);
  switch (dice.below(4)) {
    case 0:
      return sealed(
        bundle.schema,
        bundle.chunks.filter((each) => each !== chunk),
      );
    case 1:
      return sealed(bundle.schema, [...bundle.chunks, chunk]);
    case 2: {
      const kind = dice.of([...storedKinds, 'constructor']) as Chunk['kind'];
      return sealed(
        bundle.schema,
        bundle.chunks.map((each) => (each === chunk ? { ...each, kind } : each)),
      );
    }
    default:
      return sealed(bundle.schema, [...bundle.chunks, withText(chunk, dice.of(['[]', '{}', 'null', '']))]);
  }
}

function assertSoundBundle(bundle: Bundle, counts: Counts): void {
  const decoded = decode(bundle);
  counts.add(decoded.kind);
  if (decoded.kind === 'Refused') {
    counts.add(decoded.refusal);
    assert.notEqual(decoded.message, '');
    return;
  }
  for (const [kind, content] of Object.entries(asWritten(decoded.model, newestSchema)))
    assert.ok(chunkValidators.get(newestSchema)?.get(kind)?.(content), kind);
  // What decodes is a model that encode could have made: it travels once more.
  const again = decode(encode(decoded.model));
  assert.ok(again.kind === 'Decoded');
  assert.deepEqual(revealed(again.model), revealed(decoded.model));
}

test('no damaged bundle below sound digests makes decoding throw, and those that pass fit the schema', () => {
  const dice = new Dice(42);
  const counts = new Counts();
  for (let round = 0; round < rounds; round++) {
    const bundle =
      dice.below(10) === 0
        ? rearranged(sound, dice)
        : resealed(sound, dice.below(chunks.length), (text) => mutated(text, round, dice));
    assertSoundBundle(bundle, counts);
  }
  assert.ok(counts.of('Decoded') > 500 && counts.of('Malformed') > 1000);
});

test('no damage below digests that are left as they were is let through', () => {
  const dice = new Dice(7);
  for (let round = 0; round < 2000; round++) {
    const index = dice.below(chunks.length);
    const text = mutated(chunks[index]?.text ?? '', round, dice);
    if (text === chunks[index]?.text) continue;
    const damaged = chunks.map((chunk, at) => (at === index ? { ...chunk, text } : chunk));
    const decoded = decode({ ...sound, chunks: damaged });
    assert.ok(decoded.kind === 'Refused' && decoded.refusal === 'DigestMismatch');
  }
});

test('no damaged chunk of claims makes decoding throw, and those that pass are ledgers', () => {
  const dice = new Dice(5);
  const [chunk] = claims;
  assert.ok(chunk !== undefined);
  let passed = 0;
  for (let round = 0; round < rounds; round++) {
    const text = mutated(chunk.text, round, dice);
    const entries = decodeClaims({ ...chunk, ...withText(sound.chunks[0] as Chunk, text), kind: 'claims' });
    for (const { host, namespace, since } of entries ?? [])
      for (const field of [host, namespace, since]) assert.ok(typeof field === 'string' && field !== '');
    if (entries !== undefined) passed++;
    if (text !== chunk.text) assert.equal(decodeClaims({ ...chunk, text }), undefined);
  }
  assert.ok(passed > 100 && passed < rounds / 2);
});
