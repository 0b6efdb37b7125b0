// Canonical JSON: one text for equal values, another for different ones, and JSON all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { canonicalJson, digestOf } from '#model/canonical-json.ts';

/** The same value with the keys of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, field]): [string, unknown] => [key, reordered(field)]);
  return Object.fromEntries([...entries.slice(1), ...entries.slice(0, 1)]);
}

/** As JSON text holds it: without a -0. */
const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)));

const cases: readonly (readonly [unknown, string])[] = [
  [null, 'null'],
  [true, 'true'],
  [0, '0'],
  [-0, '0'],
  [1.5, '1.5'],
  [1e21, '1e+21'],
  ['', '""'],
  ['a "b"\n\\', String.raw`"a \"b\"\n\\"`],
  ['é€😀', '"é€😀"'],
  ['\u2028', '"\u2028"'],
  ['\ud800', String.raw`"\ud800"`],
  [[], '[]'],
  [{}, '{}'],
  [[1, [2, {}]], '[1,[2,{}]]'],
  [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
  [{ a: 1, B: 2, _: 3 }, '{"B":2,"_":3,"a":1}'],
  [{ 10: 'x', 9: 'y', a: 'z' }, '{"10":"x","9":"y","a":"z"}'],
  [{ '\uffff': 1, '😀': 2 }, '{"😀":2,"\uffff":1}'],
  [{ b: { d: 1, c: [{ f: 1, e: 2 }] }, a: null }, '{"a":null,"b":{"c":[{"e":2,"f":1}],"d":1}}'],
];

for (const [value, text] of cases)
  test(`${JSON.stringify(value)} has the text ${text}`, () => assert.equal(canonicalJson(value), text));

test('it is JSON, and reads back as the same value', () => {
  fc.assert(fc.property(json, (value) => assert.deepEqual(JSON.parse(canonicalJson(value)), value)));
});

test('the order of keys means nothing', () => {
  fc.assert(
    fc.property(json, (value) => assert.equal(canonicalJson(reordered(value)), canonicalJson(value))),
  );
});

test('it is its own canonical form', () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value);
      assert.equal(canonicalJson(JSON.parse(text)), text);
    }),
  );
});

test('values without JSON are refused, at any depth', () => {
  const none: readonly unknown[] = [undefined, NaN, Infinity, -Infinity, () => 1, Symbol('s')];
  for (const value of none)
    for (const around of [value, [value], { a: value }, [{ a: [value] }]])
      assert.throws(() => canonicalJson(around), TypeError);
});

test('digests are SHA-256 over UTF-8, in lower-case hex', () => {
  assert.equal(digestOf(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(digestOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(digestOf('é'), '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c');
});
