// The key of a tls.key: parsed from any of its three forms, and proven to be the one of a certificate.
import { createPrivateKey, sign, verify } from 'node:crypto';
import type { KeyObject, X509Certificate } from 'node:crypto';
import { kindOfKey } from './key-kind.ts';
import { parsePem } from './pem.ts';
import { areConsistent } from './rsa-numbers.ts';

/** `fault` is a sentence about tls.key, without its end, and without a byte of the key. */
export type KeyCheck =
  | { readonly kind: 'Key'; readonly key: KeyObject }
  | { readonly kind: 'Unfit'; readonly fault: string };

const typesOfLabels: Readonly<Record<string, 'pkcs8' | 'pkcs1' | 'sec1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
};

const damaged = 'the private key of tls.key is damaged';
const probe = Buffer.from('flint');

export function checkKey(text: string): KeyCheck {
  const read = parsePem(text);
  if (read.kind === 'Malformed') return unfit(`tls.key cannot be read: ${read.cause}`);
  const isEncrypted = read.blocks.some(
    ({ label, hasHeaders }) => hasHeaders || label === 'ENCRYPTED PRIVATE KEY',
  );
  if (isEncrypted) return unfit('tls.key is encrypted, and there is nowhere to ask for its passphrase');
  // openssl writes the curve as a block of its own, and once more into the key.
  const [block, ...others] = read.blocks.filter(({ label }) => label !== 'EC PARAMETERS');
  if (block === undefined) return unfit('tls.key holds no private key');
  if (others.length > 0) return unfit('tls.key holds more than one private key and nothing else');
  const type = typesOfLabels[block.label];
  if (type === undefined) return unfit('tls.key holds something other than a private key');
  try {
    return { kind: 'Key', key: createPrivateKey({ key: block.der, format: 'der', type }) };
  } catch {
    return unfit('the private key of tls.key cannot be parsed');
  }
}

function unfit(fault: string): KeyCheck {
  return { kind: 'Unfit', fault };
}

/** What keeps the key from answering for the certificate, if anything does. */
export function faultOfPair(leaf: X509Certificate, key: KeyObject): string | undefined {
  const kind = kindOfKey(key);
  if (kind.kind === 'Unfit') return `tls.key holds ${kind.cause}`;
  try {
    if (!leaf.checkPrivateKey(key)) return 'tls.key is not the key of the first certificate of tls.crt';
    if (kind.type === 'RSA' && !areConsistent(key)) return damaged;
    // What was compared is the public half alone. Only a signature shows that the private half is whole.
    const digest = kind.type === 'Ed25519' ? null : 'sha256';
    if (verify(digest, probe, leaf.publicKey, sign(digest, probe, key))) return undefined;
  } catch {
    // As damaged as one that signs wrongly.
  }
  return damaged;
}
