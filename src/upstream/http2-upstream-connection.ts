// One HTTP/2 connection to an endpoint, carrying many requests at a time.
//
//   Connecting -- onConnect --> Open -- GOAWAY of the server --> ends with its last stream --> Closed
//        |                       \----- idle too long, broken, failed ----------------------/
//        \--- refused, late --------------------------------------------------------------/
import type { FaultCode } from '#http/fault.ts';
import { ClientReading, ClientSession } from '#h2/client-session.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { largestWindow } from '#h2/frame.ts';
import type { SessionOwner } from '#h2/session-owner.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import { TurnEnd } from '#transport/turn-end.ts';
import type { ConnectEvents, Socket } from '#transport/transport.ts';
import { connectFault } from './connect-fault.ts';
import type { Endpoint } from './endpoint.ts';
import { Http2UpstreamRequest } from './http2-upstream-request.ts';
import type { UpstreamContext } from './upstream-connection.ts';
import type { UpstreamUser } from './upstream-request.ts';

const State = { Connecting: 0, Open: 1, Closed: 2 } as const;
type State = (typeof State)[keyof typeof State];

/** Requests that may wait for one connection that is being opened. */
const mostWaiting = 100;
/** A request that was given up after this long, on a connection that said nothing meanwhile, says that it is dead. */
const deadAfterMs = 1000;

const readings = new WeakMap<ParserLimits, ClientReading>();

function readingFor(limits: ParserLimits): ClientReading {
  let reading = readings.get(limits);
  if (reading === undefined) {
    reading = new ClientReading(limits);
    readings.set(limits, reading);
  }
  return reading;
}

export class Http2UpstreamConnection implements ConnectEvents, SessionOwner, TimerOwner {
  readonly endpoint: Endpoint;
  readonly now: () => number;
  readonly session: ClientSession;
  /** Streams it has begun before. */
  usedTimes = 0;
  readonly #context: UpstreamContext;
  readonly #socket: Socket;
  readonly #timer: Timer;
  readonly #idleTimeoutMs: number;
  readonly #turnEnd: TurnEnd;
  #state: State = State.Connecting;
  /** When it has said something last. */
  #receivedMs = 0;
  /** Those who wait for it to open. */
  #waiting: Http2UpstreamRequest[] = [];
  /** Those who have heard something in this turn. */
  #touched: Http2UpstreamRequest[] = [];
  /** Why it ended, for those whose streams ended with it. */
  #endFault: FaultCode = 'backend-reset';

