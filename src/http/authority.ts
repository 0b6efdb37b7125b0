// Host and the authority of an absolute-form target: a name or IP literal with an optional port, nothing else.
import { isIPv6 } from 'node:net';

const registeredName = /^[A-Za-z0-9\-._~!$&'()*+,;=]+$/;
const portDigits = /^[0-9]{0,5}$/;

/** At the colon before the port; an IPv6 address keeps its brackets. Empty port: none. */
export function splitAuthority(authority: string): { readonly host: string; readonly port: string } {
  const colon = authority.endsWith(']') ? -1 : authority.lastIndexOf(':');
  if (colon < 0) return { host: authority, port: '' };
  return { host: authority.slice(0, colon), port: authority.slice(colon + 1) };
}

/**
 * The hostname in lower case, without port and without the one trailing dot of a rooted name. Undefined for what is no
 * authority: userinfo, spaces, percent-escapes, a port above 65535 (RFC 9110 4.2.3, 7.2).
 */
export function hostnameOf(authority: string): string | undefined {
  const { host, port } = splitAuthority(authority);
  if (!portDigits.test(port) || Number(port) > 65_535) return undefined;
  if (host.startsWith('[')) return isIpLiteral(host) ? host.toLowerCase() : undefined;
  if (!registeredName.test(host) || host.length > 255) return undefined;
  const name = host.toLowerCase();
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;
}

/** An IPv6 address in brackets; a zone has no meaning to anyone else (RFC 3986 3.2.2). */
function isIpLiteral(host: string): boolean {
  return host.endsWith(']') && !host.includes('%') && isIPv6(host.slice(1, -1));
}
