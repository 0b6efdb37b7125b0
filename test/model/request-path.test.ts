// The normal form of request paths: a table of cases, and the laws that matching and forwarding rest on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { normalizePath, strictPathPolicy } from '#model/request-path.ts';
import type { DoubtfulPath, PathPolicy } from '#model/route-model.ts';

type Policy = Partial<PathPolicy>;

/** What a path becomes under a policy; undefined where it is refused. */
const cases: readonly (readonly [path: string, policy: Policy, expected: string | undefined])[] = [
  ['/', {}, '/'],
  ['/a', {}, '/a'],
  ['/a/', {}, '/a/'],
  ['/a/b.html;v=1,2', {}, '/a/b.html;v=1,2'],
  ["/-._~!$&'()*+,;=:@", {}, "/-._~!$&'()*+,;=:@"],
  // Escapes: decoded where they mean the same, upper-case where they stay.
  ['/%61%7E%2D%30', {}, '/a~-0'],
  ['/caf%c3%a9', {}, '/caf%C3%A9'],
  ['/%3a%40%3B', {}, '/%3A%40%3B'],
  ['/%3f%23', {}, '/%3F%23'],
  ['/%252e%252E', {}, '/%252e%252E'],
  ['/%20', {}, '/%20'],
  ['/%', {}, undefined],
  ['/%4', {}, undefined],
  ['/%4g', {}, undefined],
  ['/%%41', {}, undefined],
  ['/%u0041', {}, undefined],
  ['/%00', {}, undefined],
  ['/a%00.html', { encodedSlash: 'Keep', mergeSlashes: 'Keep', backslash: 'Keep' }, undefined],
  // Dot segments, plain and escaped.
  ['/.', {}, '/'],
  ['/..', {}, '/'],
  ['/./', {}, '/'],
  ['/../', {}, '/'],
  ['/a/.', {}, '/a/'],
  ['/a/..', {}, '/'],
  ['/a/../', {}, '/'],
  ['/a/./b', {}, '/a/b'],
  ['/a/../b', {}, '/b'],
  ['/a/b/../../../../c', {}, '/c'],
  ['/../../etc/passwd', {}, '/etc/passwd'],
  ['/a/%2e%2e/b', {}, '/b'],
  ['/a/%2E%2e/%2e/b', {}, '/b'],
  ['/a/.%2e', {}, '/'],
  ['/...', {}, '/...'],
  ['/.a/..b/c..', {}, '/.a/..b/c..'],
  ['/.well-known/x', {}, '/.well-known/x'],
  // `..;` is .. for a servlet container.
  ['/a/..;/b', {}, undefined],
  ['/a/%2e%2e;x=1/b', {}, undefined],
  ['/a/..%3B/b', {}, '/a/..%3B/b'],
  // Encoded slashes.
  ['/a%2Fb', {}, undefined],
  ['/a%2fb', { encodedSlash: 'Keep' }, '/a%2Fb'],
  ['/a%2fb', { encodedSlash: 'Decode' }, '/a/b'],
  ['/a%2f..%2fb', { encodedSlash: 'Keep' }, '/a%2F..%2Fb'],
  ['/a%2f..%2fb', { encodedSlash: 'Decode' }, '/b'],
  ['/a%2f/b', { encodedSlash: 'Decode' }, undefined],
  ['/a%2f/b', { encodedSlash: 'Decode', mergeSlashes: 'Decode' }, '/a/b'],
  ['/a%2f/b', { encodedSlash: 'Decode', mergeSlashes: 'Keep' }, '/a//b'],
  // Repeated slashes.
  ['//', {}, undefined],
  ['//a', {}, undefined],
  ['/a//b', {}, undefined],
  ['/a///b//', { mergeSlashes: 'Decode' }, '/a/b/'],
  ['/a//b', { mergeSlashes: 'Keep' }, '/a//b'],
  ['/a//../b', { mergeSlashes: 'Keep' }, '/a/b'],
  ['/a//../b', { mergeSlashes: 'Decode' }, '/b'],
  ['//evil.test/', { mergeSlashes: 'Decode' }, '/evil.test/'],
  // Backslashes, plain and escaped.
  ['/a\\b', {}, undefined],
  ['/a%5cb', {}, undefined],
  ['/a\\b%5cc', { backslash: 'Keep' }, '/a\\b%5Cc'],
  ['/a\\b%5cc', { backslash: 'Decode' }, '/a/b/c'],
  ['/a\\..\\b', { backslash: 'Decode' }, '/b'],
  ['/a\\\\b', { backslash: 'Decode' }, undefined],
  // What is no path at all.
  ['', {}, undefined],
  ['a', {}, undefined],
  ['*', {}, undefined],
  ['http://a/', {}, undefined],
  ['\\a', { backslash: 'Decode' }, undefined],
  ['/a b', {}, undefined],
  ['/a\tb', {}, undefined],
  ['/é', {}, undefined],
  ['/a\u0000', {}, undefined],
  ['/a\u007f', {}, undefined],
  ['/a?b', {}, undefined],
  ['/a#b', {}, undefined],
  ['/a<b>"|^`{}[]', {}, '/a<b>"|^`{}[]'],
];

