// `tls` of a reference -> the terms of an upstream of its own: one Service port may be asked for in several ways.
import { createHash } from 'node:crypto';
import type { BackendTls } from '#api/backend-tls.ts';
import type { Upstream } from '#model/route-model.ts';
import { resolveAuthorities } from './authorities.ts';
import type { AuthorityLookup } from './authorities.ts';
import type { Resolved } from './backends.ts';
import type { UpstreamUse } from './translated-object.ts';

type Verified = Extract<Upstream['tls'], { readonly kind: 'Verified' }>;

/** The upstream of a reference, where its Service was found. `at`: the place of the reference. */
export function withBackendTls(
  resolved: Resolved,
  tls: BackendTls | undefined,
  namespace: string,
  at: string,
  lookup: AuthorityLookup,
): Resolved {
  if (resolved.kind === 'Unresolved' || tls === undefined) return resolved;
  const { hostname, caCertificateRefs } = tls;
  if (caCertificateRefs.length === 0)
    return use(resolved.use, { kind: 'Verified', serverName: hostname, authorities: { kind: 'System' } });
  const trusted = resolveAuthorities(caCertificateRefs, namespace, `${at}.tls.caCertificateRefs`, lookup);
  if (trusted.kind === 'Unresolved') return trusted;
  const authorities = { kind: 'Pem', pem: trusted.pem } as const;
  return use(resolved.use, { kind: 'Verified', serverName: hostname, authorities });
}

function use({ id, at }: UpstreamUse, tls: Verified): Resolved {
  return { kind: 'Resolved', use: { id: securedId(id, tls), at, tls } };
}

/** `shop/web:443 as api.internal trusting system`, or the beginning of the digest of whom else. */
function securedId(id: string, { serverName, authorities }: Verified): string {
  const whom =
    authorities.kind === 'System'
      ? 'system'
      : createHash('sha256').update(authorities.pem).digest('hex').slice(0, 16);
  return `${id} as ${serverName} trusting ${whom}`;
}

/** The upstream in which the endpoints of another are spoken to on terms of their own: `shop/web:443`. */
export function plainId(id: string): string {
  const space = id.indexOf(' ');
  return space < 0 ? id : id.slice(0, space);
}
