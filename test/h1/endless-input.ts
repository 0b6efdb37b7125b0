// Input that never ends, to see a parser stop at its limits instead of holding it all.
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ParserLimits } from '#h1/parser-limits.ts';

/** Small enough to reach in a test, and all different. */
export const smallLimits: ParserLimits = {
  headBytes: 700,
  fields: 9,
  targetBytes: 90,
  chunkExtensionBytes: 50,
  trailerBytes: 150,
};

export interface Endless {
  readonly name: string;
  /** Comes first and is no part of what is limited. */
  readonly start: string;
  /** Is repeated for ever. */
  readonly unit: string;
  /** The most that may be taken of the repetition before the fault. */
  readonly mostBytes: number;
}

export interface Feedable {
  readonly fault: string | undefined;
  push(bytes: Buffer, start: number, end: number): number;
}

export const pieceBytes: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 300 }), {
  minLength: 1,
  maxLength: 5,
});

/** Feeds `endless` in pieces of the given sizes, over and over, and demands a fault before it is too late. */
export function demandFault(
  parser: Feedable,
  { name, start, unit, mostBytes }: Endless,
  sizes: readonly number[],
): void {
  feed(parser, Buffer.from(start, 'latin1'));
  assert.equal(parser.fault, undefined, `${name}: the start is good`);
  const enough = Buffer.from(unit.repeat(Math.ceil((mostBytes + 1) / unit.length)), 'latin1');
  let at = 0;
  for (let turn = 0; parser.fault === undefined; turn++) {
    assert(at <= mostBytes, `${name}: ${at} bytes taken and no fault`);
    const size = Math.min(sizes[turn % sizes.length] ?? 1, enough.length - at);
    feed(parser, enough.subarray(at, at + size));
    at += size;
  }
}

function feed(parser: Feedable, bytes: Buffer): void {
  const piece = Buffer.from(bytes);
  let at = 0;
  while (at < piece.length && parser.fault === undefined) at = parser.push(piece, at, piece.length);
  piece.fill('~');
}
