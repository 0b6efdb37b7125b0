// Host lookup: exact, then the longest wildcard, then the catch-all; and no way back once a host is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostPattern, VirtualHost } from '#model/route-model.ts';
import { compile } from '#route/route-table.ts';
import { exactHost } from '../model/large-model.ts';
import { requestOf } from './arbitrary-request.ts';

function patternOf(text: string): HostPattern {
  if (text === '*') return { kind: 'AnyHost' };
  if (text.startsWith('*.')) return { kind: 'Wildcard', suffix: text.slice(2), depth: 'AnyDepth' };
  if (text.startsWith('+.')) return { kind: 'Wildcard', suffix: text.slice(2), depth: 'OneLabel' };
  return { kind: 'Exact', name: text };
}

function hostOf(text: string, path = '/'): VirtualHost {
  return { ...exactHost(text, 'x/s:80', path), pattern: patternOf(text) };
}

function lookup(hosts: readonly string[], hostname: string): string | undefined {
  return compile(hosts.map((text) => hostOf(text))).findHost(hostname)?.key;
}

const hosts = ['a.test', 'test', '*.test', '*.b.test', '+.b.test', '+.c.test', 'x.c.test', '*'];

const cases: readonly (readonly [hostname: string, expected: string])[] = [
  ['a.test', 'a.test'],
  ['test', 'test'],
  ['z.test', '*.test'],
  ['z.a.test', '*.test'],
  ['y.z.test', '*.test'],
  // The suffix itself is not below the wildcard; the next longer wildcard takes it.
  ['b.test', '*.test'],
  ['y.b.test', '+.b.test'],
  ['z.y.b.test', '*.b.test'],
  ['y.c.test', '+.c.test'],
  ['x.c.test', 'x.c.test'],
  ['z.y.c.test', '*.test'],
  ['other', '*'],
  ['atest', '*'],
  ['test.other', '*'],
  ['', '*'],
  ['.test', '*'],
  ['127.0.0.1', '*'],
  ['[::1]', '*'],
];

for (const [hostname, expected] of cases)
  test(`"${hostname}" is served by ${expected}`, () => assert.equal(lookup(hosts, hostname), expected));

test('without a catch-all, what no host fits has none', () => {
  for (const hostname of ['other', '', 'test', '.test', 'a.test.other'])
    assert.equal(lookup(['a.test', '*.a.test', '+.test'], hostname), undefined);
  assert.equal(lookup([], 'a.test'), undefined);
});

test('the text of a pattern is no hostname', () => {
  assert.equal(lookup(['*'], '*'), '*');
  assert.equal(lookup(['a.test'], '*'), undefined);
  assert.equal(lookup(['+.test'], '+.test'), '+.test');
  assert.equal(lookup(['+.a.test', '*'], '+.a'), '*');
});

test('names that every object has are ordinary hostnames', () => {
  for (const hostname of ['constructor', '__proto__', 'tostring']) {
    assert.equal(lookup(['a.test'], hostname), undefined);
    assert.equal(lookup([hostname], hostname), hostname);
  }
});

test('a found host is final: a path that none of its rules takes does not fall through', () => {
  const table = compile([hostOf('a.test', '/only'), hostOf('*.test'), hostOf('*')]);
  const host = table.findHost('a.test');
  assert.equal(host?.key, 'a.test');
  assert.equal(host.match(requestOf('GET', '/other')), undefined);
  assert.equal(host.match(requestOf('GET', '/only/this'))?.match.path.value, '/only');
  assert.equal(table.findHost('b.test')?.match(requestOf('GET', '/other'))?.match.path.value, '/');
});

test('a host without rules takes nothing', () => {
  const table = compile([{ ...hostOf('a.test'), rules: [] }]);
  assert.equal(table.findHost('a.test')?.match(requestOf('GET', '/')), undefined);
});

test('a table of many depths finds the longest wildcard', () => {
  const suffixes = Array.from({ length: 40 }, (_, index) =>
    Array(index + 1)
      .fill('a')
      .join('.'),
  );
  const table = compile(suffixes.map((suffix) => hostOf(`*.${suffix}`)));
  for (const [index, suffix] of suffixes.entries()) {
    assert.equal(table.findHost(`b.${suffix}`)?.key, `*.${suffix}`);
    assert.equal(table.findHost(suffix)?.key, index === 0 ? undefined : `*.${suffixes[index - 1]}`);
  }
});
