// What a ca.crt must hold, and what each that is unfit is told.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { checkCaBundle, joinBundles } from '#tls/ca-bundle.ts';
import { createAuthority, generateKey, issue } from './certificates.ts';

const authority = createAuthority();
const other = createAuthority('Other CA');
const { root, intermediate } = authority;

function certificatesOf(text: string): readonly string[] {
  const check = checkCaBundle(text);
  assert.equal(check.kind, 'Bundle', check.kind === 'Unfit' ? check.fault : '');
  return check.kind === 'Bundle' ? check.certificates : [];
}

function faultOf(text: string): string {
  const check = checkCaBundle(text);
  return check.kind === 'Unfit' ? check.fault : 'fit';
}

test('certificates of CAs are taken, each once, with whatever stands around them', () => {
  const text = `# ours\r\n${root.certificate.replaceAll('\n', '\r\n')}\n${other.root.certificate}${root.certificate}`;
  const certificates = certificatesOf(text);
  assert.deepEqual(
    certificates.map((each) => new X509Certificate(each).raw),
    [root.der, other.root.der],
  );
  for (const each of certificates)
    assert.match(each, /^-----BEGIN CERTIFICATE-----\n[^\r]*\n-----END CERTIFICATE-----\n$/);
});

test('an intermediate alone is a CA that may be trusted', () => {
  assert.equal(certificatesOf(intermediate.certificate).length, 1);
});

test('what is unfit is named, and never quoted', () => {
  const leaf = authority.issue({ dnsNames: ['a.test'] });
  const weak = issue({ isAuthority: true, key: generateKey('RSA-1024') });
  const faults: Readonly<Record<string, string>> = {
    '': 'ca.crt holds no certificate',
    'some text': 'ca.crt holds no certificate',
    [root.certificate.slice(0, 200)]: 'ca.crt cannot be read: a PEM block has no end',
    [root.certificate + leaf.certificate]: 'certificate 2 of ca.crt is not that of a CA',
    [root.certificate + root.keyPem]: 'ca.crt holds a private key, which nobody must be shown',
    [root.certificate.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST')]:
      'block 1 of ca.crt is no certificate',
    '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n':
      'certificate 1 of ca.crt cannot be parsed',
    [weak.certificate]: 'certificate 1 of ca.crt has an RSA key of 1024 bits, not 2048 to 8192',
    [`${root.certificate}${'#'.repeat(65_536)}`]: 'ca.crt is larger than 64 KiB',
  };
  for (const [text, fault] of Object.entries(faults)) assert.equal(faultOf(text), fault);
});

test('bundles make one text, whatever their order', () => {
  const [a, b] = [
    certificatesOf(root.certificate),
    certificatesOf(other.root.certificate + root.certificate),
  ];
  assert.equal(joinBundles([a, b]), joinBundles([b, a]));
  assert.equal(certificatesOf(joinBundles([a, b])).length, 2);
});
