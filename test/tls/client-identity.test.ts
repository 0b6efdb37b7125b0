// What backends are told of a client's certificate: unambiguous whatever is in it, and never more than a head can hold.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { identityOf } from '#tls/client-identity.ts';
import { dnsName, generateKey, issue } from './certificates.ts';
import { der } from './der.ts';

const key = generateKey();

function uri(text: string): Buffer {
  return der(0x86, Buffer.from(text, 'latin1'));
}

function identity(commonName: string, ...names: readonly Buffer[]): string {
  const { der: certificate } = issue({ commonName, alternativeNames: Buffer.concat(names), key });
  const [hash, ...rest] = identityOf(new X509Certificate(certificate)).split(';');
  assert.equal(hash, `Hash=${createHash('sha256').update(certificate).digest('hex')}`);
  return rest.join(';');
}

test('hash, subject, and the names that there are', () => {
  assert.equal(identity('alice'), 'Subject="CN=alice"');
  assert.equal(
    identity('alice', dnsName('a.test'), uri('spiffe://shop/ns/default'), dnsName('*.b.test')),
    'Subject="CN=alice";URI=spiffe://shop/ns/default;DNS=a.test;DNS=*.b.test',
  );
});

test('what could end a text, a pair or an element is in quotes and escaped', () => {
  assert.equal(identity('a', uri('urn:a;By=x')), 'Subject="CN=a";URI="urn:a;By=x"');
  assert.equal(identity('a', uri('urn:a,b')), 'Subject="CN=a";URI="urn:a,b"');
  assert.equal(identity('a', uri('urn:"a"')), String.raw`Subject="CN=a";URI="urn:\"a\""`);
});

test('no name makes more pairs than there are, and none leaves printable ASCII', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(text, text, (commonName, name) => {
      const said = identity(commonName, uri(name));
      assert.match(said, /^[\x20-\x7e]+$/);
      assert.match(said, /^Subject="(?:[^"\\]|\\.)*"(?:;URI=(?:[^";,\\=]+|"(?:[^"\\]|\\.)*"))?$/);
    }),
    { numRuns: 200 },
  );
});

test('a certificate of a thousand names tells the first sixteen', () => {
  const names = Array.from({ length: 1000 }, (_, index) => dnsName(`host-${index}.test`));
  const said = identity('many', ...names);
  assert.equal(said.split(';DNS=').length, 17);
  assert.ok(identity('x'.repeat(60_000)).length < 5000);
});
