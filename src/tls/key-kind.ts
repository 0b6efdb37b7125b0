// Which public keys are good enough to serve with: what every client of today takes, and no handshake is slow with.
import type { KeyObject } from 'node:crypto';

export type KeyType = 'RSA' | 'ECDSA' | 'Ed25519';

export type KeyKind =
  | { readonly kind: 'Known'; readonly type: KeyType }
  /** `cause` completes "has ...". */
  | { readonly kind: 'Unfit'; readonly cause: string };

const leastRsaBits = 2048;
/** A signature with 8192 bits takes some 15 ms of a worker, and four times that with every doubling. */
const mostRsaBits = 8192;

/** OpenSSL's names of P-256, P-384 and P-521. */
const curves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

export function kindOfKey(key: KeyObject): KeyKind {
  if (key.asymmetricKeyType === 'ed25519') return { kind: 'Known', type: 'Ed25519' };
  if (key.asymmetricKeyType === 'ec') {
    // Absent for a curve that is spelt out instead of named.
    if (curves.includes(key.asymmetricKeyDetails?.namedCurve ?? '')) return { kind: 'Known', type: 'ECDSA' };
    return { kind: 'Unfit', cause: 'an ECDSA key on a curve other than P-256, P-384 and P-521' };
  }
  if (key.asymmetricKeyType === 'rsa') {
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits >= leastRsaBits && bits <= mostRsaBits) return { kind: 'Known', type: 'RSA' };
    return { kind: 'Unfit', cause: `an RSA key of ${bits} bits, not ${leastRsaBits} to ${mostRsaBits}` };
  }
  return { kind: 'Unfit', cause: 'a key that is none of RSA, ECDSA and Ed25519' };
}
