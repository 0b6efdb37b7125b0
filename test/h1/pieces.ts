// Cuts input into pieces the way a transport delivers them: somewhere inside a buffer that is used again afterwards.

/** Bytes of somebody else's around a piece; a parser that reads past its range finds line ends there. */
const margin = Buffer.from('\r\n\r\n0\r\n\r\n', 'latin1');

/** Calls `onPiece` for the bytes between two cuts. `cuts` ascend. The bytes are gone when it returns. */
export function forEachPiece(
  bytes: Buffer,
  cuts: readonly number[],
  onPiece: (piece: Buffer, start: number, end: number) => void,
): void {
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to <= from) continue;
    const piece = Buffer.concat([margin, bytes.subarray(from, to), margin]);
    onPiece(piece, margin.length, margin.length + to - from);
    piece.fill('~');
    from = to;
  }
}

/** Every way to cut `length` bytes in two, or about `most` of them, always with those near both ends. */
export function cutsInTwo(length: number, most: number): readonly number[] {
  const all = Array.from({ length: Math.max(0, length - 1) }, (_, index) => index + 1);
  if (all.length <= most) return all;
  const stride = Math.ceil(all.length / most);
  return all.filter((cut) => cut % stride === 0 || cut < 8 || cut > length - 8);
}

export function cutsEverywhere(length: number): readonly number[] {
  return cutsInTwo(length, length);
}