for (const [path, policy, expected] of cases)
  test(`${JSON.stringify(path)} ${expected === undefined ? 'is refused' : `becomes ${expected}`} ${JSON.stringify(policy)}`, () => {
    const normal = normalizePath(path, { ...strictPathPolicy, ...policy });
    assert.equal(normal.kind === 'Normal' ? normal.path : undefined, expected);
  });

const doubtful = fc.constantFrom<DoubtfulPath>('Reject', 'Keep', 'Decode');
const policies = fc.record(
  { encodedSlash: doubtful, mergeSlashes: doubtful, backslash: doubtful },
  { noNullPrototype: true },
);
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '/', 'a', '.', '..', '/../', '/./', '%2e', '%2E', '.%2e') },
  { weight: 2, arbitrary: fc.constantFrom('%2f', '%2F', '//', '\\', '%5c', ';', '..;', '%3b', '%25', '2e') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('%41', '%7e', '%c3', '%zz', '%', '%00', '~', '?', '#', ' ', 'é', '['),
  },
);
const paths = fc.array(piece, { maxLength: 8, size: 'max' }).map((pieces) => `/${pieces.join('')}`);

function assertLaw(law: (normal: string, policy: PathPolicy, path: string) => void): void {
  fc.assert(
    fc.property(paths, policies, (path, policy) => {
      const normal = normalizePath(path, policy);
      if (normal.kind === 'Normal') law(normal.path, policy, path);
    }),
    { numRuns: 5000 },
  );
}

test('the normal form of a normal form is itself', () => {
  assertLaw((normal, policy) =>
    assert.deepEqual(normalizePath(normal, policy), { kind: 'Normal', path: normal }),
  );
});

test('no dot segment is left, plain or escaped', () => {
  assertLaw((normal) => {
    assert.ok(normal.startsWith('/'));
    for (const segment of normal.split('/')) assert.doesNotMatch(segment, /^(?:\.|%2e){1,2}$/i);
  });
});

test('escapes are upper-case and necessary, everything else is printable ASCII', () => {
  assertLaw((normal) => {
    assert.match(normal, /^(?:[!-"$&->@-~]|%[0-9A-F]{2})+$/);
    for (const [escape] of normal.matchAll(/%../g))
      assert.match(decodeURIComponentByte(escape), /[^A-Za-z0-9\-._~]/);
  });
});

test('what the policy does not keep is not there', () => {
  assertLaw((normal, policy) => {
    if (policy.mergeSlashes !== 'Keep') assert.doesNotMatch(normal, /\/\//);
    if (policy.encodedSlash !== 'Keep') assert.doesNotMatch(normal, /%2F/);
    if (policy.backslash !== 'Keep') assert.doesNotMatch(normal, /\\|%5C/);
    assert.doesNotMatch(normal, /\.\.;/);
  });
});

test('Reject only refuses: what it lets through is the same under every other policy', () => {
  assertLaw((_, policy, path) => {
    const strict = normalizePath(path, strictPathPolicy);
    if (strict.kind === 'Normal') assert.deepEqual(normalizePath(path, policy), strict);
  });
});

test('whatever the text, it never throws', () => {
  const text = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(text, policies, (text, policy) => {
      for (const path of [text, `/${text}`])
        assert.match(normalizePath(path, policy).kind, /^(?:Normal|Refused)$/);
    }),
  );
});

function decodeURIComponentByte(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}
