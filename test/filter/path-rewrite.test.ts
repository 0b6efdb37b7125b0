// Paths that are put in place of others: the tables of the documents, and the laws behind them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { rewritePath } from '#filter/path-rewrite.ts';
import type { PathRewrite } from '#model/filters.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import { translateFilters } from '#translate/filters.ts';
import { translateMatches } from '#translate/matches.ts';

/** Of a rule with one PathPrefix, as users write both. */
function prefixRewrite(match: string, replacement: string): PathRewrite {
  const [filter] = translateFilters(
    {
      filters: [
        { type: 'URLRewrite', rewrite: { path: { type: 'ReplacePrefixMatch', value: replacement } } },
      ],
      retry: undefined,
      sessionPersistence: undefined,
      sessionName: 's',
      routePolicy: {},
      policy: {},
      matches: translateMatches(
        [{ path: { value: match }, headers: [], queryParams: [] }],
        strictPathPolicy,
        'here',
        [],
      ),
      pathPolicy: strictPathPolicy,
    },
    'here',
    [],
  );
  assert(filter?.kind === 'UrlRewrite');
  return filter.path;
}

type Row = readonly [request: string, match: string, replacement: string, result: string];

/** The table of docs/reference/filters.md that begins with a column `request`. */
function documentedRows(): readonly Row[] {
  const text = readFileSync(new URL('../../docs/reference/filters.md', import.meta.url), 'utf8');
  const [, table = ''] = /\| request \|.*\n\|[-| ]+\n((?:\|.*\n)+)/.exec(text) ?? [];
  return table
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [request = '', match = '', replacement = '', result = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [request, match, replacement, result];
    });
}

/** HTTPPathModifier.replacePrefixMatch of the Gateway API; an empty replacement is written as / here. */
const gatewayRows: readonly Row[] = [
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '/', '/bar'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
];

const moreRows: readonly Row[] = [
  ['/', '/', '/xyz', '/xyz/'],
  ['/a', '/', '/xyz', '/xyz/a'],
  ['/a/', '/', '/xyz/', '/xyz/a/'],
  ['/a/b', '/', '/', '/a/b'],
  ['/foo/', '/foo/', '/', '/'],
  ['/a/b/c', '/a/b', '/d/e/f', '/d/e/f/c'],
  ['/a/b%20c', '/a', '/d', '/d/b%20c'],
];

describe('a prefix', () => {
  test('the documents have a table', () => assert(documentedRows().length >= 6));

  for (const [request, match, replacement, result] of [...documentedRows(), ...gatewayRows, ...moreRows])
    test(`${request}: ${match} becomes ${replacement}`, () => {
      assert.equal(rewritePath(prefixRewrite(match, replacement), request), result);
    });
});

const segments = (minLength: number) =>
  fc.array(fc.constantFrom('a', 'b', 'ab', '%20', '.a', 'a;b'), { minLength, maxLength: 4 });
const joined = (parts: readonly string[]): string => parts.map((part) => `/${part}`).join('');
const slash = fc.constantFrom('', '/');

describe('laws', () => {
  test('a prefix is replaced by whole segments, whatever the slashes at its end', () => {
    fc.assert(
      fc.property(
        segments(0),
        segments(0),
        segments(0),
        slash,
        slash,
        slash,
        (before, after, rest, ...ends) => {
          const [endOfMatch, endOfReplacement, endOfRequest] = ends;
          const rewrite = prefixRewrite(
            `${joined(before)}${endOfMatch}` || '/',
            `${joined(after)}${endOfReplacement}` || '/',
          );
          const end = `${joined(rest)}${endOfRequest}`;
          const request = `${joined(before)}${end}`;
          // The empty path is no request's.
          if (request === '') return;
          assert.equal(rewritePath(rewrite, request), `${joined(after)}${end}` || '/');
        },
      ),
    );
  });

  test('a prefix replaced by itself changes nothing', () => {
    fc.assert(
      fc.property(segments(0), segments(0), slash, (prefix, rest, end) => {
        const request = `${joined(prefix)}${joined(rest)}${end}`;
        if (request === '') return;
        const same = joined(prefix) || '/';
        assert.equal(rewritePath(prefixRewrite(same, same), request), request);
      }),
    );
  });

  test('the same path stays, another one takes its place whole', () => {
    fc.assert(
      fc.property(segments(1).map(joined), segments(1).map(joined), (path, other) => {
        assert.equal(rewritePath({ kind: 'SamePath' }, path), path);
        assert.equal(rewritePath({ kind: 'OtherPath', path: other }, path), other);
      }),
    );
  });
});
