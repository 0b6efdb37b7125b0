// One request over an HTTP/2 connection to an endpoint: a stream.
import type { FaultCode } from '#http/fault.ts';
import { copySection } from '#http/field-section.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import type { RequestStream, ResponseUser } from '#h2/client-session.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { HeldContent } from '#h2/held-content.ts';
import type { Endpoint } from './endpoint.ts';
import type { Http2UpstreamConnection } from './http2-upstream-connection.ts';
import type { UpstreamRequest, UpstreamUser } from './upstream-request.ts';

const noTrailers = Buffer.alloc(0);

export class Http2UpstreamRequest implements UpstreamRequest, ResponseUser {
  isReused: boolean;
  hasResponseBytes = false;
  readonly #connection: Http2UpstreamConnection;
  #user: UpstreamUser | undefined;
  #stream: RequestStream | undefined = undefined;
  #startedMs = 0;
  #method = '';
  #isPaused = false;
  /** Of the response, while it is paused: its windows bound it. */
  readonly #pending = new HeldContent();
  #hasEnded = false;
  #trailers: FieldSection | undefined = undefined;

  constructor(connection: Http2UpstreamConnection, user: UpstreamUser, isReused: boolean) {
    this.#connection = connection;
    this.#user = user;
    this.isReused = isReused;
  }

  get endpoint(): Endpoint {
    return this.#connection.endpoint;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen && this.#user !== undefined;
  }

  onOpen(): void {
    this.#user?.onUpstreamOpen();
  }

  /** The connection ended before there was a stream. */
  onFault(code: FaultCode): void {
    const user = this.#user;
    this.#user = undefined;
    user?.onUpstreamFault(code);
  }

  // The request

  begin(method: string): void {
    this.#method = method;
  }

  addHead(bytes: Buffer): void {
    this.#startedMs = this.#connection.now();
    this.#stream = this.#connection.session.open(bytes, this, this.#method === 'HEAD');
  }

  addBody(bytes: Buffer, start: number, end: number): void {
    if (this.#stream !== undefined) this.#connection.session.sendData(this.#stream, bytes, start, end);
  }

  endRequest(trailers: Buffer, size: number): void {
    if (this.#stream === undefined) return;
    // The empty line alone is none.
    const lines = size > 2 ? Buffer.from(trailers.subarray(0, size)) : noTrailers;
    this.#connection.session.endStream(this.#stream, lines);
  }

  get heldBytes(): number {
    return (this.#stream?.queuedBytes ?? 0) + this.#pending.bytes;
  }

  flush(): boolean {
    return this.#stream === undefined || this.#connection.session.isFlowing(this.#stream);
  }

  onStreamWritable(): void {
    this.#user?.onUpstreamDrain();
  }

  onStreamCongested(): void {
    // Whoever sends a body asks at the end of every turn.
  }

  // The response

  onStreamHead(head: ResponseHead): void {
    this.hasResponseBytes = true;
    this.#connection.touch(this);
    if (head.status < 200) this.#user?.onInterimHead(head);
    else this.#user?.onResponseHead(head);
  }

  onStreamBody(bytes: Buffer, start: number, end: number): void {
    if (this.#isPaused) {
      this.#pending.push(bytes, start, end);
      return;
    }
    this.#user?.onResponseBody(bytes, start, end);
    this.#connection.touch(this);
    this.#connection.session.consume(this.#stream!, end - start);
  }

  onStreamEnd(trailers: FieldSection | undefined): void {
    this.#hasEnded = true;
    if (this.#pending.isEmpty) this.#finish(trailers);
    else this.#trailers = trailers === undefined ? undefined : copySection(trailers);
  }

  onTurnEnd(): void {
    this.#user?.onUpstreamTurnEnd();
  }

  #finish(trailers: FieldSection | undefined): void {
    const user = this.#user;
    this.#user = undefined;
    // The backend wants nothing more of a request that it has answered.
    if (this.#stream?.isLocalEnded === false)
      this.#connection.session.abandon(this.#stream, ErrorCode.Cancel);
    user?.onResponseEnd(trailers);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#pending.isEmpty && !this.#isPaused && this.#user !== undefined) {
      const bytes = this.#pending.shift();
      this.#user.onResponseBody(bytes, 0, bytes.length);
      this.#connection.session.consume(this.#stream!, bytes.length);
      // It may pause again.
      this.#user?.onUpstreamTurnEnd();
    }
    if (this.#hasEnded && this.#pending.isEmpty && this.#user !== undefined) this.#finish(this.#trailers);
  }

  onStreamClosed(code: number): void {
    // The response is whole, and waits here: that nothing more is wanted of the request breaks nothing (RFC 9113 8.1).
    if (this.#hasEnded) return;
    const user = this.#user;
    this.#user = undefined;
    this.#dropPending();
    // The backend has looked at it: that is no connection that was closed meanwhile.
    if (code === ErrorCode.RefusedStream) this.isReused = this.#connection.onRefused();
    else if (this.#connection.isOpen) this.isReused = false;
    user?.onUpstreamFault(this.#faultOf(code));
  }

  #faultOf(code: number): FaultCode {
    switch (code) {
      case ErrorCode.RefusedStream:
        return 'backend-refused';
      case ErrorCode.ProtocolError:
      case ErrorCode.FlowControlError:
      case ErrorCode.FrameSizeError:
      case ErrorCode.CompressionError:
      case ErrorCode.StreamClosed:
        return this.hasResponseBytes ? 'backend-truncated' : 'backend-malformed';
      default:
        return this.hasResponseBytes ? 'backend-truncated' : 'backend-reset';
    }
  }

  destroy(): void {
    this.#user = undefined;
    this.#dropPending();
    if (this.#stream === undefined) this.#connection.forget(this);
    else {
      this.#connection.session.abandon(this.#stream, ErrorCode.Cancel);
      if (!this.hasResponseBytes) this.#connection.onGivenUp(this.#startedMs);
    }
  }

  #dropPending(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const unwanted = this.#pending.clear();
    if (unwanted > 0) this.#connection.session.consume(stream, unwanted);
  }

  // HTTP/2 has no 101: nothing ever turns into a tunnel here.

  addTunnel(): void {}

  endTunnel(): void {}

  leaveTunnel(): void {}
}
