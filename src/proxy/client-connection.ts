// One HTTP/1.1 client connection: requests one after the other, each answered before the next is read.
//
//   Open -- last response, fault, drain --> Lingering -- peer's FIN, or 2 s --> Closed
//     \---- reset, idle too long ---------------------------------------------> Closed
import type { Fault, FaultCode } from '#http/fault.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { lastChunk, writeChunk } from '#h1/chunk-writer.ts';
import { RequestParser } from '#h1/request-parser.ts';
import type { RequestSink } from '#h1/request-parser.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';
import { WriteBatch } from '#transport/write-batch.ts';
import type { Downstream } from './downstream.ts';
import { Exchange } from './exchange.ts';
import type { ProxyContext } from './proxy-context.ts';
import { trustedForwarding, untrustedForwarding } from './forwarding.ts';
import type { Forwarding } from './forwarding.ts';
import {
  responseFramingOf,
  writeInterimHead,
  writeLocalResponse,
  writeResponseHead,
} from './response-head-writer.ts';
import type { ResponseFraming } from './response-head-writer.ts';

const State = { Open: 0, Lingering: 1, Closed: 2 } as const;
type State = (typeof State)[keyof typeof State];

/** How long bytes of a client that we are done with are read and thrown away, so that our last answer is not reset. */
const lingerMs = 2000;
/** In all, while bytes keep coming. */
const longestLingerMs = 30_000;
/** How long a connection may be silent once a drain has begun. */
const drainIdleMs = 1000;
/** How long a client may take nothing of what is written to it: the system's own buffers hide smaller steps. */
const stalledReaderMs = 30_000;

/** Told when a connection is gone. */
export interface ConnectionOwner {
  onConnectionClosed(connection: ClientConnection): void;
}

export class ClientConnection implements SocketEvents, RequestSink, Downstream, TimerOwner {
  /** Undefined: the peer is a trusted proxy, and every request says where it comes from. */
  readonly #forwarding: Forwarding | undefined;
  isRequestComplete = true;
  isBlocked = false;
  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #exchange: Exchange;
  readonly #batch = new WriteBatch();
  readonly #timer: Timer;
  #state: State = State.Open;
  #isExchanging = false;
  /** In the loop that feeds the parser: whatever ends an exchange there must not start the loop again. */
  #isReading = false;
  /** Bytes that wait for their turn: pipelined requests, or a body that the backend is not ready for. */
  #pending: Buffer | undefined = undefined;
  #isPaused = false;
  #isPeerEnded = false;
  #keepAlive = true;
  #minorVersion = 1;
  #method = '';
  #framing: ResponseFraming = 'None';
  /** The head of the final response is in the batch or gone. */
  #hasFinalHead = false;
  #hasResponseLeft = false;
  #hasHeadTimer = true;
  #lingeringBytes = 0;
  #stalledMs = 0;
  #lingeredMs = 0;
  #hasLateBytes = false;

