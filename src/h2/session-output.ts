// What one side of a connection sends: bodies within the windows of the peer, in turn, and the ends of streams.
import { ClosedStreams } from './closed-streams.ts';
import { ErrorCode } from './error-code.ts';
import { firstWindow, Flag, FrameType, largestWindow, usualFrameBytes } from './frame.ts';
import { FrameWriter } from './frame-writer.ts';
import { encodeTrailers } from './head-encoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { controlBudget, flushBytes, mostQueuedBytes, resetBudget } from './session-limits.ts';
import type { SessionOwner } from './session-owner.ts';
import type { Stream } from './stream.ts';
import { TokenBucket } from './token-bucket.ts';

const nothing = Buffer.alloc(0);
/** What a useful frame earns: a peer answers it by updates of two windows. */
export const earnedByFrame = 3;

export abstract class SessionOutput {
  readonly writer: FrameWriter = new FrameWriter();
  /** The socket takes nothing just now. */
  isOutputBlocked = false;
  isFailed = false;
  /** Bytes of all streams that wait. */
  queuedBytes = 0;
  protected readonly owner: SessionOwner;
  protected readonly encoder: HpackEncoder = new HpackEncoder();
  protected readonly streams = new Map<number, Stream>();
  protected readonly closed: ClosedStreams = new ClosedStreams();
  /** Frames of the peer that carry nothing. */
  protected readonly control: TokenBucket = new TokenBucket(
    controlBudget.burst,
    controlBudget.perSecond,
    controlBudget.most,
  );
  /** Of each stream that begins. */
  protected peerWindow: number = firstWindow;
  /** Of the connection. */
  protected sendWindow: number = firstWindow;
  readonly #ownResets = new TokenBucket(resetBudget.burst, resetBudget.perSecond);
  readonly #waiting: Stream[] = [];
  /** What was in the way of those that wait is gone. */
  #isPumpDue = false;

  constructor(owner: SessionOwner) {
    this.owner = owner;
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** Those that are open. */
  get allStreams(): Iterable<Stream> {
    return this.streams.values();
  }

  /** So much waits for the peer that nothing more should be read for it. */
  get isCongested(): boolean {
    return this.isOutputBlocked || this.queuedBytes > mostQueuedBytes;
  }

  // Bodies of ours

  /** Sends `bytes[start, end)` as far as windows and the socket allow; what does not fit is kept. */
  sendData(stream: Stream, bytes: Buffer, start: number, end: number): void {
    if (stream.isClosed) return;
    const at = stream.queuedBytes === 0 ? this.#write(stream, bytes, start, end) : start;
    if (at === end) return;
    stream.queue(Buffer.from(bytes.subarray(at, end)));
    const before = this.queuedBytes;
    this.queuedBytes += end - at;
    this.#wait(stream);
    // All at once: what each of them reads before it asks would be many times the limit.
    if (before <= mostQueuedBytes && this.queuedBytes > mostQueuedBytes)
      for (const each of this.streams.values()) if (!each.isWaiting) each.user?.onStreamCongested();
  }

  /** `trailers`: lines as of HTTP/1, which stay as they are; empty without any. */
  endStream(stream: Stream, trailers: Buffer): void {
    if (stream.isClosed || stream.isLocalEnded) return;
    if (stream.queuedBytes === 0) this.#writeEnd(stream, trailers);
    else {
      stream.endsAfterQueue = true;
      stream.trailers = trailers;
    }
  }

  #writeEnd(stream: Stream, trailers: Buffer): void {
    if (trailers.length > 0) {
      this.writer.begin(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, stream.id);
      this.encoder.begin(this.writer);
      encodeTrailers(this.encoder, this.writer, trailers);
      this.writer.end();
    } else if (!this.writer.endWithLast(stream.id)) this.writer.endStream(stream.id);
    this.owner.onOutput();
    stream.isLocalEnded = true;
    this.finish(stream);
  }

  /** Whether more may be given for the stream; if not, its user is told when it may. */
  isFlowing(stream: Stream): boolean {
    if (stream.queuedBytes === 0 && !this.isCongested) return true;
    if (!stream.isClosed) this.#wait(stream);
    return false;
  }

