// Certificates with their keys for tests of translation, made anew in each run, so that no key stands in a file.
import type { Certificate } from '#model/route-model.ts';
import { checkKeyPair } from '#tls/key-pair.ts';
import { createAuthority, generateKey } from '../tls/certificates.ts';
import type { CertificateRequest } from '../tls/certificates.ts';

export interface TestPair {
  readonly chain: string;
  readonly key: string;
}

const authority = createAuthority();

function pairOf(request: CertificateRequest): TestPair {
  const leaf = authority.issue(request);
  return { chain: authority.chainOf(leaf), key: leaf.keyPem };
}

const shop = pairOf({ dnsNames: ['shop.test', 'www.shop.test'] });

/** Those that may be served; of some the time has passed or is still to come. */
export const fitPairs = {
  shop,
  'shop-rsa': pairOf({ dnsNames: ['shop.test', 'www.shop.test'], key: generateKey('RSA-2048') }),
  renewed: pairOf({ dnsNames: ['shop.test', 'www.shop.test'], notAfter: '2025-06-01T00:00:00Z' }),
  wildcard: pairOf({ dnsNames: ['*.test'] }),
  nameless: pairOf({ commonName: 'shop.test' }),
  expired: pairOf({ dnsNames: ['shop.test'], notAfter: '2024-05-31T23:59:59Z' }),
  ended: pairOf({ dnsNames: ['shop.test', 'www.shop.test'], notAfter: '2024-01-01T00:00:00Z' }),
  expiring: pairOf({ dnsNames: ['a.test', 'b.test'], notAfter: '2024-06-03T12:00:00Z' }),
  early: pairOf({ dnsNames: ['a.test'], notBefore: '2024-06-02T06:00:00Z' }),
} as const satisfies Readonly<Record<string, TestPair>>;

/** Those that must not be served. */
export const unfitPairs = {
  mismatched: { chain: shop.chain, key: pairOf({ dnsNames: ['shop.test'] }).key },
  truncated: { chain: shop.chain.slice(0, 200), key: shop.key },
  empty: { chain: '', key: '' },
} as const satisfies Readonly<Record<string, TestPair>>;

export const testPairs: Readonly<Record<string, TestPair>> = { ...fitPairs, ...unfitPairs };

/** As it is served under this id. */
export function certificateOf(id: string, { chain, key }: TestPair): Certificate {
  const check = checkKeyPair(chain, key);
  if (check.kind === 'Unfit') throw new Error(`${id}: ${check.fault}`);
  const { dnsNames, notAfter, fingerprint } = check.pair.leaf;
  return { id, chain: check.pair.chain, key: check.pair.key, dnsNames, notAfter, fingerprint };
}
