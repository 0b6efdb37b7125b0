// The Huffman code of HPACK (RFC 7541 5.2, appendix B), made from its lengths: it is canonical, so nothing else is needed.
//
// Decoding takes four bits at a step: the shortest code has five, so a step ends one symbol at most.

/** Bits of the code of each byte; the last one is of EOS. */
// prettier-ignore
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const endOfString = 256;
const longestCode = 30;
/** Padding is fewer than eight bits (RFC 7541 5.2). */
const longestPadding = 7;

const bitsOf = Uint8Array.from(codeLengths);
const codeOf = new Uint32Array(codeLengths.length);

// One after the other by length and then by value, as in every canonical code.
{
  let code = 0;
  for (let length = 1; length <= longestCode; length++) {
    for (let symbol = 0; symbol < codeLengths.length; symbol++)
      if (codeLengths[symbol] === length) codeOf[symbol] = code++;
    code *= 2;
  }
}

const noSymbol = 0xffff;
const failed = 0xffff;
/** At `state * 16 + nibble`. A state is an inner node of the tree of codes; 0 is its root. */
const nextState: Uint16Array = new Uint16Array(256 * 16);
const symbolOf: Uint16Array = new Uint16Array(256 * 16).fill(noSymbol);
/** 1 where a string may end: at the root, or less than a byte of ones below it. */
const mayEnd: Uint8Array = new Uint8Array(256);
buildTables();

function buildTables(): void {
  const children: [number, number][] = [[-1, -1]];
  // A leaf is written as -2 minus its symbol.
  for (let symbol = 0; symbol <= endOfString; symbol++) {
    let node = 0;
    for (let bit = bitsOf[symbol]! - 1; bit >= 0; bit--) {
      const side = (codeOf[symbol]! >>> bit) & 1;
      if (bit === 0) children[node]![side] = -2 - symbol;
      else {
        if (children[node]![side] === -1) children[node]![side] = children.push([-1, -1]) - 1;
        node = children[node]![side]!;
      }
    }
  }
  for (let state = 0; state < children.length; state++)
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      for (let bit = 3; bit >= 0 && node !== failed; bit--) {
        const child = children[node]![(nibble >>> bit) & 1]!;
        if (child >= 0) node = child;
        else if (-2 - child === endOfString) node = failed;
        else {
          symbolOf[state * 16 + nibble] = -2 - child;
          node = 0;
        }
      }
      nextState[state * 16 + nibble] = node;
    }
  let node = 0;
  for (let ones = 0; ones <= longestPadding; ones++) {
    mayEnd[node] = 1;
    node = children[node]![1]!;
  }
}

export const huffmanInvalid = -1;
export const huffmanTooLong = -2;

/**
 * Decodes `bytes[start, end)` to `target[at, limit)` and returns the position after the last byte; huffmanInvalid for what is no
 * string, huffmanTooLong where the room does not suffice.
 */
export function decodeHuffman(
  bytes: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
  limit: number,
): number {
  let state = 0;
  let to = at;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    const first = state * 16 + (byte >>> 4);
    state = nextState[first]!;
    if (state === failed) return huffmanInvalid;
    let symbol = symbolOf[first]!;
    if (symbol !== noSymbol) {
      if (to >= limit) return huffmanTooLong;
      target[to++] = symbol;
    }
    const second = state * 16 + (byte & 15);
    state = nextState[second]!;
    if (state === failed) return huffmanInvalid;
    symbol = symbolOf[second]!;
    if (symbol !== noSymbol) {
      if (to >= limit) return huffmanTooLong;
      target[to++] = symbol;
    }
  }
  return mayEnd[state] === 1 ? to : huffmanInvalid;
}

/** How many bytes `bytes[start, end)` takes when it is encoded; `map` is applied to each byte first. */
export function huffmanLength(bytes: Buffer, start: number, end: number, map: Uint8Array): number {
  let bits = 0;
  for (let at = start; at < end; at++) bits += bitsOf[map[bytes[at]!]!]!;
  return (bits + 7) >>> 3;
}

/** Encodes `bytes[start, end)`, each byte mapped first, to `target` from `at` on; returns the position after it. */
export function encodeHuffman(
  bytes: Buffer,
  start: number,
  end: number,
  map: Uint8Array,
  target: Buffer,
  at: number,
): number {
  let to = at;
  // Byte by byte, since a code of 30 bits and seven that wait are more than the 32 of a shift.
  let waiting = 0;
  let count = 0;
  for (let from = start; from < end; from++) {
    const symbol = map[bytes[from]!]!;
    let bits = bitsOf[symbol]!;
    const code = codeOf[symbol]!;
    while (bits > 0) {
      const taken = Math.min(bits, 8 - count);
      waiting = (waiting << taken) | ((code >>> (bits - taken)) & ((1 << taken) - 1));
      count += taken;
      bits -= taken;
      if (count === 8) {
        target[to++] = waiting;
        waiting = 0;
        count = 0;
      }
    }
  }
  if (count > 0) target[to++] = (waiting << (8 - count)) | ((1 << (8 - count)) - 1);
  return to;
}
