// Whether the numbers of an RSA private key belong together (RFC 8017 3.2). One library repairs a wrong one in silence
// while it signs, another refuses to load the key: a key that is Fit loads and signs everywhere.
import type { KeyObject } from 'node:crypto';

/** The largest exponent that every library takes; all keys of today have 65537. */
const exponentBound = 1n << 33n;

export function areConsistent(key: KeyObject): boolean {
  const { n, e, d, p, q, dp, dq, qi } = key.export({ format: 'jwk' });
  const [modulus, exponent, secret] = [numberOf(n), numberOf(e), numberOf(d)];
  const [prime1, prime2] = [numberOf(p), numberOf(q)];
  if (exponent < 3n || exponent >= exponentBound || secret >= modulus) return false;
  if (prime1 < 3n || prime2 < 3n || prime1 * prime2 !== modulus) return false;
  const [order1, order2] = [prime1 - 1n, prime2 - 1n];
  return (
    (exponent * secret) % order1 === 1n &&
    (exponent * secret) % order2 === 1n &&
    numberOf(dp) === secret % order1 &&
    numberOf(dq) === secret % order2 &&
    numberOf(qi) < prime1 &&
    (numberOf(qi) * prime2) % prime1 === 1n
  );
}

/** Of base64url, as in a JSON Web Key; 0 where there is none. */
function numberOf(text: string | undefined): bigint {
  return BigInt(`0x0${Buffer.from(text ?? '', 'base64url').toString('hex')}`);
}
