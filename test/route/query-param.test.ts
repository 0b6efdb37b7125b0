// Query parameters as forms encode them: the first of a name, decoded; what cannot be decoded, as it was sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { queryParam } from '#route/match-request.ts';

const cases: readonly (readonly [query: string, name: string, expected: string | undefined])[] = [
  ['', 'a', undefined],
  ['a=1', 'a', '1'],
  ['a=1', 'A', undefined],
  ['a=1', 'b', undefined],
  ['b=0&a=1', 'a', '1'],
  ['a=1&a=2', 'a', '1'],
  ['a', 'a', ''],
  ['a=', 'a', ''],
  ['b&a', 'a', ''],
  ['a&b=1', 'a', ''],
  ['&&a=1&', 'a', '1'],
  ['=1', '', '1'],
  ['a=b=c', 'a', 'b=c'],
  ['a=1;b=2', 'b', undefined],
  ['aa=1&a=2', 'a', '2'],
  ['ab=1', 'a', undefined],
  ['a=x+y', 'a', 'x y'],
  ['a=x%20y', 'a', 'x y'],
  ['a=x%2By', 'a', 'x+y'],
  ['a+b=1', 'a b', '1'],
  ['%61=%31', 'a', '1'],
  ['a=%26b=2', 'a', '&b=2'],
  ['a=%3d', 'a', '='],
  ['a=caf%C3%A9', 'a', 'café'],
  ['caf%C3%A9=1', 'café', '1'],
  ['a=%E9', 'a', '%E9'],
  ['a=%', 'a', '%'],
  ['a=%4', 'a', '%4'],
  ['a=1%zz+2', 'a', '1%zz+2'],
  ['%zz=1', '%zz', '1'],
  ['constructor', 'constructor', ''],
  ['a=1', 'constructor', undefined],
];

for (const [query, name, expected] of cases)
  test(`${name} of ?${query} is ${JSON.stringify(expected)}`, () =>
    assert.equal(queryParam(query, name), expected));

test('it agrees with URLSearchParams on everything that decodes', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '+', '%20', '%61', '%C3%A9', '&', '=', ';', '-'),
  });
  fc.assert(
    fc.property(text, fc.constantFrom('a', 'b', 'aa', '', ' ', 'é', 'a='), (query, name) => {
      // URLSearchParams has no parameter where there is no text between two &.
      if (name === '' && /(?:^|&)(?:&|$)/.test(query)) return;
      assert.equal(queryParam(query, name), new URLSearchParams(query).get(name) ?? undefined);
    }),
    { numRuns: 2000 },
  );
});
