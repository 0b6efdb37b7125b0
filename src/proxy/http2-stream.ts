// The client's side of one exchange over HTTP/2: a stream.
//
//   request:   Open -- its last byte is handed on --> complete             bytes that the backend is not ready for wait here;
//   response:  head -> body -> end, or a reset                             only what is handed on is given back to its window
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import { copySection } from '#http/field-section.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { writeTrailers } from '#h1/chunk-writer.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { HeldContent } from '#h2/held-content.ts';
import type { ServerSession } from '#h2/server-session.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import type { Downstream } from './downstream.ts';
import type { Exchange } from './exchange.ts';
import type { Forwarding } from './forwarding.ts';
import { asGrpc, isGrpc } from './grpc-status.ts';
import type { LocalResponse } from './local-response.ts';
import type { Peer, Security } from './peer.ts';
import type { ProxyContext } from './proxy-context.ts';
import {
  responseFramingOf,
  writeInterimHead,
  writeLocalResponse,
  writeResponseHead,
} from './response-head-writer.ts';
import type { ResponseFraming } from './response-head-writer.ts';
import type { Tunnel } from './tunnel.ts';
import { newWebSocketKey, provesKey } from './web-socket-handshake.ts';

const noTrailers = Buffer.alloc(0);
/** The fields of a WebSocket handshake that HTTP/2 has no use for. */
const keyNames: readonly string[] = ['sec-websocket-key'];
const acceptName = 'sec-websocket-accept';

/** The connection that has the stream. */
export interface StreamOwner {
  readonly session: ServerSession;
  /** Something was handed on in this turn: onTurnEnd is to follow. */
  onStreamTurn(stream: Http2Stream): void;
}

export class Http2Stream implements Downstream, StreamUser {
  readonly protocol = 'HTTP/2';
  readonly security: Security | undefined;
  isRequestComplete: boolean;
  readonly #context: ProxyContext;
  readonly #owner: StreamOwner;
  readonly #peer: Peer;
  readonly #stream: Stream;
  #exchange: Exchange | undefined = undefined;
  #method = '';
  #isGrpc = false;
  #webSocketKey = '';
  #framing: ResponseFraming = 'None';
  #hasFinalHead = false;
  #responseConnectionNames: readonly string[] = [];
  #tunnel: Tunnel | undefined = undefined;
  /** Bytes of the client that wait until they are wanted. */
  readonly #pending = new HeldContent();
  /** The client has ended its side, behind what waits. */
  #hasEnded = false;
  #isEndTold = false;
  #pendingTrailers: FieldSection | undefined = undefined;
  #isResuming = false;

  constructor(context: ProxyContext, owner: StreamOwner, peer: Peer, stream: Stream, isEnd: boolean) {
    this.#context = context;
    this.#owner = owner;
    this.#peer = peer;
    this.security = peer.security;
    this.#stream = stream;
    this.isRequestComplete = isEnd;
    this.#hasEnded = isEnd;
  }

  /** `head` is valid until this returns. */
  begin(head: RequestHead): void {
    this.#method = head.method;
    this.#isGrpc = isGrpc(head);
    if (head.upgradesToWebSocket) {
      // What comes behind the head is for the tunnel, not for the request.
      this.isRequestComplete = true;
      this.#webSocketKey = newWebSocketKey();
      head.webSocketKey = this.#webSocketKey;
      head.connectionNames = keyNames;
    }
    this.#takeExchange().begin(head);
  }

  refuse(method: string, code: FaultCode): void {
    this.#method = method;
    this.#takeExchange().refuse(code);
  }

