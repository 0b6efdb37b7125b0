// Which addresses are globally routable unicast: the only ones that a name in another's hands may lead to.
import { BlockList, isIP } from 'node:net';

// The lists are made with the first address that is asked about: most data planes never look up a name.

/** RFC 6890 and its successors; shared, link-local and multicast blocks, and what stands for other addresses. */
const notPublicIpv4 = listWhenAsked('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);

/**
 * All that IANA has given out as global unicast. Outside of it are loopback, unique local, link-local and multicast
 * addresses, and those that carry an IPv4 address: mapped, compatible and NAT64.
 */
const globalIpv6 = listWhenAsked('ipv6', [['2000::', 3]]);

/** IETF protocol assignments (Teredo among them), documentation, 6to4. */
const notPublicIpv6 = listWhenAsked('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

/** False also for an address with a zone, and for what is no address. */
export function isPublicAddress(text: string): boolean {
  // isIP takes a zone, and a BlockList looks past it.
  if (text.includes('%')) return false;
  switch (isIP(text)) {
    case 4:
      return !notPublicIpv4().check(text, 'ipv4');
    case 6:
      return globalIpv6().check(text, 'ipv6') && !notPublicIpv6().check(text, 'ipv6');
    default:
      return false;
  }
}

function listWhenAsked(
  family: 'ipv4' | 'ipv6',
  blocks: readonly (readonly [string, number])[],
): () => BlockList {
  let list: BlockList | undefined;
  return () => (list ??= blockList(family, blocks));
}

function blockList(family: 'ipv4' | 'ipv6', blocks: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of blocks) list.addSubnet(address, prefix, family);
  return list;
}
