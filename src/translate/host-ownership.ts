// Which namespace may serve which host: first come, first served, remembered in a ledger of claims.
import type { IngressRoute } from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import type { Claim, Claims } from './cluster-view.ts';

/**
 * The ledger after these routes. `routes` are accepted ones, oldest first. A host stays with the namespace that claimed
 * it for as long as that namespace has a route for it; then, or if nobody claimed it, the oldest route takes it.
 * An object's age decides nothing where there is a claim: an old object edited today must not beat a rightful owner.
 */
export function claimHosts(routes: readonly IngressRoute[], claims: Claims, now: string): Claims {
  const namespacesByHost = new Map<string, string[]>();
  for (const route of routes)
    for (const hostname of route.hostnames) {
      const namespaces = namespacesByHost.get(hostname);
      if (namespaces === undefined) namespacesByHost.set(hostname, [route.namespace]);
      else namespaces.push(route.namespace);
    }
  const next = new Map<string, Claim>();
  for (const [hostname, namespaces] of namespacesByHost) {
    const claim = claims.get(hostname);
    const keeps = claim !== undefined && namespaces.includes(claim.namespace);
    const [first = ''] = namespaces;
    next.set(hostname, keeps ? claim : { namespace: first, since: now });
  }
  return next;
}

export interface OwnedHosts {
  readonly hosts: readonly string[];
  readonly problems: readonly Problem[];
}

/** The hosts of a route that its namespace owns; every other one is a Problem that names the owner. */
export function ownedHosts(route: IngressRoute, claims: Claims): OwnedHosts {
  const hosts: string[] = [];
  const problems: Problem[] = [];
  for (const [index, hostname] of route.hostnames.entries()) {
    const owner = claims.get(hostname);
    if (owner === undefined || owner.namespace === route.namespace) hosts.push(hostname);
    else
      problems.push({
        reason: 'HostnameConflict',
        at: `spec.hostnames[${index}]`,
        message: `"${hostname}" belongs to namespace ${owner.namespace} since ${owner.since}`,
      });
  }
  return { hosts, problems };
}
