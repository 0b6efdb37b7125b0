// Which of the pairs of a host it is served with: one for each kind of key, since a TLS library has one place for each and a
// second pair in it breaks the first.
import { X509Certificate } from 'node:crypto';
import { namesCover } from '#tls/key-pair.ts';
import type { NamedPair } from './pair-text.ts';

/**
 * One that names the host comes before one that does not, then the order in which they come. `hostKey` as in the table:
 * `a.test`, `*.a.test`, `+.a.test`, `*`. Throws for a chain that is none.
 */
export function choosePairs(pairs: readonly NamedPair[], hostKey: string): readonly NamedPair[] {
  if (pairs.length < 2) return pairs;
  const hostname = hostKey.replace(/^\+/, '*');
  const chosen = new Map<string, NamedPair>();
  for (const pair of pairs) {
    const keyType = new X509Certificate(pair.chain).publicKey.asymmetricKeyType ?? '';
    const known = chosen.get(keyType);
    if (known === undefined || (!namesCover(known, hostname) && namesCover(pair, hostname)))
      chosen.set(keyType, pair);
  }
  return [...chosen.values()];
}
