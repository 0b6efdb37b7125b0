// What decode refuses: everything that encode could not have made, and never by throwing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decode, encode } from '#model/bundle.ts';
import type { Bundle, Chunk, Refusal } from '#model/bundle.ts';
import { chunkBytes } from '#model/limits.ts';
import { countPlaces, replaceAt } from '../translate/json-places.ts';
import { routeModel } from './arbitrary-model.ts';
import { exactHost, largeModel, modelOf, upstream } from './large-model.ts';
import { resealed, sealed, withText } from './resealed.ts';

const sound = encode(largeModel(3));
const [settings, hosts, upstreams] = sound.chunks as readonly [Chunk, Chunk, Chunk];

function assertRefused(bundle: Bundle, refusal: Refusal, message: RegExp): void {
  const decoded = decode(bundle);
  assert.equal(decoded.kind, 'Refused');
  assert.equal(decoded.refusal, refusal);
  assert.match(decoded.message, message);
}

test('the sound bundle, taken apart and sealed again, is decoded', () => {
  assert.equal(sound.chunks.length, 3);
  assert.deepEqual(sealed(1, sound.chunks), sound);
  assert.equal(decode(sealed(1, sound.chunks)).kind, 'Decoded');
});

test('an unknown schema is refused', () => {
  for (const schema of [0, 3, 99, NaN]) {
    assertRefused({ ...sound, schema }, 'UnknownSchema', /^schema .* is none of 1, 2$/);
    assertRefused(sealed(schema === schema ? schema : 0, sound.chunks), 'UnknownSchema', /is none of 1, 2$/);
  }
  assert.equal(decode({ ...sound, schema: '1' as unknown as number }).kind, 'Refused');
});

test('a missing, an extra and a repeated chunk are refused', () => {
  const extra = withText(hosts, '[]');
  for (const chunks of [[settings, hosts], [hosts, upstreams], [], [...sound.chunks, extra]])
    assertRefused({ ...sound, chunks }, 'DigestMismatch', /not those that the head names/);
  assertRefused(sealed(1, [hosts, upstreams]), 'Malformed', /no settings chunk/);
  assertRefused(sealed(1, []), 'Malformed', /no settings chunk/);
  assertRefused(sealed(1, [settings, hosts, hosts, upstreams]), 'Malformed', /host stands twice/);
  assertRefused(sealed(1, [settings, hosts, upstreams, upstreams]), 'Malformed', /upstream stands twice/);
});

test('two settings are refused: which of them holds must not depend on the order of chunks', () => {
  const other = withText(settings, settings.text.replace('"attempts":3', '"attempts":4'));
  assert.equal(decode(sealed(1, [settings, other, hosts, upstreams])).kind, 'Refused');
  assert.equal(decode(sealed(1, [settings, settings, hosts, upstreams])).kind, 'Refused');
});

test('a tampered text and a wrong digest are refused', () => {
  const tampered = { ...hosts, text: hosts.text.replace('"weight":1', '"weight":2') };
  assertRefused({ ...sound, chunks: [settings, tampered, upstreams] }, 'DigestMismatch', /other content/);
  const resealedHead = sealed(1, [settings, tampered, upstreams]);
  assertRefused(resealedHead, 'DigestMismatch', /other content/);
  assertRefused({ ...sound, digest: '0'.repeat(64) }, 'DigestMismatch', /head names/);
  assertRefused({ ...sound, digest: '' }, 'DigestMismatch', /head names/);
});

test('a host twice, an upstream twice and a backend that leads nowhere are refused', () => {
  const twice = (text: string): string => `[${text.slice(1, -1)},${text.slice(1, -1)}]`;
  assertRefused(resealed(sound, 1, twice), 'Malformed', /a host stands twice/);
  assertRefused(resealed(sound, 2, twice), 'Malformed', /an upstream stands twice/);
  const dangling = modelOf([exactHost('a.test', 'x/gone:80')], [upstream('x/s:80', 1)]);
  assertRefused(encode(dangling), 'Malformed', /host a\.test refers to the unknown upstream x\/gone:80/);
});

test('a chunk above the limit is refused before it is read', () => {
  const large = (text: string): string => `${text}${' '.repeat(chunkBytes)}`;
  assertRefused(resealed(sound, 1, large), 'TooLarge', /too large/);
  assertRefused(
    resealed(sound, 1, () => `"${'é'.repeat(chunkBytes / 2)}"`),
    'TooLarge',
    /too large/,
  );
});

test('text that is no JSON, or JSON of another shape, is refused', () => {
  for (const text of [
    '',
    '{',
    'null',
    '[]]',
    '{}',
    '[null]',
    '[[]]',
    '"x"',
    '[{"pattern":{"kind":"Exact"}}]',
  ])
    assertRefused(
      resealed(sound, 1, () => text),
      'Malformed',
      /^chunk hosts [0-9a-f]{12}: /,
    );
});

test('a chunk of an unknown kind is refused, also of a kind that every object has', () => {
  for (const kind of ['secrets', '', 'constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']) {
    const chunk = { ...hosts, kind } as unknown as Chunk;
    assertRefused(sealed(1, [settings, chunk, upstreams]), 'Malformed', /unknown kind/);
  }
});

/** Either a refusal, or a model that encode could have made: it travels once more. */
function assertTotal(bundle: Bundle): string {
  const decoded = decode(bundle);
  if (decoded.kind === 'Decoded') assert.deepEqual(decode(encode(decoded.model)), decoded);
  return decoded.kind;
}

/** A small sequence of pseudo-random numbers, the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

test('10,000 bit flips below sound digests never throw', () => {
  const random = numbers(7);
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 10_000; round++) {
    const index = random.next().value % sound.chunks.length;
    const flips = 1 + (random.next().value % 3);
    const bundle = resealed(sound, index, (text) => {
      const bytes = Buffer.from(text);
      for (let flip = 0; flip < flips; flip++) {
        const bit = (random.next().value >>> 3) % (bytes.length * 8);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
      return bytes.toString();
    });
    const kind = assertTotal(bundle);
    outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
  }
  // Both exits are reached, so the flips get past the digests and past the JSON parser.
  assert.ok((outcomes.get('Decoded') ?? 0) > 200 && (outcomes.get('Refused') ?? 0) > 200);
});

test('no JSON in any place of a chunk makes it throw', () => {
  fc.assert(
    fc.property(routeModel, fc.nat(), fc.nat(), fc.jsonValue(), (model, chunk, place, json) => {
      const bundle = encode(model);
      const mutated = resealed(bundle, chunk % bundle.chunks.length, (text) => {
        const value: unknown = JSON.parse(text);
        return JSON.stringify(replaceAt(value, place % countPlaces(value), json));
      });
      assertTotal(mutated);
    }),
    { numRuns: 1500 },
  );
});
