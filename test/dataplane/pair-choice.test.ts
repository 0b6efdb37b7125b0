// One pair for each kind of key, the one that names the host.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePairs } from '#dataplane/pair-choice.ts';
import type { NamedPair } from '#dataplane/pair-text.ts';
import { generateKey, issue } from '../tls/certificates.ts';

function pairOf(type: 'RSA-2048' | 'P-256' | 'P-384' | 'Ed25519', ...dnsNames: readonly string[]): NamedPair {
  const { certificate, keyPem } = issue({ dnsNames, key: generateKey(type) });
  return { chain: certificate, key: keyPem, dnsNames };
}

test('kinds of keys stand side by side', () => {
  const pairs = [pairOf('RSA-2048', 'a.test'), pairOf('P-256', 'a.test'), pairOf('Ed25519', 'a.test')];
  assert.deepEqual(choosePairs(pairs, 'a.test'), pairs);
});

test('of one kind the one that names the host is taken, whatever its curve, else the first', () => {
  const [x, y, any] = [pairOf('P-256', 'x.test'), pairOf('P-384', 'y.test'), pairOf('P-256', '*.deep.test')];
  assert.deepEqual(choosePairs([x, y, any], 'x.test'), [x]);
  assert.deepEqual(choosePairs([x, y, any], 'y.test'), [y]);
  assert.deepEqual(choosePairs([x, y, any], 'a.deep.test'), [any]);
  assert.deepEqual(choosePairs([x, y, any], '*.deep.test'), [any]);
  assert.deepEqual(choosePairs([x, y, any], '+.deep.test'), [any]);
  assert.deepEqual(choosePairs([x, y, any], '*'), [x]);
  assert.deepEqual(choosePairs([x, y, any], 'other.test'), [x]);
});

test('of several that name it the first one is taken', () => {
  const [first, second] = [pairOf('P-256', 'a.test'), pairOf('P-256', 'a.test')];
  assert.deepEqual(choosePairs([first, second], 'a.test'), [first]);
});

test('a single pair is taken as it is', () => {
  const pair: NamedPair = { chain: 'anything', key: '', dnsNames: [] };
  assert.deepEqual(choosePairs([pair], 'a.test'), [pair]);
});