  constructor(context: UpstreamContext, endpoint: Endpoint, connectTimeoutMs: number, idleTimeoutMs: number) {
    this.endpoint = endpoint;
    this.#context = context;
    this.now = context.now;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#timer = new Timer(this);
    this.#turnEnd = new TurnEnd(context.transport, () => this.#sendTurn());
    this.session = new ClientSession(
      this,
      readingFor(context.limits),
      endpoint.connector === undefined ? 'http' : 'https',
    );
    if (connectTimeoutMs > 0) context.timers.set(this.#timer, connectTimeoutMs);
    this.#socket = (endpoint.connector ?? context.transport).connect(endpoint.address, endpoint.port, this);
  }

  get isOpen(): boolean {
    return this.#state === State.Open;
  }

  /** Whether it takes one more request, now or when it opens. */
  get hasRoom(): boolean {
    if (this.#state === State.Connecting)
      return this.#waiting.length < Math.min(mostWaiting, this.endpoint.http2.concurrentStreams);
    return this.#state === State.Open && !this.#socket.isEndComing && this.session.hasRoom;
  }

  get isBusy(): boolean {
    return this.#waiting.length > 0 || this.session.openStreams > 0;
  }

  request(user: UpstreamUser): Http2UpstreamRequest {
    const request = new Http2UpstreamRequest(this, user, this.usedTimes > 0);
    if (this.#state === State.Connecting) this.#waiting.push(request);
    else {
      this.usedTimes++;
      this.#context.timers.clear(this.#timer);
    }
    return request;
  }

  /** Begun before its settings were known, a stream may have been one too many. Returns whether others were there. */
  onRefused(): boolean {
    this.endpoint.http2.concurrentStreams = Math.max(1, this.session.concurrentStreams);
    return this.usedTimes > 1;
  }

  /** A request that began at `sinceMs` is given up without a word of the backend. */
  onGivenUp(sinceMs: number): void {
    const isSilent = this.#receivedMs < sinceMs && this.now() - sinceMs >= deadAfterMs;
    // Its peer may be gone: nothing else should wait for it.
    if (isSilent && this.#state === State.Open) this.retire();
  }

  /** It waits no more. */
  forget(request: Http2UpstreamRequest): void {
    const at = this.#waiting.indexOf(request);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  touch(request: Http2UpstreamRequest): void {
    if (this.#touched.at(-1) !== request) this.#touched.push(request);
  }

  /** No new requests; it ends with the last of those under way. */
  retire(): void {
    if (this.isBusy) this.session.onServerGoingAway(largestWindow);
    else this.#close();
  }

  // Socket

  /** `protocol`: what TLS has agreed on; in the clear it is known beforehand. */
  onConnect(protocol = 'h2'): void {
    if (this.#state !== State.Connecting) return;
    if (protocol !== 'h2') {
      this.#endFault = 'backend-handshake-failed';
      this.#close();
      return;
    }
    this.#state = State.Open;
    this.#setIdleTimer();
    this.onOutput();
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) this.#context.timers.clear(this.#timer);
    this.usedTimes += waiting.length;
    for (const request of waiting) request.onOpen();
  }

  onBytes(bytes: Buffer): void {
    if (this.#state !== State.Open) return;
    this.#receivedMs = this.now();
    this.session.push(bytes, 0, bytes.length);
    this.#endTurn();
  }

  #endTurn(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const request of touched) request.onTurnEnd();
  }

  onDrain(): void {
    if (this.#state === State.Open) this.session.resumeOutput();
  }

  onEnd(): void {
    this.#close();
  }

  onClose(code: string | undefined): void {
    if (this.#state === State.Connecting) this.#endFault = connectFault(code);
    this.#close();
  }

  // Session

  onOutput(): void {
    this.#turnEnd.request();
  }

  sendOutput(): boolean {
    const { session } = this;
    return session.writer.flush(this.#socket) && !session.isOutputBlocked;
  }

  #sendTurn(): void {
    if (this.#state !== State.Open) return;
    this.session.endTurn();
    if (!this.sendOutput()) this.session.isOutputBlocked = true;
    if (this.session.isFailed || (this.session.isEnding && this.session.openStreams === 0)) this.#close();
  }

  onStreamReset(): void {
    // Its request is told, or does not want to know.
  }

  onSessionFailed(): void {
    this.#endFault = 'backend-malformed';
    this.onOutput();
  }

  onGoAway(lastStreamId: number): void {
    this.session.onServerGoingAway(lastStreamId);
    this.onOutput();
  }

  onQuiet(): void {
    if (this.#state !== State.Open) return;
    if (this.session.isEnding) this.onOutput();
    else this.#setIdleTimer();
  }

  #setIdleTimer(): void {
    this.#context.timers.set(this.#timer, this.#idleTimeoutMs);
  }

  onTimer(): void {
    if (this.#state === State.Connecting) {
      this.#endFault = 'connect-timeout';
      this.#close();
    } else if (this.session.openStreams === 0) this.#close();
  }

  #close(): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.endpoint.forgetHttp2(this);
    this.#context.timers.clear(this.#timer);
    this.#socket.destroy();
    this.session.writer.clear();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) request.onFault(this.#endFault);
    this.session.closeStreams(ErrorCode.ConnectError);
    this.#touched = [];
  }
}
