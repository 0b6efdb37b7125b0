// `tls` of a backendRef as users write it, in the words of a BackendTLSPolicy: whom the backend has to prove to be.
import { readCaCertificateRefs } from './ca-certificate-refs.ts';
import type { FieldReader } from './field-reader.ts';
import { hostnameFault } from './hostname.ts';

export interface BackendTls {
  readonly hostname: string;
  /** Names of Secrets of the same namespace; empty: wellKnownCACertificates. */
  readonly caCertificateRefs: readonly string[];
}

export function readBackendTls(tls: FieldReader | undefined): BackendTls | undefined {
  if (tls === undefined) return undefined;
  tls.refuseUnknown(['hostname', 'caCertificateRefs', 'wellKnownCACertificates']);
  const hostname = tls.requiredString('hostname');
  const fault = hostname.includes('*') ? 'is a wildcard; a server has one name' : hostnameFault(hostname);
  if (fault !== undefined) tls.refuse('hostname', `"${hostname}" ${fault}`);
  const caCertificateRefs = readCaCertificateRefs(tls);
  const wellKnown = tls.oneOf('wellKnownCACertificates', ['System']);
  if (tls.has('caCertificateRefs') && caCertificateRefs.length === 0)
    tls.refuse('caCertificateRefs', 'needs at least one Secret');
  if (caCertificateRefs.length > 0 === (wellKnown !== undefined))
    tls.refuse('caCertificateRefs', 'or wellKnownCACertificates: one of them, and not both');
  return { hostname, caCertificateRefs };
}
