// Sets of IP addresses, written as CIDR blocks.
import { BlockList, isIP } from 'node:net';

type Family = 'ipv4' | 'ipv6';

// A BlockList is made when there is something to ask of it: on Bun the first one loads all of its node:net, which takes
// 15 ms, and most threads never have any.

let ipv4InIpv6List: BlockList | undefined;

function isIpv4InIpv6(address: string): boolean {
  if (ipv4InIpv6List === undefined) {
    ipv4InIpv6List = new BlockList();
    ipv4InIpv6List.addSubnet('::ffff:0:0', 96, 'ipv6');
  }
  return ipv4InIpv6List.check(address, 'ipv6');
}

export class IpRanges {
  readonly isEmpty: boolean;
  /** Apart: in one list a block such as ::/0 would also hold every IPv4 address. */
  readonly #lists: Readonly<Record<Family, BlockList>> | undefined;

  /** Throws a RangeError that names the text which is no block. */
  constructor(blocks: readonly string[]) {
    this.isEmpty = blocks.length === 0;
    if (this.isEmpty) return;
    this.#lists = { ipv4: new BlockList(), ipv6: new BlockList() };
    for (const block of blocks) {
      const parsed = parseCidr(block);
      if (parsed === undefined)
        throw new RangeError(`"${block}" is no CIDR block, such as 10.0.0.0/8 or fd00::/8, and no address`);
      this.#lists[parsed.family].addSubnet(parsed.address, parsed.prefix, parsed.family);
    }
  }

  /** False for what is no address. */
  includes(address: string): boolean {
    if (this.#lists === undefined) return false;
    const family = familyOf(address);
    if (family === undefined) return false;
    const isIpv4 = family === 'ipv4' || isIpv4InIpv6(address);
    return this.#lists[isIpv4 ? 'ipv4' : 'ipv6'].check(address, family);
  }
}

/** A block, or a single address; undefined for anything else. */
export function parseCidr(
  text: string,
): { readonly address: string; readonly prefix: number; readonly family: Family } | undefined {
  const [, address = '', digits] = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === undefined) return undefined;
  // Whoever it means is looked for among the IPv4 blocks.
  if (family === 'ipv6' && isIpv4InIpv6(address)) return undefined;
  const longest = family === 'ipv4' ? 32 : 128;
  const prefix = digits === undefined ? longest : Number(digits);
  return prefix <= longest ? { address, prefix, family } : undefined;
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]:80`: the address in it; undefined without one. */
export function addressIn(node: string): string | undefined {
  const [, bracketed, v4] =
    /^(?:\[([0-9a-fA-F.:]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})$/.exec(node) ?? [];
  const address = bracketed ?? v4 ?? node;
  return familyOf(address) === undefined ? undefined : address;
}

export function familyOf(text: string): Family | undefined {
  if (text.includes('%')) return undefined;
  switch (isIP(text)) {
    case 4:
      return 'ipv4';
    case 6:
      return 'ipv6';
    default:
      return undefined;
  }
}
