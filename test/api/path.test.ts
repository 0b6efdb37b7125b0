// Paths that objects may name: what the API refuses, and that the rest is a path for requests as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pathFault } from '#api/path.ts';
import { normalizePath } from '#model/request-path.ts';

test('sound paths', () => {
  for (const path of [
    '/',
    '/a/',
    '/.a',
    '/a.',
    '/...',
    '/..a/b..',
    '/%20',
    '/%2e%2e',
    '/a;b=c',
    `/${'a'.repeat(1023)}`,
  ])
    assert.equal(pathFault(path), undefined, path);
});

test('each fault has its words', () => {
  for (const [path, fault] of [
    ['', 'must be printable ASCII without spaces'],
    ['/a b', 'must be printable ASCII without spaces'],
    ['/caf\u00e9', 'must be printable ASCII without spaces'],
    ['/a\n', 'must be printable ASCII without spaces'],
    ['a', 'must start with /'],
    ['*', 'must start with /'],
    ['http://a/', 'must start with /'],
    ['/a?b', 'holds neither a query nor a fragment'],
    ['/a#b', 'holds neither a query nor a fragment'],
    ['//a', 'holds no //'],
    ['/a//', 'holds no //'],
    ['/.', 'holds no . or .. segment'],
    ['/..', 'holds no . or .. segment'],
    ['/a/./b', 'holds no . or .. segment'],
    ['/a/../b', 'holds no . or .. segment'],
    ['/%2Fa', 'holds no %2F'],
    ['/a%2f', 'holds no %2F'],
    [`/${'a'.repeat(1024)}`, 'is longer than 1024 characters'],
  ] as const)
    assert.equal(pathFault(path), fault, path);
});

test('what is sound and has a normal form keeps its fields apart: no query, no fragment, no line of its own', () => {
  const path = fc
    .string({ unit: fc.constantFrom(...'/ab.%2fF5c;?#\\ \r\n'.split('')), maxLength: 12 })
    .map((text) => `/${text}`);
  const policy = { encodedSlash: 'Reject', mergeSlashes: 'Reject', backslash: 'Decode' } as const;
  fc.assert(
    fc.property(path, (text) => {
      if (pathFault(text) !== undefined) return;
      const normal = normalizePath(text, policy);
      if (normal.kind === 'Refused') return;
      assert.match(normal.path, /^\/[\x21-\x7e]*$/);
      assert.doesNotMatch(normal.path, /[?#]|\/\/|\/\.{1,2}(?:\/|$)|%2f/i);
    }),
    { numRuns: 2000 },
  );
});
