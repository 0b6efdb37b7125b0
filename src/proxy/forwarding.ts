// Where a request comes from: what is written about it, and what a peer may say itself.
//
// A peer outside the trusted ranges is the client, whatever it says. A trusted one is a proxy: what it says is kept and
// appended to, and the client is the last address in X-Forwarded-For that is not itself a trusted proxy.
import type { RequestHead } from '#http/message-head.ts';
import { addressIn } from '#http/ip-ranges.ts';
import type { IpRanges } from '#http/ip-ranges.ts';

export interface Forwarding {
  readonly clientAddress: string;
  /** How the client reached the first proxy, as far as that is known. */
  readonly scheme: 'http' | 'https';
  /**
   * X-Forwarded-For, -Proto, X-Real-IP and, after a trusted peer that sent one, Forwarded; what the client's certificate says,
   * where one was asked for. Ready to send.
   */
  readonly lines: string;
  /** Empty: the authority of the request. */
  readonly host: string;
  /** Empty: a new one has to be made. */
  readonly requestId: string;
  /** Other X-Forwarded-* fields go through as they came. */
  readonly isFromTrusted: boolean;
}

/** The same for every request of a connection. */
export function untrustedForwarding(peer: string, scheme: 'http' | 'https', clientLines: string): Forwarding {
  return {
    clientAddress: peer,
    scheme,
    lines: `${linesOf(peer, scheme, peer)}${clientLines}`,
    host: '',
    requestId: '',
    isFromTrusted: false,
  };
}

/** For one request of a peer in the trusted ranges. */
export function trustedForwarding(
  head: RequestHead,
  peer: string,
  scheme: 'http' | 'https',
  trusted: IpRanges,
  clientLines: string,
): Forwarding {
  const { fields } = head;
  const chain = fields.combined('x-forwarded-for');
  const client = clientIn(chain, peer, trusted);
  const said = fields.combined('x-forwarded-proto')?.toLowerCase();
  const proto = said === 'http' || said === 'https' ? said : scheme;
  const forwarded = fields.combined('forwarded');
  const host = fields.combined('x-forwarded-host') ?? '';
  const requestId = fields.combined('x-request-id') ?? '';
  const addresses = chain === undefined || chain === '' ? peer : `${chain}, ${peer}`;
  const lines = `${linesOf(addresses, proto, client)}${clientLines}`;
  return {
    clientAddress: client,
    scheme: proto,
    lines:
      forwarded === undefined
        ? lines
        : `${lines}Forwarded: ${forwarded}, for=${nodeOf(peer)};proto=${scheme}\r\n`,
    host: oneToken.test(host) ? host : '',
    requestId: oneToken.test(requestId) ? requestId : '',
    isFromTrusted: true,
  };
}

/**
 * Fields that are written anew, whoever sent them. Who a client is only its own handshake with us says, whoever is in between.
 */
export const rewrittenFields: readonly string[] = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-real-ip',
  'forwarded',
  'x-forwarded-client-cert',
  'x-client-verify',
];

/** Whether backends hear in the field `name`, in lower case, what we say and not what was sent. */
export function isTold({ isFromTrusted }: Forwarding, name: string): boolean {
  return rewrittenFields.includes(name) || (!isFromTrusted && name.startsWith('x-forwarded-'));
}

/** What they hear in it; undefined: they do not get it. */
export function toldField({ lines, host }: Forwarding, name: string, authority: string): string | undefined {
  if (name === 'x-forwarded-host') return host === '' ? authority : host;
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon === name.length && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 2);
  }
  return undefined;
}

/** No list, nothing that has to be quoted. */
const oneToken = /^[\w.:[\]~-]{1,255}$/;

function linesOf(chain: string, proto: string, client: string): string {
  return `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${proto}\r\nX-Real-IP: ${client}\r\n`;
}

/** From the right: every address is vouched for by the one after it, as long as that is trusted. */
function clientIn(chain: string | undefined, peer: string, trusted: IpRanges): string {
  let client = peer;
  for (const node of (chain ?? '').split(',').reverse()) {
    const address = addressIn(node.trim());
    if (address === undefined) break;
    client = address;
    if (!trusted.includes(address)) break;
  }
  return client;
}

/** As a node of RFC 7239: an IPv6 address is quoted. */
function nodeOf(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}
