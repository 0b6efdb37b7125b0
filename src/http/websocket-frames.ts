// Where the frames of one direction of a WebSocket begin and end (RFC 6455 5.2), and nothing of what they say.
//
// It looks at heads alone and skips payload by its length: what it costs goes by frames, not by bytes.
import { randomBytes } from 'node:crypto';

const closeOpcode = 8;
const maskBit = 0x80;
/** A server's Close frame: FIN and the opcode, the length of the payload, and 1001, which is "going away" (7.4.1). */
export const goingAway: Buffer = Buffer.from([0x80 | closeOpcode, 2, 1001 >> 8, 1001 & 0xff]);

export class WebSocketFrames {
  /** A Close frame has begun in this direction: no other frame may follow it (5.5.1). */
  hasClose = false;
  #headBytes = 0;
  /** At least two bytes; the second one says how many. */
  #headSize = 2;
  #lengthEnd = 2;
  #payloadLeft = 0;

  /** A frame of our own would not stand in the middle of another one. */
  get isBetweenFrames(): boolean {
    return this.#headBytes === 0;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.pushFrame(bytes, at);
  }

  /** Takes `bytes` from `at` on to the end of the present frame, or as far as they go; returns how far that was. */
  pushFrame(bytes: Buffer, at: number): number {
    let end = at;
    while (this.#headBytes < this.#headSize) {
      if (end === bytes.length) return end;
      this.#readHead(bytes[end++]!);
    }
    const step = Math.min(this.#payloadLeft, bytes.length - end);
    this.#payloadLeft -= step;
    if (this.#payloadLeft === 0) {
      this.#headBytes = 0;
      this.#headSize = 2;
    }
    return end + step;
  }

  #readHead(byte: number): void {
    const index = this.#headBytes++;
    if (index === 0) this.hasClose ||= (byte & 0x0f) === closeOpcode;
    else if (index === 1) this.#readLength(byte);
    // A length above 2^53 loses its last bits, and is never reached.
    else if (index < this.#lengthEnd) this.#payloadLeft = this.#payloadLeft * 256 + byte;
  }

  #readLength(byte: number): void {
    const length = byte & 0x7f;
    const extendedBytes = length < 126 ? 0 : length === 126 ? 2 : 8;
    this.#payloadLeft = length < 126 ? length : 0;
    this.#lengthEnd = 2 + extendedBytes;
    this.#headSize = this.#lengthEnd + (byte >= maskBit ? 4 : 0);
  }
}

/** A client's Close frame, which is masked by a key that nobody can foretell (5.3). */
export function maskedGoingAway(): Buffer {
  const key = randomBytes(4);
  const frame = Buffer.concat([goingAway.subarray(0, 2), key, goingAway.subarray(2)]);
  frame[1]! |= maskBit;
  for (let index = 0; index < 2; index++) frame[6 + index]! ^= key[index]!;
  return frame;
}
