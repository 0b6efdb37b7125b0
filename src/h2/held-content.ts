// Content that waits until somebody wants it: windows bound its bytes, and packing bounds what is held for each, however small
// the frames that brought it.

/** Pieces below it share a buffer of this size: alone, one of a byte costs a hundred. */
const sharedBytes = 8192;

export class HeldContent {
  readonly #pieces: Buffer[] = [];
  /** Of the last piece, how much is filled. */
  #filled = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Buffers that hold it. */
  get pieces(): number {
    return this.#pieces.length;
  }

  /** Copies `bytes[start, end)`. */
  push(bytes: Buffer, start: number, end: number): void {
    const count = end - start;
    this.#bytes += count;
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length - this.#filled >= count) {
      this.#filled += bytes.copy(last, this.#filled, start, end);
      return;
    }
    this.#closeLast();
    // The first piece is mostly the only one.
    const size = last === undefined ? count : Math.max(count, sharedBytes);
    const piece = Buffer.allocUnsafeSlow(size);
    this.#filled = bytes.copy(piece, 0, start, end);
    this.#pieces.push(piece);
  }

  /** What waits longest; there is something. */
  shift(): Buffer {
    this.#closeLast();
    const piece = this.#pieces.shift()!;
    this.#bytes -= piece.length;
    return piece;
  }

  /** Nobody will want it. Returns how many bytes there were. */
  clear(): number {
    const bytes = this.#bytes;
    this.#pieces.length = 0;
    this.#filled = 0;
    this.#bytes = 0;
    return bytes;
  }

  /** Nothing more fits in: what is not filled is no content. */
  #closeLast(): void {
    const last = this.#pieces.length - 1;
    if (last < 0 || this.#filled === this.#pieces[last]!.length) return;
    this.#pieces[last] = this.#pieces[last]!.subarray(0, this.#filled);
  }
}
