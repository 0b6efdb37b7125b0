// One HTTP/1.1 connection to an endpoint, serving one request at a time.
//
//   Connecting -- onConnect --> Busy -- response ended cleanly --> Idle -- use() --> Busy
//        |                       |                                  |
//        \--- refused, late ---- \--- broken, extra bytes, FIN ----- \--- FIN, any byte, too long idle --> Closed
//                                 \--- 101 --> Tunnel: bytes both ways until it closes
//
// A connection returns to the pool only if the request was written to its last byte, the response was read to its
// exact end, both sides want to keep it, and nothing more is readable.
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { addChunk, lastChunk, lastChunkSize } from '#h1/chunk-writer.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import { ResponseParser } from '#h1/response-parser.ts';
import type { ResponseSink } from '#h1/response-parser.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner, TimerWheel } from '#transport/timer-wheel.ts';
import type { ConnectEvents, Socket, Transport } from '#transport/transport.ts';
import { WriteBatch } from '#transport/write-batch.ts';
import { connectFault } from './connect-fault.ts';
import type { Endpoint } from './endpoint.ts';
import type { TunnelUser, UpstreamRequest, UpstreamUser } from './upstream-request.ts';

const State = { Connecting: 0, Busy: 1, Idle: 2, Closed: 3, Tunnel: 4 } as const;
type State = (typeof State)[keyof typeof State];

export interface UpstreamContext {
  readonly transport: Transport;
  readonly timers: TimerWheel;
  readonly limits: ParserLimits;
  readonly now: () => number;
}

export class UpstreamConnection implements UpstreamRequest, ConnectEvents, ResponseSink, TimerOwner {
  readonly endpoint: Endpoint;
  /** Requests it has carried before the present one. */
  usedTimes = 0;
  /** When its last response ended; 0 before the first one. */
  idleSinceMs = 0;
  hasResponseBytes = false;
  readonly #context: UpstreamContext;
  readonly #socket: Socket;
  readonly #parser: ResponseParser;
  readonly #batch = new WriteBatch();
  readonly #timer: Timer;
  readonly #idleTimeoutMs: number;
  #user: UpstreamUser | undefined;
  #state: State = State.Connecting;
  #isRequestWritten = false;
  #isChunked = false;
  #isResponseEnded = false;
  #isPaused = false;
  #isPeerEnded = false;
  #isBlocked = false;
  #tunnel: TunnelUser | undefined = undefined;
  #trailers: FieldSection | undefined = undefined;

