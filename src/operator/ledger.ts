// The claims of a translation as the entries of the stored ledger: the same list for the same claims, the same entry for a
// claim that stayed.
import type { LedgerEntry } from '#model/claims-ledger.ts';
import type { Claims } from '#translate/cluster-view.ts';

export class Ledger {
  #claims: Claims = new Map();
  #entries: readonly LedgerEntry[] = [];

  entriesOf(claims: Claims): readonly LedgerEntry[] {
    if (isSame(this.#claims, claims)) return this.#entries;
    const known = new Map(this.#entries.map((entry) => [entry.host, entry]));
    this.#entries = [...claims].map(([host, { namespace, since }]) => {
      const entry = known.get(host);
      return entry?.namespace === namespace && entry.since === since ? entry : { host, namespace, since };
    });
    this.#claims = claims;
    return this.#entries;
  }
}

export function claimsOf(entries: readonly LedgerEntry[]): Claims {
  return new Map(entries.map(({ host, namespace, since }) => [host, { namespace, since }]));
}

/** Claims that stay are the same values. */
function isSame(a: Claims, b: Claims): boolean {
  if (a.size !== b.size) return false;
  for (const [host, claim] of b) if (a.get(host) !== claim) return false;
  return true;
}
