// IP addresses between text and the bytes that the system speaks.

/** Four bytes: `192.0.2.1`. */
export function ipv4Text(bytes: Uint8Array, at: number): string {
  return `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`;
}

/** Sixteen bytes, in the canonical form of RFC 5952; an IPv4 address in IPv6 clothes as what it is. */
export function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups = Array.from(
    { length: 8 },
    (_, index) => bytes[at + index * 2]! * 256 + bytes[at + index * 2 + 1]!,
  );
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return ipv4Text(bytes, at + 12);
  const zeros = longestZeros(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (zeros.length < 2) return text(0, 8);
  return `${text(0, zeros.start)}::${text(zeros.start + zeros.length, 8)}`;
}

/** Two bytes. */
function hex(bytes: Uint8Array, at: number): string {
  return (bytes[at]! * 256 + bytes[at + 1]!).toString(16);
}

/** The first of the longest runs. */
function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** The 4 or 16 bytes of an address; undefined for any other text. Zones have no meaning to anyone else. */
export function addressBytes(text: string): Uint8Array | undefined {
  // No leading zeros: some read them as octal.
  if (/^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/.test(text)) {
    const parts = text.split('.').map(Number);
    return parts.every((part) => part < 256) ? Uint8Array.from(parts) : undefined;
  }
  return ipv6Bytes(text);
}

function ipv6Bytes(text: string): Uint8Array | undefined {
  if (!text.includes(':')) return undefined;
  // An IPv4 address at the end stands for the last two groups.
  const [, front = '', tail] = /^(.*:)([0-9.]*\.[0-9.]*)$/.exec(text) ?? [];
  const ipv4 = tail === undefined ? undefined : addressBytes(tail);
  if (tail !== undefined && ipv4 === undefined) return undefined;
  const plain = ipv4 === undefined ? text : `${front}${hex(ipv4, 0)}:${hex(ipv4, 2)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], rest] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - (rest?.length ?? 0);
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [
    ...head,
    ...Array.from({ length: rest === undefined ? 0 : missing }, () => '0'),
    ...(rest ?? []),
  ];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    }),
  );
}