  constructor(
    context: UpstreamContext,
    endpoint: Endpoint,
    user: UpstreamUser,
    connectTimeoutMs: number,
    idleTimeoutMs: number,
  ) {
    this.endpoint = endpoint;
    this.#context = context;
    this.#user = user;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#parser = new ResponseParser(this, context.limits);
    this.#timer = new Timer(this);
    if (connectTimeoutMs > 0) context.timers.set(this.#timer, connectTimeoutMs);
    this.#socket = (endpoint.connector ?? context.transport).connect(endpoint.address, endpoint.port, this);
  }

  get isOpen(): boolean {
    return this.#state === State.Busy || this.#state === State.Tunnel;
  }

  /** Takes it out of the pool for another request. */
  use(user: UpstreamUser): void {
    this.#context.timers.clear(this.#timer);
    this.#state = State.Busy;
    this.#user = user;
    this.usedTimes++;
  }

  get isReused(): boolean {
    return this.usedTimes > 0;
  }

  begin(method: string, expectsSwitch: boolean, isChunked: boolean): void {
    this.hasResponseBytes = false;
    this.#isRequestWritten = false;
    this.#isResponseEnded = false;
    this.#isChunked = isChunked;
    this.#trailers = undefined;
    this.#parser.begin(method, expectsSwitch);
  }

  addHead(bytes: Buffer, size: number): void {
    this.#batch.addCopy(bytes, 0, size);
  }

  addBody(bytes: Buffer, start: number, end: number): void {
    if (this.#isChunked) addChunk(this.#batch, bytes, start, end);
    else this.#batch.add(bytes, start, end);
  }

  endRequest(trailers: Buffer, size: number): void {
    this.#isRequestWritten = true;
    if (!this.#isChunked) return;
    if (size === 0) this.#batch.add(lastChunk, 0, lastChunk.length);
    else {
      this.#batch.add(lastChunkSize, 0, lastChunkSize.length);
      this.#batch.addCopy(trailers, 0, size);
    }
  }

  /** The backend has ended it, and that has not been read yet: nothing new may be asked over it. */
  get isEnding(): boolean {
    return this.#socket.isEndComing;
  }

  get heldBytes(): number {
    return this.#socket.pendingBytes;
  }

  flush(): boolean {
    if (!this.isOpen) return true;
    if (!this.#batch.flush(this.#socket)) this.#isBlocked = true;
    return !this.#isBlocked;
  }

  pause(): void {
    if (this.#isPaused || !this.isOpen) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  addTunnel(bytes: Buffer): void {
    this.#batch.add(bytes, 0, bytes.length);
  }

  endTunnel(): void {
    this.flush();
    this.#socket.end();
  }

  leaveTunnel(): void {
    this.#tunnel = undefined;
    this.#state = State.Closed;
  }

  destroy(): void {
    this.#user = undefined;
    this.#tunnel = undefined;
    this.#close();
  }

  onConnect(): void {
    if (this.#state !== State.Connecting) return;
    this.#context.timers.clear(this.#timer);
    this.#state = State.Busy;
    this.#user?.onUpstreamOpen();
  }

  onBytes(bytes: Buffer): void {
    if (this.#state === State.Tunnel) {
      this.#tunnel?.onTunnelBytes(bytes);
      return;
    }
    if (this.#state !== State.Busy || this.#parser.isIdle) {
      // Nobody asked: whatever this is, no later response on this connection could be trusted.
      this.#breakOff('backend-malformed');
      return;
    }
    this.hasResponseBytes = true;
    const user = this.#user;
    const at = this.#parser.push(bytes, 0, bytes.length);
    if (this.#parser.fault !== undefined) {
      this.#breakOff(this.#parser.fault);
      return;
    }
    if (this.#isResponseEnded) {
      if (at < bytes.length) this.#breakOff('backend-malformed');
      else this.#finishExchange();
      return;
    }
    if (!this.#parser.hasSwitched) user?.onUpstreamTurnEnd();
    else if (at < bytes.length) this.#tunnel?.onTunnelBytes(bytes.subarray(at));
  }

  onDrain(): void {
    this.#isBlocked = false;
    if (this.#state === State.Tunnel) this.#tunnel?.onTunnelDrain();
    else if (this.#state === State.Busy) this.#user?.onUpstreamDrain();
  }

  onEnd(): void {
    this.#isPeerEnded = true;
    if (this.#state === State.Tunnel) {
      this.#tunnel?.onTunnelEnd();
      return;
    }
    if (this.#state !== State.Busy) {
      this.#breakOff('backend-reset');
      return;
    }
    this.#parser.finish();
    if (this.#parser.fault !== undefined) this.#breakOff(this.#parser.fault);
    else if (this.#isResponseEnded) this.#finishExchange();
    else if (this.#parser.isIdle) this.#breakOff('backend-reset');
  }

  onClose(code: string | undefined): void {
    if (this.#state === State.Connecting) this.#breakOff(connectFault(code));
    else if (this.#state !== State.Closed)
      this.#breakOff(this.hasResponseBytes && !this.#parser.isIdle ? 'backend-truncated' : 'backend-reset');
  }

  onTimer(): void {
    this.#breakOff(this.#state === State.Connecting ? 'connect-timeout' : 'backend-reset');
  }

  onInterimHead(head: ResponseHead): void {
    this.#user?.onInterimHead(head);
  }

  onResponseHead(head: ResponseHead): void {
    this.#user?.onResponseHead(head);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#user?.onResponseBody(bytes, start, end);
  }

  onSwitch(head: ResponseHead): void {
    this.#state = State.Tunnel;
    this.#tunnel = this.#user?.onSwitch(head);
    this.#user = undefined;
  }

  /** Whether the connection lives on is known only when the rest of the bytes is. */
  onResponseEnd(trailers: FieldSection | undefined): void {
    this.#trailers = trailers;
    this.#isResponseEnded = true;
  }

  #finishExchange(): void {
    const user = this.#user;
    this.#user = undefined;
    const isKept = this.#isReusable();
    if (isKept && !this.isEnding && this.endpoint.offerIdle(this)) this.#becomeIdle();
    else {
      // Nothing had said so: it is as if it had been idle for a moment.
      if (isKept && this.isEnding) this.endpoint.onClosedIdle(0, this.#context.now());
      this.#close();
    }
    user?.onResponseEnd(this.#trailers);
  }

  #isReusable(): boolean {
    return (
      this.#state === State.Busy &&
      this.#isRequestWritten &&
      !this.#isBlocked &&
      !this.#isPeerEnded &&
      this.#parser.isIdle &&
      this.#parser.keepAlive &&
      this.#idleTimeoutMs > 0
    );
  }

  #becomeIdle(): void {
    this.#state = State.Idle;
    this.idleSinceMs = this.#context.now();
    // An idle connection must be read: that is how the backend's FIN is seen.
    this.resume();
    this.#context.timers.set(this.#timer, this.#idleTimeoutMs);
  }

  #breakOff(code: FaultCode): void {
    if (this.#state === State.Closed) return;
    if (code === 'backend-reset' && this.idleSinceMs > 0) this.#reportClose();
    const user = this.#user;
    const tunnel = this.#tunnel;
    this.#user = undefined;
    this.#tunnel = undefined;
    this.#close();
    user?.onUpstreamFault(code);
    tunnel?.onTunnelBroken();
  }

  /** While it was idle, or before a byte of the response to the request after that. */
  #reportClose(): void {
    if (this.#state === State.Busy && this.hasResponseBytes) return;
    const nowMs = this.#context.now();
    const idleMs = nowMs - this.idleSinceMs;
    // Our own timeout is no judgement of the backend.
    if (this.#state === State.Busy || idleMs < this.#idleTimeoutMs) this.endpoint.onClosedIdle(idleMs, nowMs);
  }

  #close(): void {
    if (this.#state === State.Closed) return;
    if (this.#state === State.Idle) this.endpoint.forgetIdle(this);
    this.#state = State.Closed;
    this.#context.timers.clear(this.#timer);
    this.#batch.clear();
    this.#socket.destroy();
  }
}
