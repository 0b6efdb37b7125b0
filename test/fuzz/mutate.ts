// Small damage to good input: bytes replaced, inserted, removed or repeated, line ends swapped, tricks put in.
import type { Random } from './random.ts';

const lineEnds = ['\r\n', '\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '\r\n ', '\r\n\t', ''];

const interestingBytes = [
  0, 1, 9, 10, 11, 12, 13, 32, 35, 37, 43, 44, 45, 46, 47, 48, 58, 59, 64, 92, 95, 127, 128, 160, 255,
];

type Mutation = (bytes: Buffer, random: Random, tricks: readonly string[]) => Buffer;

function splice(bytes: Buffer, at: number, removed: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}

function someByte(random: Random): Buffer {
  return Buffer.from([random.below(3) === 0 ? random.below(256) : random.oneOf(interestingBytes)]);
}

/** The place right after some line end, or anywhere in input without one. */
function someLineStart(bytes: Buffer, random: Random): number {
  const starts: number[] = [];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
  return starts.length === 0 ? random.below(bytes.length + 1) : random.oneOf(starts);
}

const mutations: readonly Mutation[] = [
  function replaceByte(bytes, random) {
    return splice(bytes, random.below(bytes.length + 1), 1, someByte(random));
  },
  function insertByte(bytes, random) {
    return splice(bytes, random.below(bytes.length + 1), 0, someByte(random));
  },
  function removeBytes(bytes, random) {
    return splice(bytes, random.below(bytes.length + 1), 1 + random.below(4), Buffer.alloc(0));
  },
  function repeatBytes(bytes, random) {
    const at = random.below(bytes.length + 1);
    return splice(bytes, at, 0, bytes.subarray(at, at + 1 + random.below(24)));
  },
  function repeatLine(bytes, random) {
    const at = someLineStart(bytes, random);
    const end = bytes.indexOf(10, at);
    return splice(bytes, someLineStart(bytes, random), 0, bytes.subarray(at, end < 0 ? at : end + 1));
  },
  function swapLineEnd(bytes, random) {
    const at = someLineStart(bytes, random);
    const size = bytes[at - 2] === 13 ? 2 : 1;
    return splice(bytes, Math.max(0, at - size), size, Buffer.from(random.oneOf(lineEnds), 'latin1'));
  },
  function changeCase(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = random.below(bytes.length);
    const byte = copy[at] ?? 0;
    if ((byte | 32) >= 97 && (byte | 32) <= 122) copy[at] = byte ^ 32;
    return copy;
  },
  function insertTrickLine(bytes, random, tricks) {
    return splice(bytes, someLineStart(bytes, random), 0, Buffer.from(random.oneOf(tricks), 'latin1'));
  },
  function insertTrick(bytes, random, tricks) {
    return splice(bytes, random.below(bytes.length + 1), 0, Buffer.from(random.oneOf(tricks), 'latin1'));
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
];

/** `bytes` after one to `most` mutations; never the same object. */
export function mutate(bytes: Buffer, random: Random, tricks: readonly string[], most = 3): Buffer {
  let mutated = Buffer.from(bytes);
  for (let left = 1 + random.below(most); left > 0; left--)
    mutated = Buffer.from(random.oneOf(mutations)(mutated, random, tricks));
  return mutated;
}
