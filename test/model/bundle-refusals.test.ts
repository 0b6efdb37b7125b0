// What decode refuses: everything that encode could not have made, and never by throwing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode } from '#model/bundle.ts';
import type { Bundle } from '#model/bundle.ts';
import { decode } from '#model/bundle-reader.ts';
import type { Chunk } from '#model/chunk.ts';
import type { Refusal } from '#model/chunk-reader.ts';
import { chunkBytes } from '#model/limits.ts';
import type { RouteModel, Rule } from '#model/route-model.ts';
import { newestSchema } from '#model/route-model-schema.ts';
import { countPlaces, replaceAt } from '../translate/json-places.ts';
import { routeModel } from './arbitrary-model.ts';
import { exactHost, modelOf, upstream } from './large-model.ts';
import { plainBundle, resealed, sealed, withText } from './resealed.ts';
import { revealed } from './revealed.ts';
import { keyText, variedModel } from './varied-model.ts';

const sound = plainBundle(encode(variedModel()));
const [settings, hosts, upstreams, zones, certificates, keys] = sound.chunks as readonly [
  Chunk,
  Chunk,
  Chunk,
  Chunk,
  Chunk,
  Chunk,
];

function assertRefused(bundle: Bundle, refusal: Refusal, message: RegExp): void {
  const decoded = decode(bundle);
  assert.equal(decoded.kind, 'Refused');
  assert.equal(decoded.refusal, refusal);
  assert.match(decoded.message, message);
}

test('the sound bundle, taken apart and sealed again, is decoded', () => {
  assert.deepEqual(
    sound.chunks.map(({ kind }) => kind),
    ['settings', 'hosts', 'upstreams', 'zones', 'certificates', 'keys'],
  );
  assert.deepEqual(sealed(newestSchema, sound.chunks), sound);
  assert.equal(decode(sealed(newestSchema, sound.chunks)).kind, 'Decoded');
});

test('an unknown schema is refused', () => {
  for (const schema of [0, 6, 99, NaN]) {
    assertRefused({ ...sound, schema }, 'UnknownSchema', /^schema .* is none of 1, 2, 3, 4, 5$/);
    assertRefused(
      sealed(schema === schema ? schema : 0, sound.chunks),
      'UnknownSchema',
      /is none of 1, 2, 3, 4, 5$/,
    );
  }
  assert.equal(decode({ ...sound, schema: '5' as unknown as number }).kind, 'Refused');
});

test('a missing, an extra and a repeated chunk are refused', () => {
  const extra = withText(hosts, '[]');
  for (const chunks of [[settings, hosts], sound.chunks.slice(1), [], [...sound.chunks, extra]])
    assertRefused({ ...sound, chunks }, 'DigestMismatch', /not those that the head names/);
  assertRefused(sealed(newestSchema, sound.chunks.slice(1)), 'Malformed', /no settings chunk/);
  assertRefused(sealed(newestSchema, []), 'Malformed', /no settings chunk/);
  for (const [twice, message] of [
    [hosts, /a host stands twice/],
    [upstreams, /an upstream stands twice/],
    [zones, /a node stands twice/],
    [certificates, /a certificate stands twice/],
    [keys, /a key stands twice/],
  ] as const)
    assertRefused(sealed(newestSchema, [...sound.chunks, twice]), 'Malformed', message);
});

test('two settings are refused: which of them holds must not depend on the order of chunks', () => {
  const other = withText(settings, settings.text.replace('"attempts":3', '"attempts":4'));
  for (const second of [other, settings])
    assertRefused(sealed(newestSchema, [...sound.chunks, second]), 'Malformed', /two settings chunks/);
});

test('a tampered text and a wrong digest are refused', () => {
  const tampered = { ...hosts, text: hosts.text.replace('"weight":1', '"weight":2') };
  const chunks = sound.chunks.with(1, tampered);
  assertRefused({ ...sound, chunks }, 'DigestMismatch', /other content/);
  const resealedHead = sealed(newestSchema, chunks);
  assertRefused(resealedHead, 'DigestMismatch', /other content/);
  assertRefused({ ...sound, digest: '0'.repeat(64) }, 'DigestMismatch', /head names/);
  assertRefused({ ...sound, digest: '' }, 'DigestMismatch', /head names/);
});

test('a value that stands twice in one chunk is refused', () => {
  const twice = (text: string): string => `[${text.slice(1, -1)},${text.slice(1, -1)}]`;
  for (const [index, message] of [
    [1, /a host stands twice/],
    [2, /an upstream stands twice/],
    [3, /a node stands twice/],
    [4, /a certificate stands twice/],
    [5, /a key stands twice/],
  ] as const)
    assertRefused(resealed(sound, index, twice), 'Malformed', message);
});

