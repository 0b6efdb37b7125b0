// One stream of a connection: what is left of its windows, and what waits to be sent.
//
//   Open -- END_STREAM of one side --> half-closed -- of the other --> Closed
//     \------ RST_STREAM of either side -----------------------------> Closed
import type { FieldSection } from '#http/field-section.ts';
import { streamWindow } from './session-limits.ts';

/** Whoever works with a stream. */
export interface StreamUser {
  /** Content of the peer's; it counts against its windows until it is given back to the session. */
  onStreamBody(bytes: Buffer, start: number, end: number): void;
  /** The peer's side has ended. `trailers` are valid until this returns. */
  onStreamEnd(trailers: FieldSection | undefined): void;
  /** Everything that was waiting has left. */
  onStreamWritable(): void;
  /** Too much waits on the connection, of this stream or of others: whoever gives more for it should ask isFlowing first. */
  onStreamCongested(): void;
  /** The last event: the stream is gone before both sides have ended. `code` as in a RST_STREAM. */
  onStreamClosed(code: number): void;
}

export class Stream {
  readonly id: number;
  user: StreamUser | undefined = undefined;
  sendWindow: number;
  receiveWindow: number;
  /** Of the receive window: passed on, and not yet given back. */
  consumed = 0;
  isLocalEnded = false;
  isRemoteEnded = false;
  isClosed = false;
  /** Our side is all that still counts: the peer is to stop. */
  isRestUnwanted = false;
  /** Fields of the peer's head: its trailers count towards the same limit. */
  headFields = 0;
  /** Of the body that the peer has declared; below zero: nothing is declared. */
  contentLeft = -1;
  /** Bytes that wait for a window or for the socket. */
  queuedBytes = 0;
  /** In the session's list of those that wait. */
  isWaiting = false;
  /** Some of it has left since somebody looked. */
  hasMoved = false;
  /** The end comes after what is queued. */
  endsAfterQueue = false;
  /** Lines of trailers that come with that end. */
  trailers: Buffer | undefined = undefined;
  #queue: Buffer[] | undefined = undefined;

  constructor(id: number, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Bytes that wait: for the peer, or for whoever takes what has come of it. */
  get heldBytes(): number {
    return this.queuedBytes + streamWindow - this.receiveWindow - this.consumed;
  }

  /** Counts the content of a DATA frame. False: it is not what the peer has declared (RFC 9113 8.1.1). */
  takesContent(count: number, isEnd: boolean): boolean {
    if (this.contentLeft < 0) return true;
    if (isEnd ? count !== this.contentLeft : count > this.contentLeft) return false;
    this.contentLeft -= count;
    return true;
  }

  queue(bytes: Buffer): void {
    if (this.#queue === undefined) this.#queue = [bytes];
    else this.#queue.push(bytes);
    this.queuedBytes += bytes.length;
  }

  /** The bytes that wait longest. */
  get first(): Buffer {
    return this.#queue![0]!;
  }

  /** So many of the first bytes have been written. */
  drop(count: number): void {
    const queue = this.#queue!;
    const first = queue[0]!;
    if (count < first.length) queue[0] = first.subarray(count);
    else queue.shift();
    this.queuedBytes -= count;
  }

  clear(): void {
    this.#queue = undefined;
    this.queuedBytes = 0;
    this.trailers = undefined;
  }
}
