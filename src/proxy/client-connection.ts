// One HTTP/1.1 client connection: requests one after the other, each answered before the next is read.
//
//   Open -- last response, fault, drain --> Lingering -- peer's FIN, or 2 s --> Closed
//     \---- 101 --> the same, but for bytes that are no longer HTTP            /
//      \---- reset ---------------------------------------------------------/
import type { FaultCode } from '#http/fault.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { addChunk, lastChunk, lastChunkSize, writeTrailers } from '#h1/chunk-writer.ts';
import { RequestParser } from '#h1/request-parser.ts';
import type { RequestSink } from '#h1/request-parser.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';
import { WriteBatch } from '#transport/write-batch.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import type { Downstream } from './downstream.ts';
import type { Exchange } from './exchange.ts';
import type { ProxyContext } from './proxy-context.ts';
import { lastIdleMs, LingeringClose, oneFlightBytes } from './lingering-close.ts';
import type { Peer, Security } from './peer.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import type { LocalResponse } from './local-response.ts';
import type { Forwarding } from './forwarding.ts';
import {
  responseFramingOf,
  writeInterimHead,
  writeLocalResponse,
  writeResponseHead,
  writeSwitchHead,
} from './response-head-writer.ts';
import type { ResponseFraming } from './response-head-writer.ts';
import type { Tunnel } from './tunnel.ts';

const State = { Open: 0, Lingering: 1, Closed: 2 } as const;
type State = (typeof State)[keyof typeof State];

export class ClientConnection implements SocketEvents, RequestSink, Downstream, TimerOwner, OpenConnection {
  /** Undefined without TLS. */
  readonly security: Security | undefined;
  isRequestComplete = true;
  isBlocked = false;
  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #parser: RequestParser;
  /** While a request is under way; those of all connections go round. */
  #exchange: Exchange | undefined = undefined;
  readonly #batch = new WriteBatch();
  readonly #timer: Timer;
  /** When its last exchange ended, or the connection began. */
  idleSinceMs: number;
  #state: State = State.Open;
  /** In the loop that feeds the parser: whatever ends an exchange there must not start the loop again. */
  #isReading = false;
  /** Bytes that wait for their turn: pipelined requests, or a body that the backend is not ready for. */
  #pending: Buffer | undefined = undefined;
  #isPaused = false;
  #isPeerEnded = false;
  #keepAlive = true;
  /** The client has said that its present request is the last one. */
  #isLastRequest = false;
  #minorVersion = 1;
  #method = '';
  #framing: ResponseFraming = 'None';
  /** The head of the final response is in the batch or gone. */
  #hasFinalHead = false;
  #hasResponseLeft = false;
  #answerBytes = 0;
  #takesTrailers = false;
  /** Fields that the backend declares to be of its connection. */
  #responseConnectionNames: readonly string[] = [];
  /** After a 101. */
  #tunnel: Tunnel | undefined = undefined;
  #hasHeadTimer = true;
  #lingering: LingeringClose | undefined = undefined;

  /** `timer`: of whoever had the connection before, running already. */
  constructor(context: ProxyContext, owner: ConnectionOwner, socket: Socket, peer: Peer, timer?: Timer) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
    this.#peer = peer;
    this.security = peer.security;
    this.#parser = new RequestParser(this, context.limits);
    this.#timer = timer ?? new Timer(this);
    this.idleSinceMs = context.now();
    if (timer !== undefined) timer.owner = this;
    else context.timers.restart(this.#timer, context.table?.settings.headTimeoutMs ?? 0);
  }

  get isIdle(): boolean {
    return this.#state === State.Open && this.#exchange === undefined && this.#parser.isBetweenMessages;
  }

  get heldBytes(): number {
    return this.#socket.pendingBytes + (this.#pending?.length ?? 0) + (this.#exchange?.heldBytes ?? 0);
  }

  shed(): void {
    this.#exchange?.shed();
    this.#socket.reset();
  }

  /** Every response says it. */
  announceEnd(): void {}