test('an endpoint with a port that is none is refused, in every schema', () => {
  for (const port of [0, 65_536, 99_999]) {
    const wrong = (text: string): string => text.replace(/:8080"/, `:${port}"`);
    assertRefused(
      resealed(sound, 2, wrong),
      'Malformed',
      /^chunk upstreams [0-9a-f]{12} has an endpoint with a port/,
    );
    const older = plainBundle(encode(modelOf([], [upstream('x/s:80', 1)]), 2));
    const at = older.chunks.findIndex(({ kind }) => kind === 'upstreams');
    const wrongAtLength = (text: string): string => text.replace('"port":8080', `"port":${port}`);
    assertRefused(resealed(older, at, wrongAtLength), 'Malformed', /\/0\/endpoints\/0\/port must be/);
  }
});

const slowStart = { kind: 'SlowStart', windowMs: 1 } as const;
const hashed = { kind: 'ConsistentHash', source: 'ClientAddress', name: '' } as const;
const spare = { kind: 'Fallback', upstream: 'x/gone:80', weight: 1 } as const;
const session = {
  kind: 'SessionPersistence',
  source: 'Cookie',
  name: 's',
  lifetime: 'Session',
  absoluteMs: 0,
  idleMs: 0,
} as const;

function withSession(rule: Rule): Rule {
  return { ...rule, filters: [session] };
}

test('a reference that leads nowhere is refused', () => {
  const known = upstream('x/s:80', 2);
  const dangling = exactHost('a.test', 'x/gone:80');
  const rule = dangling.rules[0]!;
  const plain = modelOf([exactHost('a.test', 'x/s:80')], [known]);
  const broken: readonly (readonly [RouteModel, RegExp])[] = [
    [modelOf([dangling], [known]), /^host a\.test refers to the unknown upstream x\/gone:80$/],
    [
      { ...plain, settings: { ...plain.settings, fallback: { kind: 'Rule', rule } } },
      /^the fallback refers to the unknown upstream x\/gone:80$/,
    ],
    [
      {
        ...plain,
        settings: {
          ...plain.settings,
          defaultCertificate: { kind: 'Certificate', certificate: 'x/gone' },
        },
      },
      /^the default certificate refers to the unknown certificate x\/gone$/,
    ],
    [
      { ...plain, hosts: plain.hosts.map((host) => ({ ...host, certificates: ['x/gone'] })) },
      /^host a\.test refers to the unknown certificate x\/gone$/,
    ],
    [
      { ...plain, upstreams: [{ ...known, zoneHints: [{ zone: 'zone-a', endpoints: [0, 2] }] }] },
      /^upstream x\/s:80 has a hint for an endpoint that it does not have$/,
    ],
    [
      { ...plain, hosts: plain.hosts.map((host) => ({ ...host, rules: host.rules.map(withSession) })) },
      /^host a\.test refers to the unknown key session$/,
    ],
    [
      modelOf([{ ...dangling, rules: [{ ...rule, backends: [spare] }] }], [known]),
      /^host a\.test refers to the unknown upstream x\/gone:80$/,
    ],
    [
      { ...plain, upstreams: [{ ...known, policies: [slowStart, slowStart] }] },
      /^upstream x\/s:80 has policies twice or out of order$/,
    ],
    [
      { ...plain, upstreams: [{ ...known, policies: [slowStart, hashed] }] },
      /^upstream x\/s:80 has policies twice or out of order$/,
    ],
  ];
  for (const [model, message] of broken) assertRefused(encode(model), 'Malformed', message);
});

for (const [index, chunk] of [
  [4, certificates],
  [5, keys],
] as const)
  test(`no refusal of a damaged chunk of ${chunk.kind} shows key material`, () => {
    assertNoKeyShown(index, chunk);
  });

function assertNoKeyShown(index: number, chunk: Chunk): void {
  const [signingKey] = variedModel().keys;
  const parts = [...keyText.split('\n').filter((line) => line !== ''), signingKey!.key.reveal()];
  const assertHidden = (bundle: Bundle): void => {
    const decoded = decode(bundle);
    if (decoded.kind === 'Refused')
      for (const part of parts) assert.ok(!decoded.message.includes(part.slice(0, 8)), decoded.message);
  };
  const { text } = chunk;
  for (let cut = 0; cut < text.length; cut++) {
    assertHidden(resealed(sound, index, () => text.slice(0, cut)));
    assertHidden(resealed(sound, index, () => text.slice(cut)));
  }
  const value: unknown = JSON.parse(text);
  for (let place = 0; place < countPlaces(value); place++)
    for (const json of [
      null,
      keyText,
      [keyText],
      { [keyText]: keyText },
      { key: keyText },
      { kind: keyText },
    ])
      assertHidden(resealed(sound, index, () => JSON.stringify(replaceAt(value, place, json))));
  // Under another kind the same text meets another schema.
  for (const kind of ['settings', 'hosts', 'upstreams', 'zones'] as const)
    assertHidden(sealed(newestSchema, [{ ...chunk, kind }]));
}

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
    assertRefused(sealed(newestSchema, sound.chunks.with(1, chunk)), 'Malformed', /unknown kind/);
  }
});

/** Either a refusal, or a model that encode could have made: it travels once more. */
function assertTotal(bundle: Bundle): string {
  const decoded = decode(bundle);
  if (decoded.kind === 'Decoded') {
    const again = decode(encode(decoded.model));
    assert.deepEqual(again, decoded);
    assert.ok(again.kind === 'Decoded');
    assert.deepEqual(revealed(again.model), revealed(decoded.model));
  }
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
