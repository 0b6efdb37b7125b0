// What one event has to say to one socket, sent in one write: a system call costs more than all our work on a request.
//
// A thread runs one event at a time, so all its batches share one scratch buffer to join their pieces in; a batch that
// still has something there when another one needs the room moves it to bytes of its own.
import type { Socket } from './transport.ts';

const scratchBytes = 65_536;
/** A piece above it is sent as it is: a copy costs more than the system call that it saves. */
const largeBytes = 32_768;
const scratch = Buffer.allocUnsafeSlow(scratchBytes);
let scratchOwner: WriteBatch | undefined = undefined;
const nothing = Buffer.alloc(0);

interface Piece {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** In this order: pieces that cannot be joined, then either what is joined in the scratch buffer or one piece as it came. */
export class WriteBatch {
  #pieces: Piece[] | undefined = undefined;
  #joined = 0;
  #bytes: Buffer = nothing;
  #start = 0;
  #end = 0;

  get isEmpty(): boolean {
    return this.#joined === 0 && this.#end === 0 && this.#pieces === undefined;
  }

  /** `bytes[start, end)`, which nobody writes to any more. */
  add(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    if (this.#joined === 0 && this.#end === 0) {
      this.#bytes = bytes;
      this.#start = start;
      this.#end = end;
    } else if (end - start > largeBytes) {
      this.#settle();
      this.#push({ bytes, start, end });
    } else this.#join(bytes, start, end);
  }

  /** `bytes[start, end)`, which the caller will write to again: copied at once. */
  addCopy(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    if (end - start <= scratchBytes) this.#join(bytes, start, end);
    else this.add(Buffer.from(bytes.subarray(start, end)), 0, end - start);
  }

  clear(): void {
    if (scratchOwner === this) scratchOwner = undefined;
    this.#pieces = undefined;
    this.#joined = 0;
    this.#forgetPiece();
  }

  /** As Socket.write: false when onDrain will follow. */
  flush(socket: Socket): boolean {
    let isFlowing = true;
    if (this.#pieces !== undefined)
      for (const { bytes, start, end } of this.#pieces) isFlowing = socket.write(bytes, start, end);
    if (this.#joined > 0) isFlowing = socket.writeCopy(scratch, 0, this.#joined);
    else if (this.#end > 0) isFlowing = socket.write(this.#bytes, this.#start, this.#end);
    this.clear();
    return isFlowing;
  }

  #join(bytes: Buffer, start: number, end: number): void {
    const held = this.#end - this.#start;
    if (held > largeBytes || this.#joined + held + (end - start) > scratchBytes) this.#settle();
    if (scratchOwner !== this) WriteBatch.#giveScratchTo(this);
    if (this.#end > 0) {
      this.#joined += this.#bytes.copy(scratch, this.#joined, this.#start, this.#end);
      this.#forgetPiece();
    }
    this.#joined += bytes.copy(scratch, this.#joined, start, end);
  }

  /** What there is goes to the pieces, and room is made. */
  #settle(): void {
    if (this.#joined > 0) this.#leaveScratch();
    if (this.#end > 0) this.#push({ bytes: this.#bytes, start: this.#start, end: this.#end });
    this.#forgetPiece();
  }

  static #giveScratchTo(batch: WriteBatch): void {
    if (scratchOwner !== undefined) scratchOwner.#leaveScratch();
    scratchOwner = batch;
  }

  #leaveScratch(): void {
    scratchOwner = undefined;
    this.#bytes = Buffer.from(scratch.subarray(0, this.#joined));
    this.#start = 0;
    this.#end = this.#joined;
    this.#joined = 0;
  }

  #push(piece: Piece): void {
    if (this.#pieces === undefined) this.#pieces = [piece];
    else this.#pieces.push(piece);
  }

  #forgetPiece(): void {
    this.#bytes = nothing;
    this.#start = 0;
    this.#end = 0;
  }
}
