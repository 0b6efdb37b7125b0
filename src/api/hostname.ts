// The grammar of spec.hostnames: exact DNS names, *. wildcards, and the catch-all.

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const pattern = new RegExp(`^(?:\\*|(?:\\*\\.)?${label}(?:\\.${label})*)$`);
const address = /^[0-9]+(?:[.][0-9]+){3}$/;

/** Why the text is no hostname, or undefined when it is one. */
export function hostnameFault(text: string): string | undefined {
  if (text.length > 253) return 'is longer than 253 characters';
  if (!pattern.test(text)) return 'is neither a lower-case DNS name, a *. wildcard nor "*"';
  if (address.test(text)) return 'is an IP address; a hostname is a DNS name';
  return undefined;
}
