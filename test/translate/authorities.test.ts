// Which authorities a list of Secrets stands for, and when those who asked for them are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { AuthorityIndex, resolveAuthorities } from '#translate/authorities.ts';
import { createAuthority, issue } from '../tls/certificates.ts';

const [a, b] = [createAuthority('A'), createAuthority('B')].map(({ root }) => root.certificate) as [
  string,
  string,
];

function secret(name: string, data: Readonly<Record<string, string>>): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace: 'shop' },
    data: Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    ),
  };
}

function indexOf(...secrets: readonly KubernetesObject[]): AuthorityIndex {
  const index = new AuthorityIndex();
  index.update(secrets);
  return index;
}

test('several Secrets are trusted together, in one text whatever their order', () => {
  const index = indexOf(secret('a', { 'ca.crt': a }), secret('b', { 'ca.crt': b + a }));
  const both = resolveAuthorities(['a', 'b'], 'shop', 'spec.x', index);
  assert.deepEqual(both, resolveAuthorities(['b', 'a'], 'shop', 'spec.x', index));
  assert.ok(both.kind === 'Resolved');
  assert.equal(both.pem.split('BEGIN CERTIFICATE').length - 1, 2);
});

test('one that is missing or unfit makes the whole list unresolved, and is named', () => {
  const index = indexOf(
    secret('a', { 'ca.crt': a }),
    secret('bare', { 'tls.crt': b }),
    secret('junk', { 'ca.crt': 'x' }),
    ...Array.from({ length: 8 }, (_, number) =>
      secret(`large-${number}`, {
        'ca.crt': Array.from(
          { length: 20 },
          (__, each) =>
            issue({ isAuthority: true, commonName: `${number} ${each} ${'x'.repeat(400)}` }).certificate,
        ).join(''),
      }),
    ),
  );
  const problems = [
    ['none'],
    ['a', 'bare'],
    ['junk'],
    Array.from({ length: 8 }, (_, number) => `large-${number}`),
  ].map((names) => {
    const resolved = resolveAuthorities(names, 'shop', 'spec.x', index);
    return resolved.kind === 'Unresolved' ? resolved.problem : undefined;
  });
  assert.deepEqual(problems, [
    {
      reason: 'SecretNotFound',
      at: 'spec.x[0].name',
      message: 'there is no Secret shop/none of type kubernetes.io/tls',
    },
    { reason: 'SecretInvalid', at: 'spec.x[1].name', message: 'Secret shop/bare: it has no ca.crt' },
    {
      reason: 'SecretInvalid',
      at: 'spec.x[0].name',
      message: 'Secret shop/junk: ca.crt holds no certificate',
    },
    {
      reason: 'SecretInvalid',
      at: 'spec.x',
      message: 'all the certificates of these Secrets together exceed 64 KiB',
    },
  ]);
});

test('a Secret of another namespace is none', () => {
  const index = indexOf(secret('a', { 'ca.crt': a }));
  assert.equal(resolveAuthorities(['a'], 'blog', 'spec.x', index).kind, 'Unresolved');
});

test('only what was asked for and is another ca.crt now is told', () => {
  const others = [secret('other', { 'ca.crt': b })];
  const index = indexOf(secret('a', { 'ca.crt': a, 'tls.crt': '1' }), ...others);
  const state = index.authority('shop/a');
  const missing = index.authority('shop/late');
  assert.equal(missing.kind, 'Missing');
  assert.equal(index.update([secret('a', { 'ca.crt': a, 'tls.crt': '2' }), ...others]), false);
  assert.equal(index.authority('shop/a'), state);
  assert.equal(index.update([secret('a', { 'ca.crt': b }), ...others]), true);
  assert.notDeepEqual(index.authority('shop/a'), state);
  assert.equal(index.update([secret('a', { 'ca.crt': b }), secret('other', { 'ca.crt': a })]), false);
  assert.equal(index.update([secret('late', { 'ca.crt': a })]), true);
  assert.deepEqual([index.authority('shop/a').kind, index.authority('shop/late').kind], ['Missing', 'Fit']);
});
