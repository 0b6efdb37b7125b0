// Frames of one connection that wait to be sent, in one buffer, so that all of a turn leave in one write.
import type { ErrorCode } from './error-code.ts';
import { Flag, frameHeadBytes, FrameType, usualFrameBytes } from './frame.ts';

const nothing = Buffer.alloc(0);
const usualBytes = 16_384;
const mostFree = 64;
/** Buffers go round among the connections of a thread: only those that have something to say hold one. */
const free: Buffer[] = [];
/** A larger one is not kept. */
const mostKeptBytes = 524_288;

/** Takes bytes that stay the writer's. False: no more for now. */
export interface ByteSink {
  writeCopy(bytes: Buffer, start: number, end: number): boolean;
}

export class FrameWriter {
  bytes: Buffer = nothing;
  size = 0;
  /** Where the last frame begins; its kind decides whether it can still end its stream. */
  #last = -1;

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /** What was written has been sent. */
  clear(): void {
    if (this.bytes.length > 0 && this.bytes.length <= mostKeptBytes && free.length < mostFree)
      free.push(this.bytes);
    this.bytes = nothing;
    this.size = 0;
    this.#last = -1;
  }

  /** Everything in one write. What the sink says; true where there is nothing to send. */
  flush(sink: ByteSink): boolean {
    if (this.isEmpty) return true;
    const isFlowing = sink.writeCopy(this.bytes, 0, this.size);
    this.clear();
    return isFlowing;
  }

  reserve(more: number): void {
    const wanted = this.size + more;
    if (wanted <= this.bytes.length) return;
    const kept = this.bytes.length === 0 ? free.pop() : undefined;
    if (kept !== undefined && kept.length >= wanted) {
      this.bytes = kept;
      return;
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(usualBytes, this.bytes.length * 2, wanted));
    this.bytes.copy(larger, 0, 0, this.size);
    this.bytes = larger;
  }

  /** Room has been reserved. */
  byte(value: number): void {
    this.bytes[this.size++] = value;
  }

  /** The head of a frame whose length is not known yet. */
  begin(type: number, flags: number, streamId: number): void {
    this.#head(0, type, flags, streamId);
  }

  /** The frame that has begun is whole. A field section above the size of a frame goes on in others (RFC 9113 4.3). */
  end(): void {
    const content = this.#last + frameHeadBytes;
    const length = this.size - content;
    if (length <= usualFrameBytes) this.#setLength(length);
    else this.#split(content, length);
  }

  #split(content: number, length: number): void {
    const head = this.#last;
    const block = Buffer.from(this.bytes.subarray(content, this.size));
    const flags = this.bytes[head + 4]!;
    const streamId = this.bytes.readUInt32BE(head + 5);
    this.size = head;
    for (let at = 0; at < length; at += usualFrameBytes) {
      const end = Math.min(length, at + usualFrameBytes);
      const isLast = end === length;
      const own = at === 0 ? flags & ~Flag.EndHeaders : 0;
      this.#head(
        end - at,
        at === 0 ? FrameType.Headers : FrameType.Continuation,
        own | (isLast ? Flag.EndHeaders : 0),
        streamId,
      );
      this.raw(block, at, end);
    }
  }

  data(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#head(end - start, FrameType.Data, 0, streamId);
    this.raw(bytes, start, end);
  }

  /** A DATA frame that has nothing but the end of its stream. */
  endStream(streamId: number): void {
    this.#head(0, FrameType.Data, Flag.EndStream, streamId);
  }

  /**
   * Ends the stream with the last frame written, if it is of the stream and has not been sent yet: a frame less. False: it
   * cannot be.
   */
  endWithLast(streamId: number): boolean {
    const at = this.#last;
    if (at < 0 || this.bytes.readUInt32BE(at + 5) !== streamId) return false;
    const type = this.bytes[at + 3]!;
    if (type !== FrameType.Data && type !== FrameType.Headers) return false;
    this.bytes[at + 4]! |= Flag.EndStream;
    return true;
  }

  reset(streamId: number, code: ErrorCode): void {
    this.#head(4, FrameType.RstStream, 0, streamId);
    this.#uint32(code);
  }

  /** Pairs of an identifier and a value (RFC 9113 6.5.1). */
  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.#head(pairs.length * 6, FrameType.Settings, 0, 0);
    for (const [id, value] of pairs) {
      this.bytes[this.size++] = id >>> 8;
      this.bytes[this.size++] = id & 255;
      this.#uint32(value);
    }
  }

  settingsAck(): void {
    this.#head(0, FrameType.Settings, Flag.Ack, 0);
  }

  /** `bytes[start, start + 8)`. */
  ping(isAck: boolean, bytes: Buffer, start: number): void {
    this.#head(8, FrameType.Ping, isAck ? Flag.Ack : 0, 0);
    this.raw(bytes, start, start + 8);
  }

  goAway(lastStreamId: number, code: ErrorCode): void {
    this.#head(8, FrameType.GoAway, 0, 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#head(4, FrameType.WindowUpdate, 0, streamId);
    this.#uint32(increment);
  }

  /** Bytes that are no frame of their own. */
  raw(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    this.size += bytes.copy(this.bytes, this.size, start, end);
  }

  #head(length: number, type: number, flags: number, streamId: number): void {
    this.reserve(frameHeadBytes + length);
    this.#last = this.size;
    const { bytes, size } = this;
    bytes[size + 3] = type;
    bytes[size + 4] = flags;
    bytes[size + 5] = streamId >>> 24;
    bytes[size + 6] = (streamId >>> 16) & 255;
    bytes[size + 7] = (streamId >>> 8) & 255;
    bytes[size + 8] = streamId & 255;
    this.size += frameHeadBytes;
    this.#setLength(length);
  }

  #setLength(length: number): void {
    this.bytes[this.#last] = length >>> 16;
    this.bytes[this.#last + 1] = (length >>> 8) & 255;
    this.bytes[this.#last + 2] = length & 255;
  }

  #uint32(value: number): void {
    this.bytes[this.size++] = (value >>> 24) & 255;
    this.bytes[this.size++] = (value >>> 16) & 255;
    this.bytes[this.size++] = (value >>> 8) & 255;
    this.bytes[this.size++] = value & 255;
  }
}
