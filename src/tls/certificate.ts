// One certificate out of a PEM block: parsed from exactly these bytes, and what may be wrong with its key.
import { X509Certificate } from 'node:crypto';
import { kindOfKey } from './key-kind.ts';

export function parseCertificate(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // The parser looks for PEM inside the bytes first, and leaves bytes after the certificate unread.
    return certificate.raw.equals(der) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** Completes "has ..."; undefined for a key that is fit. */
export function causeOfKey(certificate: X509Certificate): string | undefined {
  try {
    const kind = kindOfKey(certificate.publicKey);
    return kind.kind === 'Unfit' ? kind.cause : undefined;
  } catch {
    return 'a public key that cannot be parsed';
  }
}