  constructor(context: ProxyContext, owner: ConnectionOwner, socket: Socket) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
    this.#forwarding = context.trustedProxies.includes(socket.remoteAddress)
      ? undefined
      : untrustedForwarding(socket.remoteAddress, 'http');
    this.#parser = new RequestParser(this, context.limits);
    this.#exchange = new Exchange(context, this);
    this.#timer = new Timer(this);
    this.#setTimer(context.table?.settings.headTimeoutMs ?? 0);
  }

  get isIdle(): boolean {
    return this.#state === State.Open && !this.#isExchanging && this.#parser.isBetweenMessages;
  }

  /** For a drain that has run out of patience with connections that have no request under way. */
  closeWaiting(): void {
    if (this.isIdle) this.#linger();
    else if (this.#state === State.Open && !this.#isExchanging) this.#refuse('head-timeout');
  }

  /** The hard way; a body that reads until close must not look complete. */
  destroy(): void {
    const isCut = this.#isExchanging || this.#socket.pendingBytes > 0;
    if (isCut && this.#framing === 'Close') this.#socket.reset();
    else this.#socket.destroy();
  }

  forwardingOf(head: RequestHead): Forwarding {
    return (
      this.#forwarding ??
      trustedForwarding(head, this.#socket.remoteAddress, 'http', this.#context.trustedProxies)
    );
  }

  get peerAddress(): string {
    return this.#socket.remoteAddress;
  }

  // Reading

  onBytes(bytes: Buffer): void {
    if (this.#state === State.Lingering) this.#hasLateBytes = true;
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
    this.#pending = undefined;
    this.#batch.clear();
    if (this.#isExchanging) this.#exchange.onDownstreamClose();
    this.#owner.onConnectionClosed(this);
  }

  /** Feeds the parser for as long as what it reads has somewhere to go; the rest waits, and so does the socket. */
  #read(bytes: Buffer): void {
    this.#isReading = true;
    let at = 0;
    while (at < bytes.length && this.#state === State.Open) {
      if (!this.#canRead()) {
        this.#pending = bytes.subarray(at);
        break;
      }
      at = this.#parser.push(bytes, at, bytes.length);
      if (this.#parser.fault !== undefined) this.#refuse(this.#parser.fault);
    }
    this.#isReading = false;
    if (this.#isExchanging) this.#exchange.onRequestTurnEnd();
    this.#settle();
  }

  #canRead(): boolean {
    if (!this.#isExchanging) return !this.isBlocked;
    return !this.isRequestComplete && this.#exchange.takesRequestBody;
  }

  /** After a turn: the socket is read or not, and the right timer runs. */
  #settle(): void {
    if (this.#state !== State.Open) return;
    if (this.#isPeerEnded && this.#pending === undefined && !(this.#isExchanging && this.isRequestComplete)) {
      // Everything that the client will ever send has been read. It may still wait for an answer to a whole request;
      // a part of one, or nothing, has no answer.
      this.#keepAlive = false;
      if (this.#isExchanging) this.#exchange.onDownstreamClose();
      else this.#linger();
      return;
    }
    const mustPause =
      this.#pending !== undefined || (this.#isExchanging && !this.isRequestComplete && !this.#canRead());
    if (mustPause !== this.#isPaused) {
      this.#isPaused = mustPause;
      if (mustPause) this.#socket.pause();
      else this.#socket.resume();
    }
    if (!this.#isExchanging && !this.#parser.isBetweenMessages && !this.#hasHeadTimer) {
      this.#hasHeadTimer = true;
      this.#setTimer(this.#context.table?.settings.headTimeoutMs ?? 0);
    }
  }

  resumeRequest(): void {
    if (this.#isReading || this.#state !== State.Open) return;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#read(pending);
    else {
      if (this.#isExchanging) this.#exchange.onRequestTurnEnd();
      this.#settle();
    }
  }

  onRequestHead(head: RequestHead): void {
    this.#context.timers.clear(this.#timer);
    this.#hasHeadTimer = false;
    this.#beginResponse();
    this.#keepAlive = head.keepAlive;
    this.#minorVersion = head.minorVersion;
    this.#method = head.method;
    this.isRequestComplete =
      head.framing === BodyFraming.None || (head.framing === BodyFraming.Length && head.contentLength === 0);
    this.#exchange.begin(head);
  }

  #beginResponse(): void {
    this.#isExchanging = true;
    this.#hasFinalHead = false;
    this.#hasResponseLeft = false;
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    if (this.#isExchanging) this.#exchange.onRequestBody(bytes, start, end);
  }

  onRequestEnd(): void {
    if (this.isRequestComplete) return;
    this.isRequestComplete = true;
    if (this.#isExchanging) this.#exchange.onRequestEnd();
  }

  /** Bytes that cannot be trusted: the answer is the last thing that happens here. */
  #refuse(code: FaultCode): void {
    this.#keepAlive = false;
    if (!this.#isExchanging) {
      this.#beginResponse();
      this.#method = '';
    }
    this.#exchange.refuse(code);
  }

  // Answering

  sendInterim(head: ResponseHead): void {
    if (this.#minorVersion === 1) this.#batch.add(writeInterimHead(this.#context.headWriter, head));
  }

  sendHead(head: ResponseHead): void {
    this.#framing = responseFramingOf(head, this.#method, this.#minorVersion);
    if (!this.isRequestComplete || this.#framing === 'Close' || this.#context.isDraining)
      this.#keepAlive = false;
    this.#hasFinalHead = true;
    this.#batch.add(
      writeResponseHead(this.#context.headWriter, head, this.#framing, this.#connectionOption()),
    );
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    if (this.#framing === 'Chunked') this.#batch.add(writeChunk(bytes, start, end));
    else if (this.#framing !== 'None') this.#batch.add(bytes.subarray(start, end));
  }

  sendEnd(): void {
    if (this.#framing === 'Chunked') this.#batch.add(lastChunk);
    this.flush();
  }

  sendLocal(status: number, code: FaultCode | undefined, fault: Fault | undefined, requestId: string): void {
    if (!this.isRequestComplete || fault?.closes === true || this.#context.isDraining)
      this.#keepAlive = false;
    this.#hasFinalHead = true;
    this.#batch.add(
      writeLocalResponse(
        this.#context.headWriter,
        status,
        code,
        fault,
        requestId,
        this.#method,
        this.#connectionOption(),
      ),
    );
    this.flush();
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
    if (this.#isExchanging) this.#exchange.onDownstreamDrain();
    else this.resumeRequest();
  }

  onExchangeEnd(): void {
    this.#isExchanging = false;
    if (this.#state !== State.Open) return;
    if (!this.#keepAlive || (this.#isPeerEnded && this.#pending === undefined)) {
      this.#linger();
      return;
    }
    this.#hasHeadTimer = false;
    const idleMs = this.#context.table?.settings.clientIdleTimeoutMs ?? 0;
    // A response that began before the drain did could not say that the connection ends with it.
    this.#setTimer(this.#context.isDraining ? drainIdleMs : idleMs);
    this.resumeRequest();
  }

  // Closing

  /** FIN, and then reading on for a while: closing with unread bytes would reset the answer away (9112 9.6). */
  #linger(): void {
    this.#batch.flush(this.#socket);
    this.#state = State.Lingering;
    this.#pending = undefined;
    if (this.#isPaused) this.#socket.resume();
    this.#isPaused = false;
    this.#socket.end();
    this.#lingeringBytes = this.#socket.pendingBytes;
    this.#setTimer(lingerMs);
  }

  /** A slow reader may take longer than that for our last answer, as long as it takes some of it now and then. */
  #lingerOn(): void {
    const left = this.#socket.pendingBytes;
    this.#lingeredMs += lingerMs;
    // Who is still sending has not yet looked at our answer; a close now would reset it away.
    if (this.#hasLateBytes && this.#lingeredMs < longestLingerMs) {
      this.#hasLateBytes = false;
      this.#setTimer(lingerMs);
      return;
    }
    this.#stalledMs = left === this.#lingeringBytes ? this.#stalledMs + lingerMs : 0;
    if (left === 0 || this.#stalledMs >= stalledReaderMs) this.destroy();
    else {
      this.#lingeringBytes = left;
      this.#setTimer(lingerMs);
    }
  }

  #setTimer(delayMs: number): void {
    if (delayMs > 0) this.#context.timers.set(this.#timer, delayMs);
    else this.#context.timers.clear(this.#timer);
  }

  onTimer(): void {
    if (this.#state === State.Lingering) this.#lingerOn();
    else if (this.isIdle) this.#linger();
    else if (!this.#isExchanging) this.#refuse('head-timeout');
  }
}
