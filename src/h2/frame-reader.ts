// Bytes of a connection -> frames. DATA is told as it comes; every other frame is whole when it is told.
//
//   Head -- 9 bytes --> DATA: [PadLength] -> Content -> Padding -> Head
//      \--------------> other: Payload -> Head
import { Flag, frameHeadBytes, FrameType, usualFrameBytes } from './frame.ts';

const State = { Head: 0, PadLength: 1, Content: 2, Padding: 3, Payload: 4, Stopped: 5 } as const;
type State = (typeof State)[keyof typeof State];

export interface FrameSink {
  /** `bytes[start, end)` is the payload; valid until this returns. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** `length`: of the whole payload, padding and all, which is what flow control counts; `content`: without the padding. */
  onDataBegin(flags: number, streamId: number, length: number, content: number): void;
  /** Content of the DATA frame that has begun; never empty. */
  onDataBytes(bytes: Buffer, start: number, end: number): void;
  onDataEnd(): void;
  /** A frame above the size that every endpoint takes, or padding longer than what it pads. */
  onFrameFault(fault: 'TooLong' | 'PaddingTooLong'): void;
}

const nothing = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  #state: State = State.Head;
  /** A head or a payload that has come in part. */
  #held: Buffer = nothing;
  #heldBytes = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #left = 0;
  #padding = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing more is read: the connection is in doubt. */
  stop(): void {
    this.#state = State.Stopped;
    this.#held = nothing;
  }

  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end || this.#isEmptyPart()) {
      switch (this.#state) {
        case State.Head:
          at = this.#readHead(bytes, at, end);
          break;
        case State.PadLength:
          this.#takePadLength(bytes[at++]!);
          break;
        case State.Content: {
          const stop = Math.min(end, at + this.#left);
          const from = at;
          at = stop;
          this.#left -= stop - from;
          if (stop > from) this.#sink.onDataBytes(bytes, from, stop);
          // The sink may have stopped the reader.
          if (this.#left === 0) this.#endContent();
          break;
        }
        case State.Padding: {
          const skipped = Math.min(end - at, this.#padding);
          at += skipped;
          this.#padding -= skipped;
          if (this.#padding === 0) this.#endData();
          break;
        }
        case State.Payload:
          at = this.#readPayload(bytes, at, end);
          break;
        case State.Stopped:
          return;
      }
    }
  }

  /** A part of no bytes ends without waiting for any. */
  #isEmptyPart(): boolean {
    return (this.#state === State.Content || this.#state === State.Payload) && this.#left === 0;
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    if (this.#heldBytes === 0 && end - start >= frameHeadBytes) {
      this.#takeHead(bytes, start);
      return start + frameHeadBytes;
    }
    const taken = Math.min(frameHeadBytes - this.#heldBytes, end - start);
    this.#hold(bytes, start, start + taken, frameHeadBytes);
    if (this.#heldBytes === frameHeadBytes) {
      const head = this.#held;
      this.#heldBytes = 0;
      this.#held = nothing;
      this.#takeHead(head, 0);
    }
    return start + taken;
  }

  #takeHead(bytes: Buffer, at: number): void {
    const length = bytes[at]! * 65_536 + bytes[at + 1]! * 256 + bytes[at + 2]!;
    this.#type = bytes[at + 3]!;
    this.#flags = bytes[at + 4]!;
    this.#streamId =
      (bytes[at + 5]! & 0x7f) * 16_777_216 + bytes[at + 6]! * 65_536 + bytes[at + 7]! * 256 + bytes[at + 8]!;
    this.#left = length;
    if (length > usualFrameBytes) this.#fail('TooLong');
    else if (this.#type !== FrameType.Data) this.#state = State.Payload;
    else {
      const isPadded = (this.#flags & Flag.Padded) !== 0;
      this.#padding = 0;
      this.#state = isPadded ? State.PadLength : State.Content;
      if (isPadded && length === 0) this.#fail('PaddingTooLong');
      else if (!isPadded) this.#sink.onDataBegin(this.#flags, this.#streamId, length, length);
    }
  }

  #takePadLength(padding: number): void {
    const length = this.#left;
    const content = length - 1 - padding;
    if (content < 0) return this.#fail('PaddingTooLong');
    this.#padding = padding;
    this.#left = content;
    this.#state = State.Content;
    this.#sink.onDataBegin(this.#flags, this.#streamId, length, content);
  }

  #endContent(): void {
    if (this.#state !== State.Content) return;
    if (this.#padding > 0) this.#state = State.Padding;
    else this.#endData();
  }

  #endData(): void {
    this.#state = State.Head;
    this.#sink.onDataEnd();
  }

  #readPayload(bytes: Buffer, start: number, end: number): number {
    const wanted = this.#left;
    if (this.#heldBytes === 0 && end - start >= wanted) {
      this.#state = State.Head;
      this.#sink.onFrame(this.#type, this.#flags, this.#streamId, bytes, start, start + wanted);
      return start + wanted;
    }
    const taken = Math.min(wanted - this.#heldBytes, end - start);
    this.#hold(bytes, start, start + taken, wanted);
    if (this.#heldBytes === wanted) {
      const payload = this.#held;
      this.#held = nothing;
      this.#heldBytes = 0;
      this.#state = State.Head;
      this.#sink.onFrame(this.#type, this.#flags, this.#streamId, payload, 0, wanted);
    }
    return start + taken;
  }

  #hold(bytes: Buffer, start: number, end: number, most: number): void {
    if (this.#held.length < most) this.#held = Buffer.allocUnsafeSlow(most);
    bytes.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes += end - start;
  }

  #fail(fault: 'TooLong' | 'PaddingTooLong'): void {
    this.stop();
    this.#sink.onFrameFault(fault);
  }
}
