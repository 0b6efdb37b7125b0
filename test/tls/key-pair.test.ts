// Pairs of certificate and key: which fit, why others do not, and that no result shows a key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { checkKeyPair, namesCover, validityAt } from '#tls/key-pair.ts';
import type { KeyPair, LeafFacts } from '#tls/key-pair.ts';
import { createAuthority, dnsName, generateKey, issue, pem } from './certificates.ts';
import type { TestKeyType } from './certificates.ts';
import { der, integer, sequence } from './der.ts';
import { assertNoKeySeen } from './no-key-seen.ts';

const authority = createAuthority();
const leaf = authority.issue({ dnsNames: ['shop.example.com', '*.shop.example.com'] });
const chain = authority.chainOf(leaf);

function fit(certificatePem: string, keyPem: string): KeyPair {
  const check = checkKeyPair(certificatePem, keyPem);
  assertNoKeySeen(check, keyPem + certificatePem);
  if (check.kind === 'Unfit') assert.fail(check.fault);
  // Whatever fits can be served.
  createSecureContext({ cert: check.pair.chain, key: check.pair.key.reveal() });
  assert.deepEqual(
    checkKeyPair(check.pair.chain, check.pair.key.reveal()),
    check,
    'its own output is as fit',
  );
  return check.pair;
}

function faultOf(certificatePem: string, keyPem: string): string {
  const check = checkKeyPair(certificatePem, keyPem);
  assertNoKeySeen(check, keyPem + certificatePem);
  if (check.kind === 'Fit') assert.fail('it fits');
  assert.match(check.fault, /tls\.(?:crt|key)/);
  return check.fault;
}

