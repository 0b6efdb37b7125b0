// The server's side of a connection: clients begin streams, each with a request.
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import { RequestHead } from '#http/message-head.ts';
import { BodyFraming } from '#http/message-head.ts';
import { ErrorCode } from './error-code.ts';
import { connectionPreface, Flag, FrameType, largestWindow } from './frame.ts';
import { encodeResponseHead } from './head-encoder.ts';
import { readRequest } from './request-fields.ts';
import { Session } from './session.ts';
import type { SessionOwner } from './session-owner.ts';
import { clientConnectionWindow, streamWindow } from './session-limits.ts';
import type { SessionLimits } from './session-limits.ts';
import { SessionReading } from './session-reading.ts';
import { Setting } from './setting.ts';
import { Stream } from './stream.ts';
import type { StreamUser } from './stream.ts';

export interface ServerSessionOwner extends SessionOwner {
  /** A request begins. `head` is valid until this returns. `isEnd`: it has no body. */
  onRequest(stream: Stream, head: RequestHead, isEnd: boolean): StreamUser;
  /** A request that is to be answered with an error; of it, only the method is known. */
  onRefusedRequest(stream: Stream, method: string, fault: FaultCode): StreamUser;
}

export class ServerReading extends SessionReading<RequestHead, SessionLimits> {
  constructor(limits: SessionLimits) {
    super(limits, new RequestHead(limits.fields));
  }
}

export class ServerSession extends Session {
  readonly #owner: ServerSessionOwner;
  readonly #reading: ServerReading;
  /** How much of the client's preface has come. */
  #prefaceBytes = 0;

  constructor(owner: ServerSessionOwner, reading: ServerReading) {
    super(owner, reading.block, reading.trailers, clientConnectionWindow);
    this.#owner = owner;
    this.#reading = reading;
    const { concurrentStreams, headBytes } = reading.limits;
    this.start([
      [Setting.MaxConcurrentStreams, concurrentStreams],
      [Setting.MaxHeaderListSize, headBytes],
      [Setting.EnableConnectProtocol, 1],
    ]);
  }

  override push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (this.#prefaceBytes < connectionPreface.length && at < end && !this.isFailed) {
      if (bytes[at++] === connectionPreface[this.#prefaceBytes]) this.#prefaceBytes++;
      else this.fail(ErrorCode.ProtocolError);
    }
    if (at < end && !this.isFailed) super.push(bytes, at, end);
  }

  protected override sectionFor(): FieldSection {
    this.#reading.head.clear();
    return this.#reading.head.fields;
  }

  protected override get beginsStreams(): boolean {
    return false;
  }

  protected override mayComeLate(id: number): boolean {
    return this.closed.endOf(id) === 'Reset';
  }

  protected override isHeadDone(): boolean {
    return true;
  }

  protected override isIdle(id: number): boolean {
    // We begin none: an even number has never been used.
    return id % 2 === 0 || id > this.lastRemoteId;
  }

  protected override takeSetting(): boolean {
    return true;
  }

  protected override onSection(streamId: number, _stream: Stream | undefined, isEnd: boolean): void {
    if (streamId % 2 === 0) return this.fail(ErrorCode.ProtocolError);
    if (streamId <= this.lastRemoteId) return this.#onLateSection(streamId);
    this.lastRemoteId = streamId;
    if (streamId > this.lastStreamId) return this.#passOver(streamId);
    const { head, block, limits } = this.#reading;
    if (this.streams.size >= limits.concurrentStreams)
      return this.sendReset(streamId, ErrorCode.RefusedStream);
    const verdict = readRequest(block, head, isEnd, limits);
    if (verdict.kind === 'Malformed') return this.sendReset(streamId, ErrorCode.ProtocolError);
    const stream = new Stream(streamId, this.peerWindow, streamWindow);
    stream.headFields = block.fieldCount;
    if (head.framing === BodyFraming.Length) stream.contentLeft = head.contentLength;
    this.streams.set(streamId, stream);
    stream.isRemoteEnded = isEnd;
    const user =
      verdict.kind === 'Refused'
        ? this.#owner.onRefusedRequest(stream, block.method, verdict.fault)
        : this.#owner.onRequest(stream, head, isEnd);
    // Answered at once, it may be over already.
    if (!stream.isClosed && !stream.isRestUnwanted) stream.user = user;
  }

  /** After the last GOAWAY: the client will ask again elsewhere, but not without an end here. */
  #passOver(streamId: number): void {
    if (this.resets.take(this.owner.now())) this.closed.add(streamId, true);
    else this.fail(ErrorCode.EnhanceYourCalm);
  }

  #onLateSection(streamId: number): void {
    switch (this.closed.endOf(streamId)) {
      case 'Reset':
        this.spendControl();
        return;
      case 'Ended':
        return this.fail(ErrorCode.StreamClosed);
      case 'Unknown':
        // One that was passed over is closed as well (RFC 9113 5.1.1).
        return this.fail(ErrorCode.ProtocolError);
    }
  }

  /** A head that stands as HTTP/1 in `bytes`. Returns where the body begins in them. */
  sendHead(stream: Stream, bytes: Buffer): number {
    this.writer.begin(FrameType.Headers, Flag.EndHeaders, stream.id);
    this.encoder.begin(this.writer);
    const bodyStart = encodeResponseHead(this.encoder, this.writer, bytes);
    this.writer.end();
    this.owner.onOutput();
    return bodyStart;
  }

  /** The client has been told which stream was the last one. */
  get takesNoStreams(): boolean {
    return this.lastStreamId !== largestWindow;
  }

  /** New streams are still taken: the client does not know yet (RFC 9113 6.8). */
  announceEnd(): void {
    if (this.isFailed || this.lastStreamId !== largestWindow) return;
    this.writer.goAway(largestWindow, ErrorCode.NoError);
    this.owner.onOutput();
  }

  /** From here on new streams are not taken. */
  refuseNewStreams(): void {
    if (this.isFailed || this.lastStreamId !== largestWindow) return;
    this.lastStreamId = this.lastRemoteId;
    this.writer.goAway(this.lastRemoteId, ErrorCode.NoError);
    this.owner.onOutput();
  }
}