  closeWaiting(): void {
    if (this.isIdle) this.#linger();
    else if (this.#state === State.Open && this.#exchange === undefined) this.refuse('head-timeout');
  }

  /** A body that reads until close must not look complete. */
  destroy(): void {
    const isCut = this.#exchange !== undefined || this.#socket.pendingBytes > 0;
    if (isCut && this.#framing === 'Close') this.#socket.reset();
    else this.#socket.destroy();
  }

  get protocol(): string {
    return this.#minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  get peerAddress(): string {
    return this.#peer.address;
  }

  forwardingOf(head: RequestHead): Forwarding {
    return this.#peer.forwardingOf(this.#context, head);
  }

  // Reading

  onBytes(bytes: Buffer): void {
    this.#lingering?.onBytes();
    if (this.#state !== State.Open) return;
    if (this.#pending !== undefined) this.#pending = Buffer.concat([this.#pending, bytes]);
    else this.#read(bytes);
  }

  onEnd(): void {
    this.#isPeerEnded = true;
    if (this.#state === State.Lingering) {
      this.#socket.destroy();
      return;
    }
    this.#settle();
  }

  onClose(): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.#context.timers.clear(this.#timer);
    this.#lingering?.onClose();
    this.#pending = undefined;
    this.#batch.clear();
    this.#exchange?.onDownstreamClose();
    this.#owner.onConnectionClosed(this);
  }

  /** Feeds the parser for as long as what it reads has somewhere to go; the rest waits, and so does the socket. */
  #read(bytes: Buffer): void {
    this.#isReading = true;
    let at = 0;
    while (at < bytes.length && this.#state === State.Open) {
      if (!this.#canRead()) {
        // The transport may read into the same bytes again.
        this.#pending = Buffer.from(bytes.subarray(at));
        break;
      }
      if (this.#tunnel !== undefined) {
        this.#tunnel.onClientBytes(at === 0 ? bytes : bytes.subarray(at));
        break;
      }
      at = this.#parser.push(bytes, at, bytes.length);
      if (this.#parser.fault !== undefined) this.refuse(this.#parser.fault);
    }
    this.#isReading = false;
    this.#exchange?.onRequestTurnEnd();
    this.#settle();
  }

  #canRead(): boolean {
    if (this.#exchange === undefined) return !this.isBlocked;
    if (this.#tunnel !== undefined) return this.#tunnel.takesClientBytes;
    return !this.isRequestComplete && this.#exchange.takesRequestBody;
  }

  /** After a turn: the socket is read or not, and the right timer runs. */
  #settle(): void {
    if (this.#state !== State.Open) return;
    if (this.#tunnel === undefined) this.#settleMessages();
    else if (this.#isPeerEnded && this.#pending === undefined) this.#tunnel.onClientEnd();
    else this.#setPaused(this.#pending !== undefined || !this.#canRead());
  }

  #settleMessages(): void {
    if (
      this.#isPeerEnded &&
      this.#pending === undefined &&
      !(this.#exchange !== undefined && this.isRequestComplete)
    ) {
      // Everything that the client will ever send has been read. It may still wait for an answer to a whole request;
      // a part of one, or nothing, has no answer.
      this.#keepAlive = false;
      if (this.#exchange === undefined) this.#linger();
      else this.#exchange.onDownstreamClose();
      return;
    }
    const mustPause =
      this.#pending !== undefined ||
      (this.#exchange !== undefined && !this.isRequestComplete && !this.#canRead());
    this.#setPaused(mustPause);
    if (this.#exchange === undefined && !this.#parser.isBetweenMessages && !this.#hasHeadTimer) {
      this.#hasHeadTimer = true;
      this.#context.timers.restart(this.#timer, this.#context.table?.settings.headTimeoutMs ?? 0);
    }
  }

  #setPaused(mustPause: boolean): void {
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#socket.pause();
    else this.#socket.resume();
  }

  resumeRequest(): void {
    if (this.#isReading || this.#state !== State.Open) return;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#read(pending);
    else {
      this.#exchange?.onRequestTurnEnd();
      this.#settle();
    }
  }

  onRequestHead(head: RequestHead): void {
    this.#context.timers.clear(this.#timer);
    this.#hasHeadTimer = false;
    const exchange = this.#beginResponse();
    this.#keepAlive = head.keepAlive;
    this.#isLastRequest = head.closes;
    this.#minorVersion = head.minorVersion;
    this.#method = head.method;
    this.#takesTrailers = head.acceptsTrailers;
    this.isRequestComplete =
      head.framing === BodyFraming.None || (head.framing === BodyFraming.Length && head.contentLength === 0);
    exchange.begin(head);
  }

  #beginResponse(): Exchange {
    const exchange = this.#context.takeExchange(this);
    this.#exchange = exchange;
    this.#hasFinalHead = false;
    this.#hasResponseLeft = false;
    this.#answerBytes = 0;
    return exchange;
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#exchange?.onRequestBody(bytes, start, end);
  }

  onRequestEnd(trailers: FieldSection | undefined): void {
    if (this.isRequestComplete) return;
    this.isRequestComplete = true;
    this.#exchange?.onRequestEnd(trailers);
  }

  /** Bytes that cannot be trusted: the answer is the last thing that happens here. */
  refuse(code: FaultCode): void {
    this.#keepAlive = false;
    if (this.#exchange === undefined) this.#method = '';
    (this.#exchange ?? this.#beginResponse()).refuse(code);
  }

  // Answering

  accepts(): boolean {
    return true;
  }

  sendInterim(head: ResponseHead, changes: HeaderChanges | undefined): void {
    if (this.#minorVersion === 0) return;
    writeInterimHead(this.#context.headWriter, head, changes);
    this.#addWritten();
  }

  sendHead(head: ResponseHead, changes: HeaderChanges | undefined, lines: string): void {
    this.#framing = responseFramingOf(head, this.#method, this.#minorVersion);
    this.#keepAlive &&= this.isRequestComplete && this.#framing !== 'Close' && !this.#context.endsConnections;
    this.#hasFinalHead = true;
    this.#responseConnectionNames = head.connectionNames;
    writeResponseHead(
      this.#context.headWriter,
      head,
      this.#framing,
      this.#connectionOption(),
      changes,
      lines,
      this.#takesTrailers,
    );
    this.#addWritten();
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    this.#answerBytes += end - start;
    if (this.#framing === 'Chunked') addChunk(this.#batch, bytes, start, end);
    else if (this.#framing !== 'None') this.#batch.add(bytes, start, end);
  }

  sendEnd(trailers: FieldSection | undefined, changes: HeaderChanges | undefined): void {
    if (this.#framing === 'Chunked') {
      if (trailers !== undefined && this.#takesTrailers) {
        this.#batch.add(lastChunkSize, 0, lastChunkSize.length);
        writeTrailers(this.#context.headWriter, trailers, changes, this.#responseConnectionNames);
        this.#addWritten();
      } else this.#batch.add(lastChunk, 0, lastChunk.length);
    }
    this.flush();
  }

  sendSwitch(head: ResponseHead, changes: HeaderChanges | undefined, lines: string, tunnel: Tunnel): void {
    this.#hasFinalHead = true;
    this.#framing = 'None';
    this.#keepAlive = false;
    this.#tunnel = tunnel;
    writeSwitchHead(this.#context.headWriter, head, changes, lines);
    this.#addWritten();
    this.flush();
    this.resumeRequest();
  }

  sendTunnel(bytes: Buffer): boolean {
    this.#batch.add(bytes, 0, bytes.length);
    return this.flush();
  }

  endTunnel(): void {
    this.#batch.flush(this.#socket);
    this.#socket.end();
  }

  sendLocal(response: LocalResponse, requestId: string): void {
    if (!this.isRequestComplete || response.closes || this.#context.endsConnections) this.#keepAlive = false;
    this.#hasFinalHead = true;
    const { headWriter } = this.#context;
    writeLocalResponse(headWriter, response, requestId, this.#method, this.#connectionOption());
    this.#addWritten();
    this.flush();
  }

  /** What the head writer has just written. */
  #addWritten(): void {
    const { headWriter } = this.#context;
    this.#batch.addCopy(headWriter.bytes, 0, headWriter.size);
    this.#answerBytes += headWriter.size;
  }

  /** HTTP/1.1 keeps alive unless it says close; HTTP/1.0 the other way round (9112 9.3). */
  #connectionOption(): string {
    if (!this.#keepAlive) return 'close';
    return this.#minorVersion === 0 ? 'keep-alive' : '';
  }

  discard(): boolean {
    if (this.#hasResponseLeft) return false;
    this.#batch.clear();
    return true;
  }

  abort(): void {
    this.#keepAlive = false;
    this.#batch.clear();
    // Never a complete-looking body: a FIN short of the length or of the last chunk says enough, but it would be the
    // proper end of a body that reads until close.
    if (this.#framing === 'Close') this.#socket.reset();
    else this.#socket.destroy();
  }

  flush(): boolean {
    if (this.#state !== State.Open) return true;
    if (!this.#batch.isEmpty) {
      this.#hasResponseLeft = this.#hasFinalHead;
      if (!this.#batch.flush(this.#socket)) this.isBlocked = true;
    }
    return !this.isBlocked;
  }

  onDrain(): void {
    this.isBlocked = false;
    if (this.#tunnel !== undefined) this.#tunnel.onClientDrain();
    else if (this.#exchange === undefined) this.resumeRequest();
    else this.#exchange.onDownstreamDrain();
  }

  onExchangeEnd(): void {
    if (this.#exchange !== undefined) this.#context.giveExchange(this.#exchange);
    this.#exchange = undefined;
    this.idleSinceMs = this.#context.now();
    this.#tunnel = undefined;
    if (this.#state !== State.Open) return;
    if (!this.#keepAlive || (this.#isPeerEnded && this.#pending === undefined)) return this.#linger();
    this.#hasHeadTimer = false;
    const idleMs = this.#context.table?.settings.clientIdleTimeoutMs ?? 0;
    // A response that began before the drain did could not say that the connection ends with it.
    this.#context.timers.restart(this.#timer, this.#context.endsConnections ? lastIdleMs : idleMs);
    this.resumeRequest();
  }

  // Closing

  #linger(): void {
    this.#batch.flush(this.#socket);
    const isAnswered = this.#isLastRequest && this.isRequestComplete && this.#pending === undefined;
    // With TLS an end is said: a body that reads until close could have been cut by anybody (9112 9.8).
    const mayCut = isAnswered && this.security === undefined;
    if (mayCut && this.#answerBytes <= oneFlightBytes && this.#socket.pendingBytes === 0) {
      // The client has said that it sends nothing more (9112 9.6), and what it was sent leaves in one flight: no late byte
      // could reset the answer away.
      return this.#socket.destroy();
    }
    this.#state = State.Lingering;
    this.#context.timers.clear(this.#timer);
    this.#pending = undefined;
    this.#setPaused(false);
    this.#lingering = new LingeringClose(this.#context, this.#socket, () => this.destroy());
  }

  onTimer(): void {
    if (this.isIdle) this.#linger();
    else if (this.#exchange === undefined) this.refuse('head-timeout');
  }
}
