// What must hold for any text that somebody stores as a certificate and its key.
import assert from 'node:assert/strict';
import { createSecureContext } from 'node:tls';
import { checkKeyPair, namesCover, validityAt } from '#tls/key-pair.ts';
import { encodePem, parsePem } from '#tls/pem.ts';
import { assertNoKeySeen } from '../tls/no-key-seen.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';

/** Between the two texts of a pair in the corpus. */
const separator = '\0';

/** The texts as they are, or whole blocks of damaged DER: damaged base64 seldom gets as far as that. */
export function checkPem(input: Buffer, random: Random, tricks: readonly string[]): void {
  const text = input.toString('latin1');
  const at = text.indexOf(separator);
  const texts = at < 0 ? ([text, text] as const) : ([text.slice(0, at), text.slice(at + 1)] as const);
  const [certificatePem, keyPem] = texts.map((each) => damageDer(each, random, tricks));
  checkPair(certificatePem ?? '', keyPem ?? '');
}

function damageDer(text: string, random: Random, tricks: readonly string[]): string {
  const read = parsePem(text);
  if (read.kind === 'Malformed' || random.below(2) === 0) return text;
  return read.blocks
    .map(({ label, der }) =>
      encodePem(label, random.below(2) === 0 || der.length === 0 ? der : mutate(der, random, tricks)),
    )
    .join('');
}

function checkPair(certificatePem: string, keyPem: string): void {
  const check = checkKeyPair(certificatePem, keyPem);
  // A public modulus, or a line repeated by damage, is in both texts, and the certificate is there to be seen.
  const unbroken = certificatePem.replaceAll(/\s/g, '');
  const secret = keyPem.split(/[\r\n]+/).filter((line) => !unbroken.includes(line.trim()));
  assertNoKeySeen(check, secret.join('\n'));
  if (check.kind === 'Unfit') {
    assert.match(check.fault, /^[A-Za-z0-9 .,:;-]*tls\.(?:crt|key)[A-Za-z0-9 .,:;-]*$/);
    return;
  }
  const { chain, key, leaf } = check.pair;
  assert.deepEqual(checkKeyPair(chain, key.reveal()), check, 'what fits is as fit once more');
  createSecureContext({ cert: chain, key: key.reveal() });
  assert.match(leaf.notBefore, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
  assert.match(leaf.notAfter, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
  assert.equal(validityAt(leaf, leaf.notAfter), leaf.notBefore <= leaf.notAfter ? 'Valid' : 'NotYetValid');
  for (const name of leaf.dnsNames) assert(namesCover(leaf, name));
}