describe('a pair that fits', () => {
  test('is the chain as it is, the key as PKCS#8, and the facts of the leaf', () => {
    const pair = fit(chain, leaf.keyPem);
    assert.equal(pair.chain, chain);
    assert.equal(pair.key.reveal(), leaf.keyPem);
    assert.deepEqual(
      { ...pair.leaf, fingerprint: pair.leaf.fingerprint.length },
      {
        notBefore: '2020-01-01T00:00:00Z',
        notAfter: '2120-01-01T00:00:00Z',
        dnsNames: ['*.shop.example.com', 'shop.example.com'],
        keyType: 'ECDSA',
        fingerprint: 64,
      },
    );
  });

  const types: readonly (readonly [TestKeyType, string])[] = [
    ['RSA-2048', 'RSA'],
    ['P-256', 'ECDSA'],
    ['P-384', 'ECDSA'],
    ['P-521', 'ECDSA'],
    ['Ed25519', 'Ed25519'],
  ];
  for (const [type, keyType] of types) {
    test(`may have a key of ${type}`, () => {
      const own = issue({ dnsNames: ['a.example'], key: generateKey(type) });
      assert.equal(fit(own.certificate, own.keyPem).leaf.keyType, keyType);
      const issued = authority.issue({ dnsNames: ['a.example'], key: generateKey(type) });
      assert.equal(fit(authority.chainOf(issued), issued.keyPem).leaf.keyType, keyType);
    });
  }

  test('may have the key in PKCS#1 or SEC1, with or without its parameters', () => {
    const rsa = issue({ dnsNames: ['a.example'], key: generateKey('RSA-2048') });
    const pkcs1 = rsa.key.export({ format: 'pem', type: 'pkcs1' });
    assert.equal(fit(rsa.certificate, pkcs1).key.reveal(), rsa.keyPem);
    const sec1 = leaf.key.export({ format: 'pem', type: 'sec1' });
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    assert.equal(fit(chain, sec1).key.reveal(), leaf.keyPem);
    assert.equal(fit(chain, parameters + sec1).key.reveal(), leaf.keyPem);
  });

  test('is the same whatever its line ends, and whatever stands around the blocks', () => {
    const plain = fit(chain, leaf.keyPem);
    const bag = 'Bag Attributes\n    localKeyID: 01\nsubject=CN=shop\n\n';
    const spellings: readonly ((text: string) => string)[] = [
      (text) => text.replaceAll('\n', '\r\n'),
      (text) => text.replaceAll('\n', '\r'),
      (text) => text.replaceAll('-----BEGIN', `${bag}-----BEGIN`),
      (text) => `\uFEFF${text}`,
      (text) => text.replaceAll(/^/gm, '  '),
      (text) => text.trimEnd(),
      (text) => text.replaceAll('\n', '\n\n'),
    ];
    for (const spell of spellings) assert.deepEqual(fit(spell(chain), spell(leaf.keyPem)), plain);
  });

  test('may end with the root, or have no chain at all', () => {
    const whole = chain + authority.root.certificate;
    assert.equal(fit(whole, leaf.keyPem).chain, whole);
    fit(leaf.certificate, leaf.keyPem);
  });

  test('may end with a root signed with SHA-1, whose signature nobody looks at', () => {
    const root = issue({
      commonName: 'old',
      isAuthority: true,
      key: generateKey('RSA-2048'),
      digest: 'sha1',
    });
    const issued = issue({ dnsNames: ['a.example'], issuer: root });
    fit(issued.certificate + root.certificate, issued.keyPem);
  });

  test('may end with a root of version 1, which cannot say that it is a CA', () => {
    const root = issue({ commonName: 'oldest', isVersion1: true });
    const issued = issue({ dnsNames: ['a.example'], issuer: root });
    fit(issued.certificate + root.certificate, issued.keyPem);
  });

  test('may be self-signed, as a CA or not', () => {
    for (const isAuthority of [false, true]) {
      const own = issue({ dnsNames: ['localhost'], isAuthority });
      fit(own.certificate, own.keyPem);
    }
  });

  test('may be expired, or have no names: its user says so', () => {
    const expired = authority.issue({ commonName: 'shop.example.com', notAfter: '2021-01-01T00:00:00Z' });
    const facts = fit(authority.chainOf(expired), expired.keyPem).leaf;
    assert.deepEqual(facts.dnsNames, []);
    assert.equal(namesCover(facts, 'shop.example.com'), false);
    assert.equal(validityAt(facts, '2026-01-01T00:00:00Z'), 'Expired');
  });

  test('names hosts once, in lower case and in order, and nothing that is no host', () => {
    const names = [
      'B.example',
      'a.example',
      'b.EXAMPLE',
      '*.c.example',
      'f*.example',
      '',
      'a b',
      '*',
      'x, DNS:y.example, z',
    ];
    const others = [
      der(0x87, Buffer.from([192, 0, 2, 1])),
      der(0x81, Buffer.from('a@mail.example, DNS:z.example')),
    ];
    const odd = [
      ...names.map(dnsName),
      dnsName('q.example", DNS:"w.example'),
      dnsName('n.example\0'),
      ...others,
    ];
    const own = issue({ alternativeNames: Buffer.concat(odd) });
    assert.deepEqual(fit(own.certificate, own.keyPem).leaf.dnsNames, [
      '*.c.example',
      'a.example',
      'b.example',
    ]);
  });

  test('loads in the runtimes of the data plane', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flint-pairs-'));
    try {
      const pairs = types.map(([type]) => {
        const issued = authority.issue({ dnsNames: ['a.example'], key: generateKey(type) });
        const pair = fit(authority.chainOf(issued), issued.keyPem);
        return { cert: pair.chain, key: pair.key.reveal() };
      });
      writeFileSync(join(folder, 'pairs.json'), JSON.stringify(pairs), { mode: 0o600 });
      writeFileSync(
        join(folder, 'load.mjs'),
        `import { readFileSync } from 'node:fs';
         import { createSecureContext } from 'node:tls';
         const pairs = JSON.parse(readFileSync(process.argv[2], 'utf8'));
         for (const pair of pairs) createSecureContext(pair);
         console.log(pairs.length);`,
      );
      for (const runtime of ['node', 'bun']) {
        const program = new URL('../../hack/runtime', import.meta.url).pathname;
        const load = [runtime, join(folder, 'load.mjs'), join(folder, 'pairs.json')];
        const { stdout } = await promisify(execFile)(program, load);
        assert.equal(stdout.trim(), String(types.length), runtime);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a pair that does not fit', () => {
  const other = authority.issue({ dnsNames: ['shop.example.com'] });
  const certificate = (content: Buffer): string => pem('CERTIFICATE', content);
  const damaged = Buffer.from(leaf.der);
  damaged.writeUInt8(0x31, 4);

  const rsa = generateKey('RSA-2048');
  const rsaLeaf = authority.issue({ dnsNames: ['a.example'], key: rsa });
  const weak = issue({ commonName: 'weak', isAuthority: true, key: generateKey('RSA-1024') });
  const weakLeaf = issue({ dnsNames: ['a.example'], issuer: weak });
  const plain = issue({ commonName: 'plain', issuer: authority.intermediate });
  const ofPlain = issue({ dnsNames: ['a.example'], issuer: plain });
  const forged = issue({
    dnsNames: ['a.example'],
    issuer: authority.intermediate,
    signingKey: generateKey(),
  });

  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ['an empty certificate', '', leaf.keyPem, /tls\.crt holds no certificate/],
    ['text without a block', 'hello\n', leaf.keyPem, /tls\.crt holds no certificate/],
    ['a key as certificate', leaf.keyPem, leaf.keyPem, /tls\.crt holds a private key/],
    ['a key behind the chain', chain + leaf.keyPem, leaf.keyPem, /tls\.crt holds a private key/],
    [
      'another block',
      chain + pem('X509 CRL', leaf.der),
      leaf.keyPem,
      /block 3 of tls\.crt is no certificate/,
    ],
    ['DER that is none', certificate(Buffer.from('hello')), leaf.keyPem, /certificate 1 of tls\.crt cannot/],
    ['damaged DER', certificate(damaged), leaf.keyPem, /certificate 1 of tls\.crt cannot/],
    [
      'bytes behind the certificate',
      certificate(Buffer.concat([leaf.der, Buffer.alloc(1)])),
      leaf.keyPem,
      /certificate 1 of tls\.crt cannot/,
    ],
    [
      'PEM inside the DER',
      certificate(Buffer.from(`0\n${leaf.certificate}`)),
      leaf.keyPem,
      /certificate 1 of tls\.crt cannot/,
    ],
    ['a block without its end', chain.slice(0, -2), leaf.keyPem, /tls\.crt cannot be read: .*damaged/],
    ['a block cut short', chain.slice(0, -100), leaf.keyPem, /tls\.crt cannot be read: .*no end/],
    ['no base64', chain.replace('M', '!'), leaf.keyPem, /tls\.crt cannot be read: .*base64/],
    ['an end of another kind', chain.replace('END C', 'END X509 C'), leaf.keyPem, /a PEM block ends that/],
    ['a header', chain.replace('\n', '\nName: a\n\n'), leaf.keyPem, /block 1 of tls\.crt is no certificate/],
    [
      'a block in a block',
      `-----BEGIN CERTIFICATE-----\n${chain}`,
      leaf.keyPem,
      /tls\.crt cannot be read: .*inside/,
    ],
    [
      'the issuer first',
      authority.intermediate.certificate + leaf.certificate,
      leaf.keyPem,
      /does not begin with the certificate of the server/,
    ],
    [
      'an intermediate as leaf',
      authority.intermediate.certificate,
      authority.intermediate.keyPem,
      /begins with the certificate of a CA/,
    ],
    [
      'a CA with its issuer',
      authority.intermediate.certificate + authority.root.certificate,
      authority.intermediate.keyPem,
      /begins with the certificate of a CA/,
    ],
    [
      'a certificate twice',
      leaf.certificate + leaf.certificate,
      leaf.keyPem,
      /certificate 2 .* is there twice/,
    ],
    [
      'a stranger',
      chain + issue({ isAuthority: true }).certificate,
      leaf.keyPem,
      /certificate 3 of tls\.crt did not issue certificate 2/,
    ],
    [
      'another CA of the same name',
      leaf.certificate + createAuthority().intermediate.certificate,
      leaf.keyPem,
      /certificate 2 of tls\.crt did not issue certificate 1/,
    ],
    [
      'a forged signature',
      authority.chainOf(forged),
      forged.keyPem,
      /certificate 2 of tls\.crt did not issue certificate 1/,
    ],
    [
      'an issuer that is no CA',
      ofPlain.certificate + plain.certificate,
      ofPlain.keyPem,
      /certificate 2 of tls\.crt did not issue certificate 1/,
    ],
    ['too many certificates', chain.repeat(9), leaf.keyPem, /tls\.crt holds 18 certificates/],
    ['a large certificate', chain + ' '.repeat(131_072), leaf.keyPem, /tls\.crt is larger/],
    [
      'a weak intermediate',
      weakLeaf.certificate + weak.certificate,
      weakLeaf.keyPem,
      /certificate 2 of tls\.crt has an RSA key of 1024 bits/,
    ],
    [
      'a signature with SHA-1',
      issue({ key: rsa, digest: 'sha1' }).certificate,
      rsaLeaf.keyPem,
      /certificate 1 of tls\.crt is signed with an algorithm/,
    ],
    [
      'a time that is none',
      certificate(Buffer.from(leaf.der.toString('latin1').replace('21200101', '21209901'), 'latin1')),
      leaf.keyPem,
      /validity of the first certificate of tls\.crt/,
    ],
    ['an empty key', chain, '', /tls\.key holds no private key/],
    ['a certificate as key', chain, chain, /tls\.key holds more than one/],
    ['one certificate as key', chain, leaf.certificate, /tls\.key holds something other/],
    ['two keys', chain, leaf.keyPem + other.keyPem, /tls\.key holds more than one/],
    [
      'a key that is none',
      chain,
      pem('PRIVATE KEY', Buffer.from('hello')),
      /key of tls\.key cannot be parsed/,
    ],
    ['a key cut short', chain, leaf.keyPem.slice(0, 100), /tls\.key cannot be read: .*no end/],
    ['the key of another', chain, other.keyPem, /tls\.key is not the key of the first certificate/],
    ['the key of the issuer', chain, authority.intermediate.keyPem, /tls\.key is not the key/],
    ['a key of another type', chain, rsaLeaf.keyPem, /tls\.key is not the key/],
    ['a large key', chain, leaf.keyPem + ' '.repeat(131_072), /tls\.key is larger/],
  ];
  for (const [title, certificatePem, keyPem, fault] of cases)
    test(title, () => assert.match(faultOf(certificatePem, keyPem), fault));

  test('a key whose public half is right, and the private half is not', () => {
    const { n, e, d, p, q, dp, dq, qi } = rsa.export({ format: 'jwk' });
    const numbers = [n, e, d, p, q, dp, dq, qi].map((text) => Buffer.from(text ?? '', 'base64url'));
    const write = (all: readonly Buffer[]): string =>
      pem('RSA PRIVATE KEY', sequence(integer(Buffer.from([0])), ...all.map((each) => integer(each))));
    assert.equal(fit(authority.chainOf(rsaLeaf), write(numbers)).key.reveal(), rsaLeaf.keyPem);
    const afterExponent = 2;
    for (let index = afterExponent; index < numbers.length; index++) {
      const wrong = numbers.map((each, at) =>
        Buffer.from(at === index ? each.map((byte) => byte ^ 4) : each),
      );
      assert.match(faultOf(authority.chainOf(rsaLeaf), write(wrong)), /key of tls\.key is damaged/);
    }
    const larger = BigInt(`0x${numbers[3]?.toString('hex')}`) + BigInt(`0x${numbers[7]?.toString('hex')}`);
    const hex = larger.toString(16);
    const unreduced = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
    const wrong = write([...numbers.slice(0, -1), unreduced]);
    assert.match(faultOf(authority.chainOf(rsaLeaf), wrong), /private key of tls\.key is damaged/);
    // SEC1 holds the public half beside the private one.
    const own = leaf.key.export({ format: 'der', type: 'sec1' });
    const its = other.key.export({ format: 'der', type: 'sec1' });
    const publicBytes = 65;
    const mixed = Buffer.concat([its.subarray(0, -publicBytes), own.subarray(-publicBytes)]);
    assert.match(faultOf(chain, pem('EC PRIVATE KEY', mixed)), /private key of tls\.key is damaged/);
  });

  test('an encrypted key', () => {
    const secret = { cipher: 'aes-256-cbc', passphrase: 'secret', format: 'pem' } as const;
    const encrypted = [
      leaf.key.export({ ...secret, type: 'pkcs8' }),
      leaf.key.export({ ...secret, type: 'sec1' }),
      pem('PRIVATE KEY', Buffer.from(leaf.key.export({ ...secret, format: 'der', type: 'pkcs8' }))),
    ];
    assert.match(faultOf(chain, String(encrypted[0])), /tls\.key is encrypted/);
    assert.match(faultOf(chain, String(encrypted[1])), /tls\.key is encrypted/);
    assert.match(faultOf(chain, String(encrypted[2])), /tls\.key cannot be parsed/);
  });

  const unfitKeys: readonly (readonly [TestKeyType, RegExp])[] = [
    ['RSA-1024', /an RSA key of 1024 bits/],
    ['secp256k1', /a curve other than P-256/],
    ['Ed448', /a key that is none of RSA/],
    ['RSA-PSS', /a key that is none of RSA/],
  ];
  for (const [type, cause] of unfitKeys) {
    test(`a key of ${type}`, () => {
      const own = authority.issue({ dnsNames: ['a.example'], key: generateKey(type) });
      assert.match(faultOf(authority.chainOf(own), own.keyPem), cause);
      assert.match(faultOf(chain, own.keyPem), cause);
    });
  }
});

describe('what a certificate is good for', () => {
  const facts = (dnsNames: readonly string[]): LeafFacts => ({
    notBefore: '2026-01-01T00:00:00Z',
    notAfter: '2026-12-31T23:59:59Z',
    dnsNames,
    keyType: 'ECDSA',
    fingerprint: '',
  });

  test('validity holds both of its ends', () => {
    const leafFacts = facts([]);
    assert.equal(validityAt(leafFacts, '2025-12-31T23:59:59Z'), 'NotYetValid');
    assert.equal(validityAt(leafFacts, '2026-01-01T00:00:00Z'), 'Valid');
    assert.equal(validityAt(leafFacts, '2026-12-31T23:59:59Z'), 'Valid');
    assert.equal(validityAt(leafFacts, '2027-01-01T01:00:00+01:00'), 'Expired');
  });

  const covers: readonly (readonly [readonly string[], string, boolean])[] = [
    [['a.example'], 'a.example', true],
    [['a.example'], 'A.Example', true],
    [['a.example'], 'b.example', false],
    [['a.example'], 'x.a.example', false],
    [['*.a.example'], 'x.a.example', true],
    [['*.a.example'], 'x.y.a.example', false],
    [['*.a.example'], 'a.example', false],
    [['*.a.example'], '.a.example', false],
    [['*.a.example'], '*.a.example', true],
    [['*.a.example'], '*.x.a.example', false],
    [['x.a.example'], '*.a.example', false],
    [['*.example', 'a.example'], '*', false],
    [[], 'a.example', false],
  ];
  for (const [dnsNames, hostname, expected] of covers) {
    test(`[${dnsNames.join()}] ${expected ? 'covers' : 'does not cover'} ${hostname}`, () => {
      assert.equal(namesCover(facts(dnsNames), hostname), expected);
    });
  }
});
