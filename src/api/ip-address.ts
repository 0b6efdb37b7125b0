// IP addresses as text: the one place that asks the runtime what is one.
import { BlockList, isIP } from 'node:net';

export type IpFamily = 'IPv4' | 'IPv6';

/** In the words of EndpointSlice and Service; undefined for what is no address literal. */
export function familyOf(text: string): IpFamily | undefined {
  // A zone, as in fe80::1%eth0, has no meaning on another machine.
  if (text.includes('%')) return undefined;
  switch (isIP(text)) {
    case 4:
      return 'IPv4';
    case 6:
      return 'IPv6';
    default:
      return undefined;
  }
}

const ipv4InIpv6 = new BlockList();
ipv4InIpv6.addSubnet('::ffff:0:0', 96, 'ipv6');

/** A block as the API server's isCIDR judges it: no zone, no leading zeros, no IPv4 address in IPv6 clothes. */
export function isCidr(text: string): boolean {
  if (text.length > 43) return false;
  const [, address = '', digits = ''] = /^([0-9a-fA-F.:]+)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  switch (familyOf(address)) {
    case 'IPv4':
      return Number(digits) <= 32;
    case 'IPv6':
      return Number(digits) <= 128 && !ipv4InIpv6.check(address, 'ipv6');
    case undefined:
      return false;
  }
}
