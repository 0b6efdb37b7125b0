// Who is at the other end of a client connection: the peer, or whom it speaks for.
import type { RequestHead } from '#http/message-head.ts';
import { trustedForwarding, untrustedForwarding } from './forwarding.ts';
import type { Forwarding } from './forwarding.ts';
import type { ProxyContext } from './proxy-context.ts';
import { parseProxyHeader } from './proxy-protocol.ts';

const nothing = Buffer.alloc(0);

/** What a connection was made for. */
export interface Security {
  /** Of its ClientHello, in lower case. */
  readonly serverName: string;
  /** The certificates that were shown for it, and what was asked for: of another host they have to be the same. */
  readonly tlsKey: string;
  /** Who may be believed: of every host, the own one included, it has to be the same. */
  readonly validationKey: string;
  /** What backends are told of the client's certificate; ready to send, and empty where none was asked for. */
  readonly clientLines: string;
}

export class Peer {
  /** Of the peer, or whom its PROXY protocol header names. */
  address: string;
  /** Of every request; undefined for a trusted proxy, whose requests say each where they come from. */
  #forwarding: Forwarding | undefined;
  /** What has come of a PROXY protocol header; undefined when there is none to wait for. */
  #preface: Buffer | undefined;

  /** Undefined without TLS. */
  security: Security | undefined = undefined;
  /** How it speaks to us. */
  readonly #scheme: 'http' | 'https';

  constructor(context: ProxyContext, address: string, scheme: 'http' | 'https') {
    this.address = address;
    this.#scheme = scheme;
    this.#preface = context.proxyProtocolPeers.includes(address) ? nothing : undefined;
    this.#forwarding = forwardingOfPeer(context, address, scheme, '');
  }

  /** Its connection has TLS from here on. */
  secure(context: ProxyContext, security: Security): void {
    this.security = security;
    this.#forwarding = forwardingOfPeer(context, this.address, this.#scheme, security.clientLines);
  }

  /** Its connection begins with a PROXY protocol header that has not come yet. */
  get isUnknown(): boolean {
    return this.#preface !== undefined;
  }

  /** Takes bytes of the header: those after it, empty ones while it is not whole, undefined when it is none. */
  introduce(context: ProxyContext, more: Buffer): Buffer | undefined {
    const bytes = Buffer.concat([this.#preface ?? nothing, more]);
    const header = parseProxyHeader(bytes);
    switch (header.kind) {
      case 'Incomplete':
        this.#preface = bytes;
        return nothing;
      case 'Invalid':
        return undefined;
      case 'Header':
        this.#preface = undefined;
        this.address = header.source ?? this.address;
        this.#forwarding = forwardingOfPeer(context, this.address, this.#scheme, '');
        return bytes.subarray(header.length);
    }
  }

  forwardingOf(context: ProxyContext, head: RequestHead): Forwarding {
    if (this.#forwarding !== undefined) return this.#forwarding;
    const clientLines = this.security?.clientLines ?? '';
    return trustedForwarding(head, this.address, this.#scheme, context.trustedProxies, clientLines);
  }
}

function forwardingOfPeer(
  context: ProxyContext,
  address: string,
  scheme: 'http' | 'https',
  clientLines: string,
): Forwarding | undefined {
  if (context.trustedProxies.includes(address)) return undefined;
  return untrustedForwarding(address, scheme, clientLines);
}
