// What backends with TLS prove themselves with, to all sides alike: a leaf of an authority that nobody knows by itself.
import { createAuthority } from '../tls/certificates.ts';

export const backendName = 'backend.test';

const authority = createAuthority('Bench CA');
const leaf = authority.issue({ dnsNames: [backendName] });

/** Chain and key. */
export const backendPair = authority.chainOf(leaf) + leaf.keyPem;
export const backendAuthority = authority.root.certificate;

/** Next to the configurations. */
export const backendPairFile = 'backend-pair.pem';
export const backendAuthorityFile = 'backend-ca.pem';