  #takeExchange(): Exchange {
    const exchange = this.#context.takeExchange(this);
    this.#exchange = exchange;
    return exchange;
  }

  get peerAddress(): string {
    return this.#peer.address;
  }

  get isBlocked(): boolean {
    return this.#stream.queuedBytes > 0 || this.#owner.session.isCongested;
  }

  /** On the way to the client and back, here and beyond. */
  get heldBytes(): number {
    return this.#stream.heldBytes + (this.#exchange?.heldBytes ?? 0);
  }

  forwardingOf(head: RequestHead): Forwarding {
    return this.#peer.forwardingOf(this.#context, head);
  }

  // The request

  onStreamBody(bytes: Buffer, start: number, end: number): void {
    if (!this.#pending.isEmpty || !this.#wantsBytes) this.#pending.push(bytes, start, end);
    else this.#handOn(bytes, start, end);
  }

  get #wantsBytes(): boolean {
    if (this.#tunnel !== undefined) return this.#tunnel.takesClientBytes;
    return !this.isRequestComplete && this.#exchange?.takesRequestBody === true;
  }

  #handOn(bytes: Buffer, start: number, end: number): void {
    if (this.#tunnel !== undefined) this.#tunnel.onClientBytes(bytes.subarray(start, end));
    else {
      this.#exchange?.onRequestBody(bytes, start, end);
      this.#owner.onStreamTurn(this);
    }
    this.#owner.session.consume(this.#stream, end - start);
  }

  onStreamEnd(trailers: FieldSection | undefined): void {
    this.#hasEnded = true;
    if (this.#mayTellEnd) this.#tellEnd(trailers);
    else this.#pendingTrailers = trailers === undefined ? undefined : copySection(trailers);
  }

  get #mayTellEnd(): boolean {
    if (!this.#hasEnded || this.#isEndTold || !this.#pending.isEmpty) return false;
    return this.#tunnel !== undefined || this.#wantsBytes;
  }

  #tellEnd(trailers: FieldSection | undefined): void {
    this.#isEndTold = true;
    if (this.#tunnel !== undefined) this.#tunnel.onClientEnd();
    else {
      this.isRequestComplete = true;
      this.#exchange?.onRequestEnd(trailers);
      this.#owner.onStreamTurn(this);
    }
  }

  resumeRequest(): void {
    if (this.#isResuming) return;
    this.#isResuming = true;
    while (!this.#pending.isEmpty && this.#wantsBytes) {
      const bytes = this.#pending.shift();
      this.#handOn(bytes, 0, bytes.length);
    }
    if (this.#mayTellEnd) this.#tellEnd(this.#pendingTrailers);
    this.#isResuming = false;
    this.#exchange?.onRequestTurnEnd();
  }

  /** All bytes of this turn have been handed on. */
  onTurnEnd(): void {
    this.#exchange?.onRequestTurnEnd();
  }

  onStreamWritable(): void {
    if (this.#tunnel !== undefined) this.#tunnel.onClientDrain();
    else this.#exchange?.onDownstreamDrain();
  }

  onStreamCongested(): void {
    // A tunnel asks with everything that it sends.
    if (this.#tunnel === undefined) this.#exchange?.onUpstreamTurnEnd();
  }

  onStreamClosed(): void {
    this.#exchange?.onDownstreamClose();
  }

  // The response

  /** Over HTTP/2 any success opens the WebSocket, and the proof that the backend means it is for us to see (RFC 8441 5). */
  accepts(head: ResponseHead): boolean {
    if (this.#webSocketKey === '') return true;
    return head.status === 101 ? provesKey(head, this.#webSocketKey) : head.status >= 300;
  }

  sendInterim(head: ResponseHead, changes: HeaderChanges | undefined): void {
    writeInterimHead(this.#context.headWriter, head, changes);
    this.#sendWritten();
  }

  sendHead(head: ResponseHead, changes: HeaderChanges | undefined, lines: string): void {
    this.#framing = responseFramingOf(head, this.#method, 1);
    this.#hasFinalHead = true;
    this.#responseConnectionNames = head.connectionNames;
    writeResponseHead(this.#context.headWriter, head, this.#framing, '', changes, lines, true);
    this.#sendWritten();
  }

  /** What the head writer has just written; returns where its body begins. */
  #sendWritten(): number {
    if (this.#stream.isClosed) return 0;
    return this.#owner.session.sendHead(this.#stream, this.#context.headWriter.bytes);
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    if (this.#framing !== 'None') this.#owner.session.sendData(this.#stream, bytes, start, end);
  }

  sendEnd(trailers: FieldSection | undefined, changes: HeaderChanges | undefined): void {
    const lines =
      trailers === undefined || this.#framing === 'None' ? noTrailers : this.#trailerLines(trailers, changes);
    this.#owner.session.endStream(this.#stream, lines);
  }

  #trailerLines(trailers: FieldSection, changes: HeaderChanges | undefined): Buffer {
    const { headWriter } = this.#context;
    writeTrailers(headWriter, trailers, changes, this.#responseConnectionNames);
    // The empty line alone is none.
    return headWriter.size > 2 ? Buffer.from(headWriter.bytes.subarray(0, headWriter.size)) : noTrailers;
  }

  sendSwitch(head: ResponseHead, changes: HeaderChanges | undefined, lines: string, tunnel: Tunnel): void {
    this.#hasFinalHead = true;
    this.#framing = 'Chunked';
    this.#tunnel = tunnel;
    head.status = 200;
    head.connectionNames = [...head.connectionNames, acceptName];
    writeResponseHead(this.#context.headWriter, head, 'Chunked', '', changes, lines, false);
    this.#sendWritten();
    this.resumeRequest();
  }

  sendTunnel(bytes: Buffer): boolean {
    this.#owner.session.sendData(this.#stream, bytes, 0, bytes.length);
    return this.flush();
  }

  endTunnel(): void {
    this.#owner.session.endStream(this.#stream, noTrailers);
  }

  sendLocal(response: LocalResponse, requestId: string): void {
    this.#hasFinalHead = true;
    const { headWriter } = this.#context;
    const answer = this.#isGrpc ? asGrpc(response, this.#exchange?.fault) : response;
    writeLocalResponse(headWriter, answer, requestId, this.#method, '');
    const { session } = this.#owner;
    const bodyStart = this.#sendWritten();
    session.sendData(this.#stream, headWriter.bytes, bodyStart, headWriter.size);
    session.endStream(this.#stream, noTrailers);
  }

  /** A head that has been compressed cannot be taken back: the peer's table follows it. */
  discard(): boolean {
    return !this.#hasFinalHead;
  }

  abort(): void {
    // RFC 8441 5: what the end of a connection is to a WebSocket, CANCEL is to its stream.
    const code = this.#tunnel === undefined ? ErrorCode.InternalError : ErrorCode.Cancel;
    this.#owner.session.abandon(this.#stream, code);
  }

  /** Memory is short, and it holds much. */
  shed(): void {
    this.#exchange?.shed();
    this.#owner.session.abandon(this.#stream, ErrorCode.EnhanceYourCalm);
  }

  flush(): boolean {
    return this.#owner.session.isFlowing(this.#stream);
  }

  onExchangeEnd(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#tunnel = undefined;
    if (exchange !== undefined) this.#context.giveExchange(exchange);
    const { session } = this.#owner;
    // What waited is nobody's now, but counts against the window of the connection.
    const unwanted = this.#pending.clear();
    if (unwanted > 0) session.consume(this.#stream, unwanted);
    session.dropRest(this.#stream);
  }
}
