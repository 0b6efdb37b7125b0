// The certificates of a PEM text, each as a text of its own.

/** Throws without any: an empty text would be taken for none, and so for everybody whom the runtime trusts. */
export function certificatesOf(pem: string): string[] {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates === null) throw new TypeError('there is no certificate to trust');
  return [...certificates];
}
