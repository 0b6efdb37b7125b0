// The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a load balancer that passes connections on
// as they are says in front of the first byte whom it speaks for.

import { familyOf } from '#http/ip-ranges.ts';
import { addressBytes, ipv4Text, ipv6Text } from '#transport/address.ts';

export type ProxyHeader =
  | { readonly kind: 'Incomplete' }
  | { readonly kind: 'Invalid' }
  /** `source` is undefined where the peer speaks for itself, such as in a health check. */
  | { readonly kind: 'Header'; readonly length: number; readonly source: string | undefined };

const incomplete: ProxyHeader = { kind: 'Incomplete' };
const invalid: ProxyHeader = { kind: 'Invalid' };

const signature2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const signature1 = Buffer.from('PROXY ', 'latin1');
/** With the longest addresses, CR LF included. */
const longestLine = 107;
/** Addresses and what else a load balancer may say; the protocol allows 65,535, none needs them. */
const longestRest = 4096;
const rest2 = 16;

/** `bytes` start at the first byte of the connection. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, signature2)) return bytes.length < rest2 ? incomplete : parseVersion2(bytes);
  if (startsLike(bytes, signature1)) return parseVersion1(bytes);
  return invalid;
}

/** As far as there are bytes to compare. */
function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

const address = '([0-9a-fA-F.:]+)';
const port = '(0|[1-9][0-9]{0,4})';
const line = new RegExp(
  `^PROXY (?:UNKNOWN(?: [\\x20-\\x7e]*)?|(TCP4|TCP6) ${address} ${address} ${port} ${port})$`,
);

function parseVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length < longestLine ? incomplete : invalid;
  if (end + 2 > longestLine) return invalid;
  const parsed = line.exec(bytes.toString('latin1', 0, end));
  if (parsed === null) return invalid;
  const [, protocol, source = '', destination = '', ...ports] = parsed;
  if (protocol === undefined) return { kind: 'Header', length: end + 2, source: undefined };
  const family = protocol === 'TCP4' ? 'ipv4' : 'ipv6';
  if (familyOf(source) !== family || familyOf(destination) !== family) return invalid;
  if (ports.some((each) => Number(each) > 65_535)) return invalid;
  return { kind: 'Header', length: end + 2, source: plain(source) };
}

function parseVersion2(bytes: Buffer): ProxyHeader {
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 15;
  const restBytes = bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || restBytes > longestRest) return invalid;
  const length = rest2 + restBytes;
  if (bytes.length < length) return incomplete;
  const isLocal = command === 0;
  switch (isLocal ? 0 : bytes[13]!) {
    case 0x11:
      if (restBytes < 12) return invalid;
      return { kind: 'Header', length, source: ipv4Text(bytes, rest2) };
    case 0x21:
      if (restBytes < 36) return invalid;
      return { kind: 'Header', length, source: ipv6Text(bytes, rest2) };
    case 0x00:
    case 0x12:
    case 0x22:
    case 0x31:
    case 0x32:
      // LOCAL, what is unspecified, datagrams, UNIX sockets: the connection is taken for the peer's own.
      return { kind: 'Header', length, source: undefined };
    default:
      return invalid;
  }
}

/** In canonical form; an IPv4 address in IPv6 clothes as what it is. */
function plain(address: string): string {
  const bytes = addressBytes(address);
  return bytes?.length === 16 ? ipv6Text(bytes, 0) : address;
}
