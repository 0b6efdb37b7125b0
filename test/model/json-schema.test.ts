// Our small schema compiler judges as ajv does: every value alike, and with the same first error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { compileSchema } from '#model/json-schema.ts';
import type { Schema } from '#model/json-schema.ts';
import { countPlaces, replaceAt } from '../translate/json-places.ts';

const variant = (kind: string, properties: Schema): Schema => ({
  type: 'object',
  required: ['kind', ...Object.keys(properties)],
  properties: { kind: { const: kind }, ...properties },
});

/** Every keyword that is understood, each within another. */
const schema: Schema = {
  type: 'object',
  required: ['list', 'union', 'map'],
  properties: {
    list: { type: 'array', items: { type: 'integer', minimum: -2, maximum: 300 } },
    union: {
      type: 'object',
      required: ['kind'],
      discriminator: { propertyName: 'kind' },
      oneOf: [
        variant('Text', { text: { type: 'string', minLength: 1, pattern: '^[a-z]*$' } }),
        variant('Word', { word: { enum: ['one', 'two', 3] } }),
        variant('None', {}),
      ],
    },
    map: {
      type: 'object',
      properties: {
        names: { type: 'array', uniqueItems: true, items: { type: 'string' } },
        anything: { type: 'array', items: { type: 'array', items: { type: 'string' } } },
      },
    },
  },
};

const sound: readonly unknown[] = [
  { list: [], union: { kind: 'None' }, map: {} },
  { list: [-2, 300], union: { kind: 'Text', text: 'abc', more: 1 }, map: { names: ['a', 'b'], other: 2 } },
  { list: [0], union: { kind: 'Word', word: 3 }, map: { anything: [[], ['x']], names: [] } },
];

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    null,
    -3,
    -2,
    300,
    301,
    0.5,
    1e308,
    '',
    'a',
    'A',
    'one',
    3,
    [],
    {},
    ['a', 'a'],
    [['a'], 7],
    { kind: 'Text' },
    { kind: 'Word', word: 'three' },
    { kind: 'constructor' },
    { kind: ['Text'] },
  ),
);

test('whatever stands at whichever place, the verdict and the first error are those of ajv', () => {
  const reference = new Ajv({ discriminator: true }).compile(schema);
  const validate = compileSchema(schema);
  const outcomes = { true: 0, false: 0 };
  const assertAlike = (value: unknown): void => {
    const verdict = reference(value);
    outcomes[`${verdict}`]++;
    assert.equal(validate(value), verdict, JSON.stringify(value));
    const [expected] = reference.errors ?? [];
    const [error] = validate.errors;
    assert.equal(error?.instancePath, expected?.instancePath, JSON.stringify(value));
    // It also says which two items are alike.
    assert.equal(error?.message, expected?.message?.replace(/ \(items .*/, ''), JSON.stringify(value));
  };
  for (const value of sound) assertAlike(value);
  fc.assert(
    fc.property(fc.constantFrom(...sound), fc.nat(), odd, (value, place, json) => {
      assertAlike(replaceAt(value, place % countPlaces(value), json));
    }),
    { numRuns: 5000 },
  );
  assert.ok(outcomes.true > 200 && outcomes.false > 2000, JSON.stringify(outcomes));
});

test('a schema that says what nobody would check is an error', () => {
  for (const unknown of [
    {},
    { type: 'number' },
    { type: 'string', maxLength: 3 },
    { type: 'array', items: { type: 'string' }, maxItems: 3 },
    { type: 'array', items: { type: 'integer' }, uniqueItems: true },
    { type: 'object', additionalProperties: false },
    { enum: [1], type: 'integer' },
  ])
    assert.throws(() => compileSchema(unknown), TypeError, JSON.stringify(unknown));
});