  #wait(stream: Stream): void {
    if (stream.isWaiting) return;
    stream.isWaiting = true;
    // It has only just begun to wait.
    stream.hasMoved = true;
    this.#waiting.push(stream);
  }

  #stopWaiting(stream: Stream): void {
    stream.isWaiting = false;
    const at = this.#waiting.indexOf(stream);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** What the peer takes of each stream at first. Of streams that are open as well; they may go below zero (RFC 9113 6.9.2). */
  protected changeWindows(value: number): boolean {
    if (value > largestWindow) {
      this.fail(ErrorCode.FlowControlError);
      return false;
    }
    const difference = value - this.peerWindow;
    this.peerWindow = value;
    for (const stream of this.streams.values()) {
      stream.sendWindow += difference;
      if (stream.sendWindow > largestWindow) {
        this.fail(ErrorCode.FlowControlError);
        return false;
      }
    }
    return true;
  }

  /** The position of the first byte that could not be written. */
  #write(stream: Stream, bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isOutputBlocked) {
      const count = Math.min(end - at, usualFrameBytes, stream.sendWindow, this.sendWindow);
      if (count <= 0) break;
      this.writer.data(stream.id, bytes, at, at + count);
      stream.sendWindow -= count;
      this.sendWindow -= count;
      this.control.earn(earnedByFrame);
      at += count;
      if (this.writer.size >= flushBytes && !this.owner.sendOutput()) this.isOutputBlocked = true;
    }
    if (at > start) this.owner.onOutput();
    return at;
  }

  /** The socket takes bytes again. */
  resumeOutput(): void {
    this.isOutputBlocked = false;
    this.pump();
  }

  /** Those that wait get a frame each in turn, for as long as there is room. */
  pump(): void {
    let stuck = 0;
    while (stuck < this.#waiting.length && !this.isOutputBlocked && !this.isFailed) {
      const stream = this.#waiting.shift()!;
      const before = stream.queuedBytes;
      if (before > 0) this.#writeQueued(stream);
      if (stream.isClosed) continue;
      if (stream.queuedBytes > 0 || this.isCongested) {
        this.#waiting.push(stream);
        stuck = stream.queuedBytes < before ? 0 : stuck + 1;
      } else {
        stream.isWaiting = false;
        stuck = 0;
        if (stream.endsAfterQueue) this.#writeEnd(stream, stream.trailers ?? nothing);
        else stream.user?.onStreamWritable();
      }
    }
  }

  /** Others may go on, but only when whatever ends a stream is over. */
  #endCongestion(): void {
    this.#isPumpDue = true;
    this.owner.onOutput();
  }

  /** All events of this turn have been told. Before the owner sends what they have left in the writer. */
  endTurn(): void {
    if (!this.#isPumpDue) return;
    this.#isPumpDue = false;
    this.pump();
  }

  #writeQueued(stream: Stream): void {
    const { first } = stream;
    const written = this.#write(stream, first, 0, Math.min(first.length, usualFrameBytes));
    if (written === 0) return;
    stream.drop(written);
    stream.hasMoved = true;
    this.queuedBytes -= written;
  }

  // Ends

  /** Ends a stream at once; its user is told. */
  resetStream(stream: Stream, code: ErrorCode): void {
    if (stream.isClosed) return;
    if (this.beginsStreams) this.#writeReset(stream.id, code);
    else this.sendReset(stream.id, code);
    this.close(stream, true, code);
  }

  /** A stream that the peer has never looked at. */
  protected loseStream(stream: Stream, code: ErrorCode): void {
    this.close(stream, true, code);
  }

  /** Our side is done with a stream of which nobody wants the rest; its user is not told. */
  abandon(stream: Stream, code: ErrorCode): void {
    stream.user = undefined;
    if (stream.isClosed) return;
    // The peer has not made us do it.
    this.#writeReset(stream.id, code);
    this.close(stream, true, code);
  }

  /** Nobody wants what the peer still sends: it is told so when our side has ended. */
  dropRest(stream: Stream): void {
    stream.user = undefined;
    stream.isRestUnwanted = true;
    this.finish(stream);
  }

  /** Resets streams whose windows the peer has not opened since the last call, although something waits for it. */
  resetStalled(): void {
    const waiting = [...this.#waiting];
    const hasAnyMoved = waiting.some((stream) => stream.hasMoved);
    for (const stream of waiting) {
      // Others with windows of their own wait for their turn at that of the connection, or for the socket.
      const isItsOwn = stream.sendWindow <= 0 || !hasAnyMoved;
      const isStalled = stream.queuedBytes > 0 && !stream.hasMoved && isItsOwn && !this.isOutputBlocked;
      stream.hasMoved = false;
      if (isStalled) this.resetStream(stream, ErrorCode.EnhanceYourCalm);
    }
  }

  protected sendReset(streamId: number, code: ErrorCode): void {
    // A reset that we are made to send costs as much as one that we are sent.
    if (code !== ErrorCode.NoError && !this.#ownResets.take(this.owner.now()))
      return this.fail(ErrorCode.EnhanceYourCalm);
    this.#writeReset(streamId, code);
  }

  #writeReset(streamId: number, code: ErrorCode): void {
    this.writer.reset(streamId, code);
    this.owner.onStreamReset(code);
    this.closed.add(streamId, true);
    this.owner.onOutput();
  }

  protected finish(stream: Stream): void {
    if (!stream.isLocalEnded || stream.isClosed) return;
    if (stream.isRemoteEnded) this.closed.add(stream.id, false);
    else if (stream.isRestUnwanted) this.sendReset(stream.id, ErrorCode.NoError);
    else return;
    this.close(stream, false, ErrorCode.NoError);
  }

  protected close(stream: Stream, isTold: boolean, code: number): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.streams.delete(stream.id);
    if (this.isCongested && stream.queuedBytes > 0) this.#endCongestion();
    this.queuedBytes -= stream.queuedBytes;
    stream.clear();
    if (stream.isWaiting) this.#stopWaiting(stream);
    const { user } = stream;
    stream.user = undefined;
    if (isTold) user?.onStreamClosed(code);
    if (this.streams.size === 0 && !this.isFailed) this.owner.onQuiet();
  }

  /** Streams are ours to begin, not the peer's. */
  protected abstract get beginsStreams(): boolean;
  /** The connection cannot be trusted any more, or never could. */
  abstract fail(code: ErrorCode): void;

  /** The connection is gone. */
  closeStreams(code: number): void {
    this.isFailed = true;
    for (const stream of this.streams.values()) this.close(stream, true, code);
  }
}
