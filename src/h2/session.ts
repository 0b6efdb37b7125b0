// One connection of HTTP/2, whichever side of it we are: frames, settings, windows and budgets. Sans I/O: bytes come in by
// push, and what is to be sent stands in the writer.
//
//   Opening -- the peer's SETTINGS --> Open -- fail(): GOAWAY --> Failed: nothing more is read
//                                        \-- a GOAWAY of either side --> no new streams, the open ones end in peace
import type { FieldSection } from '#http/field-section.ts';
import { ClosedStreams } from './closed-streams.ts';
import { hasConnectionField } from './connection-field.ts';
import { ErrorCode } from './error-code.ts';
import { firstWindow, Flag, FrameType, largestWindow, usualFrameBytes } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { FrameSink } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { encodeTrailers } from './head-encoder.ts';
import type { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import {
  controlBudget,
  flushBytes,
  mostContinuations,
  mostQueuedBytes,
  mostSettings,
  resetBudget,
  streamWindow,
} from './session-limits.ts';
import type { SessionOwner } from './session-owner.ts';
import { Setting } from './setting.ts';
import type { Stream } from './stream.ts';
import { TokenBucket } from './token-bucket.ts';

const nothing = Buffer.alloc(0);
/** What a useful frame earns: a peer answers it by updates of two windows. */
const earnedByFrame = 3;

export abstract class Session implements FrameSink {
  readonly writer: FrameWriter = new FrameWriter();
  /** The socket takes nothing just now. */
  isOutputBlocked = false;
  isFailed = false;
  /** Bytes of all streams that wait. */
  queuedBytes = 0;
  /** Both directions together. */
  readonly resets: TokenBucket = new TokenBucket(resetBudget.burst, resetBudget.perSecond);
  protected readonly owner: SessionOwner;
  protected readonly encoder: HpackEncoder = new HpackEncoder();
  protected readonly streams = new Map<number, Stream>();
  protected readonly closed: ClosedStreams = new ClosedStreams();
  protected readonly block: HeaderBlock;
  /** The highest stream that the peer has begun. */
  protected lastRemoteId = 0;
  /** Streams of the peer above it are not begun any more: it has been told so. */
  protected lastStreamId: number = largestWindow;
  protected peerWindow: number = firstWindow;
  protected peerConcurrentStreams = Infinity;
  protected peerAllowsConnect = false;
  readonly #reader: FrameReader = new FrameReader(this);
  readonly #decoder = new HpackDecoder();
  readonly #control = new TokenBucket(controlBudget.burst, controlBudget.perSecond, controlBudget.most);
  readonly #ownResets = new TokenBucket(resetBudget.burst, resetBudget.perSecond);
  readonly #waiting: Stream[] = [];
  /** What was in the way of those that wait is gone. */
  #isPumpDue = false;
  readonly #trailers: FieldSection;
  #sendWindow: number = firstWindow;
  readonly #connectionWindow: number;
  #receiveWindow: number;
  #consumed = 0;
  #hasPeerSettings = false;
  /** A field section whose end has not come yet. */
  #openBlock: Buffer = nothing;
  #openBlockStream = 0;
  #openBlockSinceMs = 0;
  #openBlockEnds = false;
  #dependsOnItself = false;
  #continuations = 0;
  /** Of the DATA frame that is under way; undefined: its content is for nobody. */
  #dataStream: Stream | undefined = undefined;
  #dataEnds = false;
  /** It says something: content, or the end. */
  #hasDataContent = false;
  /** Of its payload: what nobody will give back, padding and content for nobody. */
  #dataUnused = 0;

  /** `connectionWindow`: what the peer may send of all streams together before it is passed on. */
  constructor(owner: SessionOwner, block: HeaderBlock, trailers: FieldSection, connectionWindow: number) {
    this.#connectionWindow = connectionWindow;
    this.#receiveWindow = connectionWindow;
    this.owner = owner;
    this.block = block;
    this.#trailers = trailers;
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** When a field section has begun that has not ended; 0 without one. */
  get blockSinceMs(): number {
    return this.#openBlockStream === 0 ? 0 : this.#openBlockSinceMs;
  }

  /** So much waits for the peer that nothing more should be read for it. */
  get isCongested(): boolean {
    return this.isOutputBlocked || this.queuedBytes > mostQueuedBytes;
  }

  /** Streams are ours to begin, not the peer's. */
  protected abstract get beginsStreams(): boolean;
  /** A HEADERS section of the peer for `stream`, or for one that it begins; `isEnd`: nothing follows. */
  protected abstract onSection(streamId: number, stream: Stream | undefined, isEnd: boolean): void;
  /** Where the next field section of `stream` goes to. */
  protected abstract sectionFor(stream: Stream | undefined): FieldSection;
  /** Whether the peer may have begun stream `id`, or we have. */
  protected abstract isIdle(id: number): boolean;
  /** Whether the peer may not know yet that stream `id` is over. */
  protected abstract mayComeLate(id: number): boolean;
  /** Settings that mean something to one side alone; false: not allowed. */
  protected abstract takeSetting(id: number, value: number): boolean;

  protected start(settings: readonly (readonly [id: number, value: number])[]): void {
    this.writer.settings([...settings, [Setting.InitialWindowSize, streamWindow]]);
    this.writer.windowUpdate(0, this.#connectionWindow - firstWindow);
    this.owner.onOutput();
  }

  push(bytes: Buffer, start: number, end: number): void {
    this.#reader.push(bytes, start, end);
  }

  // Frames

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#mayCome(type, flags, streamId)) return;
    switch (type) {
      case FrameType.Headers:
        this.#onHeaders(flags, streamId, bytes, start, end);
        break;
      case FrameType.Continuation:
        this.#onContinuation(flags, streamId, bytes, start, end);
        break;
      case FrameType.Priority:
        this.#onPriority(streamId, bytes, start, end);
        break;
      case FrameType.RstStream:
        this.#onReset(streamId, bytes, start, end);
        break;
      case FrameType.Settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        break;
      case FrameType.PushPromise:
        // We have said that we take none, and a client may send none at all.
        this.fail(ErrorCode.ProtocolError);
        break;
      case FrameType.Ping:
        this.#onPing(flags, streamId, bytes, start, end);
        break;
      case FrameType.GoAway:
        if (streamId !== 0) this.fail(ErrorCode.ProtocolError);
        else if (end - start < 8) this.fail(ErrorCode.FrameSizeError);
        else if (this.spendControl())
          this.owner.onGoAway(bytes.readUInt32BE(start) & largestWindow, bytes.readUInt32BE(start + 4));
        break;
      case FrameType.WindowUpdate:
        this.#onWindowUpdate(streamId, bytes, start, end);
        break;
      default:
        // Frames that nobody knows are ignored (RFC 9113 4.1), but not for ever.
        this.spendControl();
    }
  }

  /** SETTINGS come first, and nothing comes between the frames of a field section (RFC 9113 3.4, 4.3). */
  #mayCome(type: number, flags: number, streamId: number): boolean {
    if (this.isFailed) return false;
    const isFirst = type === FrameType.Settings && (flags & Flag.Ack) === 0;
    const isContinued = type === FrameType.Continuation && streamId === this.#openBlockStream;
    if ((this.#hasPeerSettings || isFirst) && (this.#openBlockStream === 0 || isContinued)) return true;
    this.fail(ErrorCode.ProtocolError);
    return false;
  }

  onFrameFault(fault: 'TooLong' | 'PaddingTooLong'): void {
    this.fail(fault === 'TooLong' ? ErrorCode.FrameSizeError : ErrorCode.ProtocolError);
  }

  /** False: too many frames of the peer have carried nothing. */
  protected spendControl(): boolean {
    if (this.#control.take(this.owner.now())) return true;
    this.fail(ErrorCode.EnhanceYourCalm);
    return false;
  }

  // Field sections

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) return this.fail(ErrorCode.ProtocolError);
    let from = start;
    let to = end;
    if ((flags & Flag.Padded) !== 0) {
      if (from === to) return this.fail(ErrorCode.FrameSizeError);
      to -= bytes[from++]!;
    }
    const hasPriority = (flags & Flag.Priority) !== 0;
    const priorityAt = from;
    if (hasPriority) from += 5;
    if (from > to) return this.fail(ErrorCode.ProtocolError);
    this.#dependsOnItself = hasPriority && (bytes.readUInt32BE(priorityAt) & largestWindow) === streamId;
    this.#openBlockEnds = (flags & Flag.EndStream) !== 0;
    if ((flags & Flag.EndHeaders) !== 0) this.#takeBlock(streamId, bytes, from, to);
    else {
      this.#openBlockStream = streamId;
      this.#openBlockSinceMs = this.owner.now();
      this.#openBlock = Buffer.from(bytes.subarray(from, to));
      this.#continuations = 0;
    }
  }

  #onContinuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#openBlockStream === 0) return this.fail(ErrorCode.ProtocolError);
    if (++this.#continuations > mostContinuations) return this.fail(ErrorCode.EnhanceYourCalm);
    this.#openBlock = Buffer.concat([this.#openBlock, bytes.subarray(start, end)]);
    if ((flags & Flag.EndHeaders) === 0) return;
    const block = this.#openBlock;
    this.#openBlock = nothing;
    this.#openBlockStream = 0;
    this.#takeBlock(streamId, block, 0, block.length);
  }

  #takeBlock(streamId: number, bytes: Buffer, start: number, end: number): void {
    const stream = this.streams.get(streamId);
    const isTrailers = stream !== undefined && this.isHeadDone(stream);
    const { block } = this;
    if (isTrailers) block.begin(this.#trailers, stream.headFields);
    else block.begin(this.sectionFor(stream), 0);
    // Even of a section that nobody wants: the tables of both sides must stay the same.
    if (!this.#decodeBlock(bytes, start, end)) return;
    if (this.#dependsOnItself) block.isMalformed = true;
    const isEnd = this.#openBlockEnds;
    if (stream?.isRemoteEnded === true) this.resetStream(stream, ErrorCode.StreamClosed);
    else if (isTrailers) this.#takeTrailers(stream, isEnd);
    else {
      // What comes late for a stream that is over is of no use.
      if (stream !== undefined || this.isIdle(streamId)) this.#control.earn(earnedByFrame);
      this.onSection(streamId, stream, isEnd);
    }
  }

  #decodeBlock(bytes: Buffer, start: number, end: number): boolean {
    if (this.#decoder.decode(bytes, start, end, this.block)) return true;
    this.fail(this.block.isBomb ? ErrorCode.EnhanceYourCalm : ErrorCode.CompressionError);
    return false;
  }

  /** Whether a head has come on `stream` already, so that what comes now are trailers. */
  protected abstract isHeadDone(stream: Stream): boolean;

  #takeTrailers(stream: Stream, isEnd: boolean): void {
    const { block } = this;
    const isSound = isEnd && !block.isMalformed && !block.hasAnyPseudo && !block.isTooLarge;
    if (!isSound || hasConnectionField(this.#trailers))
      return this.resetStream(stream, ErrorCode.ProtocolError);
    this.#control.earn(earnedByFrame);
    this.#endRemote(stream, this.#trailers.count > 0 ? this.#trailers : undefined);
  }

  /** Only looked at for what it may not say. */
  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) this.fail(ErrorCode.ProtocolError);
    else if (end - start !== 5) this.#faultOfStream(streamId, ErrorCode.FrameSizeError);
    else if ((bytes.readUInt32BE(start) & largestWindow) === streamId)
      this.#faultOfStream(streamId, ErrorCode.ProtocolError);
    else this.spendControl();
  }

  #faultOfStream(streamId: number, code: ErrorCode): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.resetStream(stream, code);
    else if (this.isIdle(streamId)) this.fail(code);
    else this.sendReset(streamId, code);
  }

  #onReset(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0 || this.isIdle(streamId)) return this.fail(ErrorCode.ProtocolError);
    if (end - start !== 4) return this.fail(ErrorCode.FrameSizeError);
    const stream = this.streams.get(streamId);
    if (!this.#spendReset(stream) || stream === undefined) return;
    this.closed.add(streamId, false);
    this.#close(stream, true, bytes.readUInt32BE(start));
  }

  /** False: too many. Whoever begins streams can have them reset without end; each of ours can be reset but once. */
  #spendReset(stream: Stream | undefined): boolean {
    if (this.beginsStreams) return stream !== undefined || this.spendControl();
    if (this.resets.take(this.owner.now())) return true;
    this.fail(ErrorCode.EnhanceYourCalm);
    return false;
  }

  // Settings

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(ErrorCode.ProtocolError);
    if ((flags & Flag.Ack) !== 0) {
      if (end !== start) this.fail(ErrorCode.FrameSizeError);
      else this.spendControl();
      return;
    }
    if ((end - start) % 6 !== 0) return this.fail(ErrorCode.FrameSizeError);
    if (end - start > mostSettings * 6) return this.fail(ErrorCode.EnhanceYourCalm);
    if (this.#hasPeerSettings && !this.spendControl()) return;
    this.#hasPeerSettings = true;
    for (let at = start; at < end; at += 6)
      if (!this.#takeSetting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))) return;
    this.writer.settingsAck();
    this.owner.onOutput();
    this.pump();
  }

  /** False: the session has failed. */
  #takeSetting(id: number, value: number): boolean {
    switch (id) {
      case Setting.HeaderTableSize:
        this.encoder.limitTable(value);
        return true;
      case Setting.EnablePush:
        if (value <= 1 && this.takeSetting(id, value)) return true;
        this.fail(ErrorCode.ProtocolError);
        return false;
      case Setting.MaxConcurrentStreams:
        this.peerConcurrentStreams = value;
        return true;
      case Setting.InitialWindowSize:
        return this.#changeWindows(value);
      case Setting.MaxFrameSize:
        if (value >= usualFrameBytes && value <= 0xff_ffff) return true;
        this.fail(ErrorCode.ProtocolError);
        return false;
      case Setting.EnableConnectProtocol:
        if (value <= 1 && !(this.peerAllowsConnect && value === 0)) {
          this.peerAllowsConnect = value === 1;
          return true;
        }
        this.fail(ErrorCode.ProtocolError);
        return false;
      default:
        return true;
    }
  }

  /** Of streams that are open as well; they may go below zero (RFC 9113 6.9.2). */
  #changeWindows(value: number): boolean {
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

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(ErrorCode.ProtocolError);
    if (end - start !== 8) return this.fail(ErrorCode.FrameSizeError);
    if (!this.spendControl() || (flags & Flag.Ack) !== 0) return;
    this.writer.ping(true, bytes, start);
    this.owner.onOutput();
  }

  // Windows

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fail(ErrorCode.FrameSizeError);
    const increment = bytes.readUInt32BE(start) & largestWindow;
    if (!this.spendControl()) return;
    if (streamId === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.fail(ErrorCode.ProtocolError);
      else if (this.#sendWindow > largestWindow) this.fail(ErrorCode.FlowControlError);
      else this.pump();
      return;
    }
    if (this.isIdle(streamId)) return this.fail(ErrorCode.ProtocolError);
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (increment === 0) this.resetStream(stream, ErrorCode.ProtocolError);
    else if (stream.sendWindow > largestWindow) this.resetStream(stream, ErrorCode.FlowControlError);
    else if (stream.isWaiting) this.pump();
  }

  /** `count` bytes of a body have been passed on: the peer may send as many more. */
  consume(stream: Stream, count: number): void {
    stream.consumed += count;
    if (!stream.isRemoteEnded && !stream.isClosed && stream.consumed >= streamWindow / 2) {
      this.writer.windowUpdate(stream.id, stream.consumed);
      stream.receiveWindow += stream.consumed;
      stream.consumed = 0;
      this.owner.onOutput();
    }
    this.#giveBack(count);
  }

  #giveBack(count: number): void {
    this.#consumed += count;
    if (this.#consumed < this.#connectionWindow / 2) return;
    this.writer.windowUpdate(0, this.#consumed);
    this.#receiveWindow += this.#consumed;
    this.#consumed = 0;
    this.owner.onOutput();
  }

  // Bodies of the peer

  onDataBegin(flags: number, streamId: number, length: number, content: number): void {
    this.#dataStream = undefined;
    this.#dataEnds = false;
    this.#dataUnused = length;
    if (!this.#mayCome(FrameType.Data, flags, streamId)) return;
    if (streamId === 0 || this.isIdle(streamId)) return this.fail(ErrorCode.ProtocolError);
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) return this.fail(ErrorCode.FlowControlError);
    const isEnd = (flags & Flag.EndStream) !== 0;
    this.#hasDataContent = isEnd;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      // What was on its way when we reset the stream is ignored; nobody else may send for a stream that is closed.
      if (!this.mayComeLate(streamId)) this.fail(ErrorCode.StreamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.isRemoteEnded) this.resetStream(stream, ErrorCode.StreamClosed);
    else if (!this.isHeadDone(stream)) this.resetStream(stream, ErrorCode.ProtocolError);
    else if (stream.receiveWindow < 0) this.resetStream(stream, ErrorCode.FlowControlError);
    else if (!stream.takesContent(content, isEnd)) this.resetStream(stream, ErrorCode.ProtocolError);
    else {
      this.#dataStream = stream;
      this.#dataEnds = isEnd;
    }
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    this.#hasDataContent = true;
    const stream = this.#dataStream;
    // What nobody takes is given back with the frame.
    if (stream === undefined || stream.isClosed || stream.user === undefined) return;
    this.#dataUnused -= end - start;
    stream.user.onStreamBody(bytes, start, end);
  }

  onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (this.isFailed) return;
    if (this.#hasDataContent) this.#control.earn(1);
    else if (!this.spendControl()) return;
    if (this.#dataUnused > 0) {
      if (stream === undefined || stream.isClosed) this.#giveBack(this.#dataUnused);
      else this.consume(stream, this.#dataUnused);
    }
    if (stream !== undefined && this.#dataEnds && !stream.isClosed) this.#endRemote(stream, undefined);
  }

  /** The peer's side ends with its head. */
  protected endWithHead(stream: Stream): void {
    this.#endRemote(stream, undefined);
  }

  #endRemote(stream: Stream, trailers: FieldSection | undefined): void {
    if (stream.contentLeft > 0) return this.resetStream(stream, ErrorCode.ProtocolError);
    stream.isRemoteEnded = true;
    stream.user?.onStreamEnd(trailers);
    this.#finish(stream);
  }

  // Bodies of ours

  /** Sends `bytes[start, end)` as far as windows and the socket allow; what does not fit is kept. */
  sendData(stream: Stream, bytes: Buffer, start: number, end: number): void {
    if (stream.isClosed) return;
    const at = stream.queuedBytes === 0 ? this.#write(stream, bytes, start, end) : start;
    if (at === end) return;
    stream.queue(Buffer.from(bytes.subarray(at, end)));
    this.queuedBytes += end - at;
    this.#wait(stream);
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
    this.#finish(stream);
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

  /** The position of the first byte that could not be written. */
  #write(stream: Stream, bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isOutputBlocked) {
      const count = Math.min(end - at, usualFrameBytes, stream.sendWindow, this.#sendWindow);
      if (count <= 0) break;
      this.writer.data(stream.id, bytes, at, at + count);
      stream.sendWindow -= count;
      this.#sendWindow -= count;
      this.#control.earn(earnedByFrame);
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
    this.#close(stream, true, code);
  }

  /** A stream that the peer has never looked at. */
  protected loseStream(stream: Stream, code: ErrorCode): void {
    this.#close(stream, true, code);
  }

  /** Our side is done with a stream of which nobody wants the rest; its user is not told. */
  abandon(stream: Stream, code: ErrorCode): void {
    stream.user = undefined;
    if (stream.isClosed) return;
    // The peer has not made us do it.
    this.#writeReset(stream.id, code);
    this.#close(stream, true, code);
  }

  /** Nobody wants what the peer still sends: it is told so when our side has ended. */
  dropRest(stream: Stream): void {
    stream.user = undefined;
    stream.isRestUnwanted = true;
    this.#finish(stream);
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

  #finish(stream: Stream): void {
    if (!stream.isLocalEnded || stream.isClosed) return;
    if (stream.isRemoteEnded) this.closed.add(stream.id, false);
    else if (stream.isRestUnwanted) this.sendReset(stream.id, ErrorCode.NoError);
    else return;
    this.#close(stream, false, ErrorCode.NoError);
  }

  #close(stream: Stream, isTold: boolean, code: number): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.streams.delete(stream.id);
    if (this.isCongested && stream.queuedBytes > 0) {
      // Others may go on, but only when whatever ends this one is over.
      this.#isPumpDue = true;
      this.owner.onOutput();
    }
    this.queuedBytes -= stream.queuedBytes;
    stream.clear();
    if (stream.isWaiting) this.#stopWaiting(stream);
    const { user } = stream;
    stream.user = undefined;
    if (isTold) user?.onStreamClosed(code);
    if (this.streams.size === 0 && !this.isFailed) this.owner.onQuiet();
  }

  /** The connection cannot be trusted any more, or never could. */
  fail(code: ErrorCode): void {
    if (this.isFailed) return;
    this.isFailed = true;
    this.#reader.stop();
    this.#openBlock = nothing;
    // What has been said before is never taken back (RFC 9113 6.8).
    this.writer.goAway(Math.min(this.lastRemoteId, this.lastStreamId), code);
    this.closeStreams(code);
    this.owner.onSessionFailed(code);
  }

  /** The connection is gone. */
  closeStreams(code: number): void {
    this.isFailed = true;
    for (const stream of this.streams.values()) this.#close(stream, true, code);
  }
}
