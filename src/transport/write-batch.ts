// What one event has to say to one socket, sent in one write: a system call costs more than all our work on a request.
import type { Socket } from './transport.ts';

/** Below it pieces are copied together; above it a copy costs more than the system call it saves. */
const joinBytes = 65_536;

export class WriteBatch {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#bytes = 0;
  }

  /** As Socket.write: false when onDrain will follow. */
  flush(socket: Socket): boolean {
    const pieces = this.#pieces;
    if (pieces.length === 0) return true;
    let isFlowing = true;
    if (pieces.length === 1) isFlowing = socket.write(pieces[0]!);
    else if (this.#bytes <= joinBytes) isFlowing = socket.write(Buffer.concat(pieces, this.#bytes));
    else for (const piece of pieces) isFlowing = socket.write(piece);
    this.clear();
    return isFlowing;
  }
}
