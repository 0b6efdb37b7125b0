// Host and the authority of an absolute-form target: a name or IP literal with an optional port, nothing else.
import { isIPv6 } from 'node:net';

const registeredName = /^[A-Za-z0-9\-._~!$&'()*+,;=]+$/;
const portDigits = /^[0-9]{0,5}$/;

/**
 * The hostname in lower case, without port and without the one trailing dot of a rooted name. Undefined for what is no
 * authority: userinfo, spaces, percent-escapes, a port above 65535 (RFC 9110 4.2.3, 7.2).
 */
export function hostnameOf(authority: string): string | undefined {
  const colon = authority.endsWith(']') ? -1 : authority.lastIndexOf(':');
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const port = colon < 0 ? '' : authority.slice(colon + 1);
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
