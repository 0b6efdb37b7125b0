// The CA certificates of a ca.crt: read, and each fit to vouch for others. Whoever trusts them trusts all of them.
import { causeOfKey, parseCertificate } from './certificate.ts';
import { encodePem, parsePem } from './pem.ts';

export type CaBundleCheck =
  /** PEM of one certificate each, with LF line ends; in the order of the text, each once, and never empty. */
  | { readonly kind: 'Bundle'; readonly certificates: readonly string[] }
  /** One sentence that names ca.crt and the cause, without its end. It quotes nothing. */
  | { readonly kind: 'Unfit'; readonly fault: string };

/** Of one ca.crt, and of all that are trusted together. Some 30 authorities fit. */
export const mostBundleBytes = 65_536;

/** Judges the text of a ca.crt; never throws. Dates are not looked at: who is trusted until when, each handshake judges. */
export function checkCaBundle(text: string): CaBundleCheck {
  if (Buffer.byteLength(text) > mostBundleBytes) return unfit('ca.crt is larger than 64 KiB');
  const read = parsePem(text);
  if (read.kind === 'Malformed') return unfit(`ca.crt cannot be read: ${read.cause}`);
  if (read.blocks.length === 0) return unfit('ca.crt holds no certificate');
  const certificates = new Set<string>();
  for (const [index, { label, der, hasHeaders }] of read.blocks.entries()) {
    if (label.includes('PRIVATE KEY')) return unfit('ca.crt holds a private key, which nobody must be shown');
    if (label !== 'CERTIFICATE' || hasHeaders) return unfit(`block ${index + 1} of ca.crt is no certificate`);
    const certificate = parseCertificate(der);
    if (certificate === undefined) return unfit(`certificate ${index + 1} of ca.crt cannot be parsed`);
    if (!certificate.ca) return unfit(`certificate ${index + 1} of ca.crt is not that of a CA`);
    const cause = causeOfKey(certificate);
    if (cause !== undefined) return unfit(`certificate ${index + 1} of ca.crt has ${cause}`);
    certificates.add(encodePem('CERTIFICATE', certificate.raw));
  }
  return { kind: 'Bundle', certificates: [...certificates] };
}

function unfit(fault: string): CaBundleCheck {
  return { kind: 'Unfit', fault };
}

/** One text of several bundles, the same whatever their order: each certificate once. */
export function joinBundles(bundles: readonly (readonly string[])[]): string {
  return [...new Set(bundles.flat())].sort().join('');
}
