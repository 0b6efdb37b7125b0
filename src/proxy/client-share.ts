// What one client has of the connections of a worker.
import { addressBytes } from '#transport/address.ts';
import type { ProxyContext } from './proxy-context.ts';

export class ClientShare {
  readonly key: string;
  /** Many clients stand behind it, or we do not know yet who does: its number says nothing. */
  readonly isOfMany: boolean;
  /** A peer that says by a PROXY protocol header whom its connection is for. */
  readonly isIntroducer: boolean;
  count = 0;
  /** For whoever goes through all connections. */
  seen = 0;

  constructor(key: string, isOfMany: boolean, isIntroducer: boolean) {
    this.key = key;
    this.isOfMany = isOfMany;
    this.isIntroducer = isIntroducer;
  }

  /** Of a peer whose connection has just come: whoever it speaks for is not known yet. */
  static ofPeer(key: string, address: string, context: ProxyContext): ClientShare {
    const isIntroducer = context.proxyProtocolPeers.includes(address);
    return new ClientShare(key, isIntroducer || context.trustedProxies.includes(address), isIntroducer);
  }

  /** Of somebody whom a peer has named. */
  static ofNamed(key: string, address: string, context: ProxyContext): ClientShare {
    return new ClientShare(key, context.trustedProxies.includes(address), false);
  }

  /** How much it weighs against others. Each connection of many clients is taken for one of a client of its own. */
  get weight(): number {
    return this.isOfMany ? Math.min(this.count, 1) : this.count;
  }
}

/** An address; of IPv6 the first 64 bits, since whoever has one of them has all. */
export function clientKey(address: string): string {
  if (!address.includes(':')) return address;
  const bytes = addressBytes(address);
  return bytes === undefined ? address : Buffer.from(bytes.buffer, bytes.byteOffset, 8).toString('hex');
}
