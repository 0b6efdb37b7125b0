// The client's side of a connection: we begin streams, each with a request.
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming, ResponseHead } from '#http/message-head.ts';
import { ErrorCode } from './error-code.ts';
import { connectionPreface, Flag, FrameType, largestWindow } from './frame.ts';
import { encodeRequestHead } from './head-encoder.ts';
import { readResponse } from './response-fields.ts';
import { Session } from './session.ts';
import type { SessionOwner } from './session-owner.ts';
import { backendConnectionWindow, mostQueuedBytes, streamWindow } from './session-limits.ts';
import { SessionReading } from './session-reading.ts';
import type { ReadingLimits } from './session-reading.ts';
import { Setting } from './setting.ts';
import { Stream } from './stream.ts';
import type { StreamUser } from './stream.ts';

/** A backend that sends interim responses without end is not answering. */
const mostInterimResponses = 16;
/** What we ask for at a time, whatever more the server allows. */
const mostOpenStreams = 1000;

export interface ResponseUser extends StreamUser {
  /** An interim head, or the final one. `head` is valid until this returns. */
  onStreamHead(head: ResponseHead): void;
}

/** A stream that we have begun, and how far its response is. */
export class RequestStream extends Stream {
  declare user: ResponseUser | undefined;
  readonly isHeadRequest: boolean;
  hasFinalHead = false;
  interimResponses = 0;

  constructor(
    id: number,
    sendWindow: number,
    receiveWindow: number,
    user: ResponseUser,
    isHeadRequest: boolean,
  ) {
    super(id, sendWindow, receiveWindow);
    this.user = user;
    this.isHeadRequest = isHeadRequest;
  }
}

export class ClientReading extends SessionReading<ResponseHead, ReadingLimits> {
  constructor(limits: ReadingLimits) {
    super(limits, new ResponseHead(limits.fields));
  }
}

export class ClientSession extends Session {
  readonly #reading: ClientReading;
  readonly #scheme: 'http' | 'https';
  #nextId = 1;
  /** Streams above it are not served by the server any more. */
  #lastStreamId: number = largestWindow;
  #isGoingAway = false;

  constructor(owner: SessionOwner, reading: ClientReading, scheme: 'http' | 'https') {
    super(owner, reading.block, reading.trailers, backendConnectionWindow);
    this.#reading = reading;
    this.#scheme = scheme;
    this.writer.raw(connectionPreface, 0, connectionPreface.length);
    this.start([
      [Setting.EnablePush, 0],
      [Setting.MaxHeaderListSize, reading.limits.headBytes],
    ]);
  }

  /** No stream is begun here any more. */
  get isEnding(): boolean {
    return this.isFailed || this.#isGoingAway || this.#nextId > largestWindow - 2;
  }

  /** What the server takes at a time. */
  get concurrentStreams(): number {
    return this.peerConcurrentStreams;
  }

  /** Whether one more stream may be begun now. Behind uploads that the server does not take it would only wait with them. */
  get hasRoom(): boolean {
    if (this.isEnding || this.queuedBytes > mostQueuedBytes) return false;
    return this.streams.size < Math.min(this.peerConcurrentStreams, mostOpenStreams);
  }

  /** Begins a stream with the head that stands as HTTP/1.1 in `bytes`. */
  open(bytes: Buffer, user: ResponseUser, isHeadRequest: boolean): RequestStream {
    const stream = new RequestStream(this.#nextId, this.peerWindow, streamWindow, user, isHeadRequest);
    this.#nextId += 2;
    this.streams.set(stream.id, stream);
    this.writer.begin(FrameType.Headers, Flag.EndHeaders, stream.id);
    this.encoder.begin(this.writer);
    encodeRequestHead(this.encoder, this.writer, bytes, this.#scheme);
    this.writer.end();
    this.owner.onOutput();
    return stream;
  }

  /** The server takes no new streams, and has not looked at those above `lastStreamId`. */
  onServerGoingAway(lastStreamId: number): void {
    this.#isGoingAway = true;
    this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId);
    for (const stream of this.streams.values())
      if (stream.id > this.#lastStreamId) this.loseStream(stream, ErrorCode.RefusedStream);
  }

  protected override sectionFor(): FieldSection {
    this.#reading.head.clear();
    return this.#reading.head.fields;
  }

  protected override get beginsStreams(): boolean {
    return true;
  }

  /** We have begun it: what nobody remembers was reset so many streams ago. */
  protected override mayComeLate(id: number): boolean {
    return this.closed.endOf(id) !== 'Ended';
  }

  protected override isHeadDone(stream: RequestStream): boolean {
    return stream.hasFinalHead;
  }

  protected override isIdle(id: number): boolean {
    // The server begins none: it has been told that it may push nothing.
    return id % 2 === 0 || id >= this.#nextId;
  }

  protected override takeSetting(_id: number, value: number): boolean {
    // A server cannot allow us to push (RFC 9113 6.5.2).
    return value === 0;
  }

  protected override onSection(streamId: number, stream: RequestStream | undefined, isEnd: boolean): void {
    if (stream === undefined) {
      if (this.isIdle(streamId)) this.fail(ErrorCode.ProtocolError);
      else if (!this.mayComeLate(streamId)) this.fail(ErrorCode.StreamClosed);
      return;
    }
    const { head, block } = this.#reading;
    if (!readResponse(block, head, isEnd)) return this.resetStream(stream, ErrorCode.ProtocolError);
    if (head.status < 200) {
      if (++stream.interimResponses > mostInterimResponses)
        this.resetStream(stream, ErrorCode.EnhanceYourCalm);
      else stream.user?.onStreamHead(head);
      return;
    }
    stream.hasFinalHead = true;
    stream.headFields = block.fieldCount;
    const isBodiless = stream.isHeadRequest || head.status === 204 || head.status === 304;
    if (isBodiless) stream.contentLeft = 0;
    else if (head.framing === BodyFraming.Length) stream.contentLeft = head.contentLength;
    stream.user?.onStreamHead(head);
    if (isEnd && !stream.isClosed) this.endWithHead(stream);
  }
}
