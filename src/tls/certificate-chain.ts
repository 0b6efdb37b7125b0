// The certificates of a tls.crt: parsed, and in the one order that a server may send them in (RFC 8446 4.4.2).
import type { X509Certificate } from 'node:crypto';
import { causeOfKey, parseCertificate } from './certificate.ts';
import { parsePem } from './pem.ts';

/** Leaf first, and never empty. */
export type CertificateChain = readonly [X509Certificate, ...X509Certificate[]];

/** `fault` is a sentence about tls.crt, without its end. */
export type ChainCheck =
  | { readonly kind: 'Chain'; readonly chain: CertificateChain }
  | { readonly kind: 'Unfit'; readonly fault: string };

const mostCertificates = 16;

/** RSA, RSASSA-PSS and ECDSA with SHA-256, SHA-384 or SHA-512, and Ed25519: TLS libraries refuse to load others. */
const signatureAlgorithms: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
]);

export function checkChain(text: string): ChainCheck {
  const read = parsePem(text);
  if (read.kind === 'Malformed') return unfit(`tls.crt cannot be read: ${read.cause}`);
  if (read.blocks.length === 0) return unfit('tls.crt holds no certificate');
  if (read.blocks.length > mostCertificates)
    return unfit(
      `tls.crt holds ${read.blocks.length} certificates, and at most ${mostCertificates} are sent`,
    );

  const certificates: X509Certificate[] = [];
  for (const [index, { label, der, hasHeaders }] of read.blocks.entries()) {
    if (label.includes('PRIVATE KEY'))
      return unfit('tls.crt holds a private key, which belongs into tls.key');
    if (label !== 'CERTIFICATE' || hasHeaders)
      return unfit(`block ${index + 1} of tls.crt is no certificate`);
    const certificate = parseCertificate(der);
    if (certificate === undefined) return unfit(`certificate ${index + 1} of tls.crt cannot be parsed`);
    certificates.push(certificate);
  }
  const [leaf, ...issuers] = certificates;
  if (leaf === undefined) return unfit('tls.crt holds no certificate');
  const fault = faultOfEach(certificates) ?? faultOfLeaf(leaf, issuers) ?? faultOfOrder(certificates);
  return fault === undefined ? { kind: 'Chain', chain: [leaf, ...issuers] } : unfit(fault);
}

function unfit(fault: string): ChainCheck {
  return { kind: 'Unfit', fault };
}

/** Whether `issuer` issued `certificate`: by its names and key identifiers, and by its signature. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function faultOfEach(certificates: readonly X509Certificate[]): string | undefined {
  const seen = new Set<string>();
  for (const [index, certificate] of certificates.entries()) {
    const name = `certificate ${index + 1} of tls.crt`;
    if (seen.has(certificate.fingerprint256)) return `${name} is there twice`;
    seen.add(certificate.fingerprint256);
    const cause = causeOfKey(certificate);
    if (cause !== undefined) return `${name} has ${cause}`;
    // Nobody judges a root by its own signature, and old roots have SHA-1 there.
    const isRoot = index > 0 && isIssuedBy(certificate, certificate);
    if (!isRoot && !signatureAlgorithms.has(certificate.signatureAlgorithmOid))
      return `${name} is signed with an algorithm that clients do not accept`;
  }
  return undefined;
}

/** A CA certificate serves no host, but alone and self-signed it is what `openssl req -x509` makes. */
function faultOfLeaf(leaf: X509Certificate, issuers: readonly X509Certificate[]): string | undefined {
  if (!leaf.ca) return undefined;
  if (issuers.some(({ ca }) => !ca)) return 'tls.crt does not begin with the certificate of the server';
  if (issuers.length > 0 || !isIssuedBy(leaf, leaf)) return 'tls.crt begins with the certificate of a CA';
  return undefined;
}

function faultOfOrder(certificates: readonly X509Certificate[]): string | undefined {
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1];
    if (issuer === undefined) return undefined;
    const isLast = index + 2 === certificates.length;
    // The oldest roots, of version 1, cannot say that they are a CA.
    const isAuthority = issuer.ca || (isLast && isIssuedBy(issuer, issuer));
    if (!isAuthority || !isIssuedBy(certificate, issuer))
      return `certificate ${index + 2} of tls.crt did not issue certificate ${index + 1}`;
  }
  return undefined;
}
