// What the openssl command makes, as users make it: fits as it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { checkKeyPair } from '#tls/key-pair.ts';
import { assertNoKeySeen } from './no-key-seen.ts';

const isMissing = spawnSync('openssl', ['version']).status !== 0;
if (isMissing) process.stderr.write('there is no openssl: tests of what it makes are SKIPPED\n');

describe('made by openssl', { skip: isMissing }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'flint-openssl-'));
  after(() => rmSync(folder, { recursive: true }));

  const openssl = (command: string): void => {
    const { status, stderr } = spawnSync('openssl', command.split(' '), { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, `openssl ${command}: ${stderr}`);
  };
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const keyTypeOf = (certificate: string, key: string): string => {
    const check = checkKeyPair(read(certificate), read(key));
    assertNoKeySeen(check, read(key));
    if (check.kind === 'Unfit') assert.fail(check.fault);
    assert.deepEqual(check.pair.leaf.dnsNames, ['*.shop.test', 'shop.test']);
    return check.pair.leaf.keyType;
  };
  const subject = '-subj /CN=shop.test -addext subjectAltName=DNS:shop.test,DNS:*.shop.test';

  test('a self-signed certificate, which is a CA by default', () => {
    openssl(`req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.crt -days 30 ${subject}`);
    assert.equal(keyTypeOf('rsa.crt', 'rsa.key'), 'RSA');
  });

  test('a key in PKCS#1', () => {
    openssl('rsa -in rsa.key -traditional -out rsa.pkcs1.key');
    assert.match(read('rsa.pkcs1.key'), /BEGIN RSA PRIVATE KEY/);
    assert.equal(keyTypeOf('rsa.crt', 'rsa.pkcs1.key'), 'RSA');
  });

  test('a key in SEC1 with its parameters before it', () => {
    openssl('ecparam -name prime256v1 -genkey -out ec.key');
    assert.match(read('ec.key'), /BEGIN EC PARAMETERS/);
    openssl(`req -x509 -key ec.key -out ec.crt -days 30 ${subject}`);
    assert.equal(keyTypeOf('ec.crt', 'ec.key'), 'ECDSA');
  });

  test('a certificate and key out of a PKCS#12 file, with their bag attributes', () => {
    openssl('pkcs12 -export -in ec.crt -inkey ec.key -passout pass:x -out pair.p12');
    openssl('pkcs12 -in pair.p12 -passin pass:x -nokeys -out p12.crt');
    openssl('pkcs12 -in pair.p12 -passin pass:x -nocerts -nodes -out p12.key');
    assert.match(read('p12.key'), /Bag Attributes/);
    assert.equal(keyTypeOf('p12.crt', 'p12.key'), 'ECDSA');
  });

  test('a certificate with its text before it', () => {
    openssl('x509 -in ec.crt -text -out text.crt');
    assert.match(read('text.crt'), /Signature Algorithm/);
    assert.equal(keyTypeOf('text.crt', 'ec.key'), 'ECDSA');
  });
});
