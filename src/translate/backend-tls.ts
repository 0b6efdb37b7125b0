// `tls` of a reference -> how its endpoints are spoken to, and whom they have to prove to be.
import type { BackendTls } from '#api/backend-tls.ts';
import type { Problem } from '#api/problem.ts';
import type { BackendAuthorities, Upstream } from '#model/route-model.ts';
import { resolveAuthorities } from './authorities.ts';
import type { AuthorityLookup } from './authorities.ts';

export type TermsOfTls =
  /** Undefined: the Service says it. */
  | { readonly kind: 'Resolved'; readonly tls: Upstream['tls'] | undefined }
  | { readonly kind: 'Unresolved'; readonly problem: Problem };

/** `at`: the place of the reference. */
export function termsOfTls(
  tls: BackendTls | undefined,
  namespace: string,
  at: string,
  lookup: AuthorityLookup,
): TermsOfTls {
  if (tls === undefined) return { kind: 'Resolved', tls: undefined };
  const { hostname, caCertificateRefs } = tls;
  if (caCertificateRefs.length === 0) return verified(hostname, { kind: 'System' });
  const trusted = resolveAuthorities(caCertificateRefs, namespace, `${at}.tls.caCertificateRefs`, lookup);
  return trusted.kind === 'Unresolved' ? trusted : verified(hostname, { kind: 'Pem', pem: trusted.pem });
}

function verified(serverName: string, authorities: BackendAuthorities): TermsOfTls {
  return { kind: 'Resolved', tls: { kind: 'Verified', serverName, authorities } };
}
