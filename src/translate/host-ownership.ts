// Which namespace may serve which host: first come, first served, remembered in a ledger of claims.
//
//   who may serve a host          | because
//   the namespace that claimed it | for as long as an accepted object of it uses the host
//   the oldest object's namespace | nobody has claimed it, or who did has given it up
//   a solver without a class      | only where its namespace owns the host, or nobody does; it claims nothing
//
// A claim of *.example.com is one of that name alone, unless a setting lets it cover the names below it that nobody had
// before. An object's age decides nothing where there is a claim: an old object edited today must not beat an owner.
import type { Claim, Claims } from './cluster-view.ts';
import type { TranslatedObject } from './translated-object.ts';

/** Those who want one hostname, oldest first, with what the ledger said before. */
export interface Applicants {
  readonly hostname: string;
  readonly objects: readonly TranslatedObject[];
  readonly claim: Claim | undefined;
  /** The claim of a wildcard above this hostname, where such claims cover the names below them. */
  readonly covering: Claim | undefined;
}

export interface Ownership {
  /** What the ledger says from now on. */
  readonly claim: Claim | undefined;
  /** The namespace that may serve the host; undefined: any. */
  readonly owner: Claim | undefined;
}

export function decideOwnership({ objects, claim, covering }: Applicants, now: string): Ownership {
  const claimants = objects.filter(({ mayClaim }) => mayClaim);
  if (claim !== undefined && claimants.some(({ ref }) => ref.namespace === claim.namespace))
    return { claim, owner: claim };
  const first = claimants.find(({ ref }) => covering === undefined || ref.namespace === covering.namespace);
  if (first === undefined) return { claim: undefined, owner: covering };
  const fresh = { namespace: first.ref.namespace, since: now };
  return { claim: fresh, owner: fresh };
}

/** The claim of the nearest wildcard above `hostname`; undefined when there is none. */
export function coveringClaim(hostname: string, claims: Claims): Claim | undefined {
  if (hostname === '*') return undefined;
  for (let dot = hostname.indexOf('.'); dot >= 0; dot = hostname.indexOf('.', dot + 1)) {
    const wildcard = `*${hostname.slice(dot)}`;
    const claim = wildcard === hostname ? undefined : claims.get(wildcard);
    if (claim !== undefined) return claim;
  }
  return undefined;
}
