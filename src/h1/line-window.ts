// Complete lines out of a stream of chunks, in place where possible.
//
// Parsers see whole lines only, so what they report cannot depend on where the network cut the bytes, and a line that
// drips in byte by byte is scanned once, not once a byte. A head that comes in one chunk, as nearly all do, is never
// copied; only the rest of an incomplete one is held.

const LF = 10;
const firstHoldBytes = 2048;
const nothing = Buffer.alloc(0);

export class LineWindow {
  /** `bytes[position, linesEnd)` are complete lines that nobody has taken yet. */
  bytes: Buffer = nothing;
  position = 0;
  linesEnd = 0;
  /** Where the section starts in `bytes`. */
  origin = 0;
  #available = 0;
  #held: Buffer = nothing;
  #heldBytes = 0;
  readonly #maxBytes: number;

  /** `maxBytes` bounds a section, from its first byte to the end of its last line. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds `chunk[start, end)`. Bytes beyond the limit are not looked at. */
  open(chunk: Buffer, start: number, end: number): void {
    const taken = Math.min(end - start, this.#maxBytes - this.#heldBytes);
    if (this.#heldBytes === 0) {
      this.bytes = chunk;
      this.origin = start;
      this.position = start;
      this.#available = start + taken;
      this.linesEnd = lastLineEnd(chunk, start, start + taken);
      return;
    }
    this.#reserve(this.#heldBytes + taken);
    chunk.copy(this.#held, this.#heldBytes, start, start + taken);
    this.bytes = this.#held;
    this.#available = this.#heldBytes + taken;
    // What was held has no complete line: only an LF among the new bytes ends one.
    const lineEnd = lastLineEnd(this.#held, this.#heldBytes, this.#available);
    this.linesEnd = lineEnd > this.#heldBytes ? lineEnd : this.position;
  }

  /** Bytes after `position`, complete lines or not. */
  get restBytes(): number {
    return this.#available - this.position;
  }

  /** The section has reached its limit. */
  get isFull(): boolean {
    return this.#available - this.origin >= this.#maxBytes;
  }

  /** The position in the chunk given to open, that began at `start`, which `position` stands for. */
  chunkPosition(start: number): number {
    return this.#heldBytes === 0 ? this.position : start + this.position - this.#heldBytes;
  }

  /** Keeps an incomplete section for the next chunk; returns how far offsets into `bytes` moved to the left. */
  hold(): number {
    if (this.bytes === this.#held) {
      this.#heldBytes = this.#available;
      return 0;
    }
    const distance = this.origin;
    const size = this.#available - this.origin;
    this.#reserve(size);
    this.bytes.copy(this.#held, 0, this.origin, this.#available);
    this.bytes = this.#held;
    this.#heldBytes = size;
    this.#available = size;
    this.position -= distance;
    this.linesEnd = this.position;
    this.origin = 0;
    return distance;
  }

  /** Forgets the section: the next chunk starts another. */
  reset(): void {
    this.#held = nothing;
    this.#heldBytes = 0;
  }

  #reserve(size: number): void {
    if (this.#held.length >= size) return;
    const larger = Buffer.allocUnsafe(
      Math.min(this.#maxBytes, Math.max(size, firstHoldBytes, this.#held.length * 2)),
    );
    this.#held.copy(larger, 0, 0, this.#heldBytes);
    this.#held = larger;
  }
}

/** The position after the last LF of `bytes[start, end)`, or `start` without one. */
function lastLineEnd(bytes: Buffer, start: number, end: number): number {
  if (end <= start) return start;
  // A head that came whole, as nearly all do, ends in one.
  if (bytes[end - 1] === LF) return end;
  const last = bytes.lastIndexOf(LF, end - 1);
  return last < start ? start : last + 1;
}
