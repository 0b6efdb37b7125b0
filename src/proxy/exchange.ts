// The life of one request, in its order: head, route and pick (routed-request.ts), connect, forward head, pump, finish.
//
//   Idle - begin() - Connecting -- open --> Sending -- request complete --> Waiting -- head --> Responding -- end --> Idle
//           |            |   \___ next endpoint ___/    (no body: at once)     |                   |
//           \--- 4xx ----\---- 503, 504 -----\---- 408, 502 -------------------\--- 502, 504 ------\--- abort
//
// One object serves all requests of a connection, one after the other; nothing here allocates a promise or a closure.
import type { FaultCode } from '#http/fault.ts';
import { faultOf } from '#http/fault.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { newRequestId } from '#http/request-id.ts';
import { lastChunk, writeChunk } from '#h1/chunk-writer.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { UpstreamConnection } from '#upstream/upstream-connection.ts';
import type { UpstreamUser } from '#upstream/upstream-connection.ts';
import type { Downstream } from './downstream.ts';
import type { ProxyContext } from './proxy-context.ts';
import { writeRequestHead } from './request-head-writer.ts';
import { RoutedRequest } from './routed-request.ts';
import type { ServingTable } from './serving-table.ts';

const State = { Idle: 0, Connecting: 1, Sending: 2, Waiting: 3, Responding: 4 } as const;
type State = (typeof State)[keyof typeof State];

/** However short the idle timeout: a client that reads slowly gets this long to show it. */
const slowReaderMs = 30_000;

const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);
const noBytes = Buffer.alloc(0);

export class Exchange implements UpstreamUser, TimerOwner {
  // What the observer reads.
  readonly request = new RoutedRequest();
  requestId = '';
  /** Who asks, as far as that is known: the peer, or whom a trusted proxy names. */
  clientAddress = '';
  endpoint: Endpoint | undefined = undefined;
  status = 0;
  fault: FaultCode | undefined = undefined;
  /** Endpoints asked, the one that answered included. */
  attempts = 0;
  startedMs = 0;
  requestBytes = 0;
  responseBytes = 0;
  readonly downstream: Downstream;

  readonly #context: ProxyContext;
  readonly #timer: Timer;
  readonly #tried: Endpoint[] = [];
  #state: State = State.Idle;
  #table: ServingTable | undefined = undefined;
  #connection: UpstreamConnection | undefined = undefined;
  #headBytes: Buffer = noBytes;
  #isChunked = false;
  /** A body byte or its end has been given to a connection: it cannot be given to another. */
  #isBodyTouched = false;
  #isUpstreamBlocked = false;
  #activityMs = 0;
  #requestDeadlineMs = 0;

  constructor(context: ProxyContext, downstream: Downstream) {
    this.#context = context;
    this.downstream = downstream;
    this.#timer = new Timer(this);
  }

  get durationMs(): number {
    return this.#context.now() - this.startedMs;
  }

  // Head

  /** `head` is read now and not kept: everything needed later is copied out of it. */
  begin(head: RequestHead): void {
    this.#reset();
    const forwarding = this.downstream.forwardingOf(head);
    this.clientAddress = forwarding.clientAddress;
    if (forwarding.requestId !== '') this.requestId = forwarding.requestId;
    const fault = this.request.place(head, this.#table);
    if (fault !== undefined) {
      this.#fail(fault);
      return;
    }
    if (head.target === '*') {
      this.#answer(200, undefined);
      return;
    }
    this.#headBytes = writeRequestHead(
      this.#context.headWriter,
      head,
      this.request,
      forwarding,
      this.requestId,
    );
    this.#isChunked = head.framing === BodyFraming.Chunked;
    this.#attempt(undefined);
  }

  /** A request that never became one: its bytes were refused before there was a head to route. */
  refuse(code: FaultCode): void {
    if (this.#state === State.Idle) this.#reset();
    this.#fail(code);
  }

  #reset(): void {
    this.request.clear();
    this.requestId = newRequestId();
    this.clientAddress = this.downstream.peerAddress;
    this.endpoint = undefined;
    this.status = 0;
    this.fault = undefined;
    this.attempts = 0;
    this.startedMs = this.#context.now();
    this.requestBytes = 0;
    this.responseBytes = 0;
    this.#tried.length = 0;
    this.#table = this.#context.table;
    this.#isBodyTouched = false;
    this.#isUpstreamBlocked = false;
    this.#activityMs = this.startedMs;
    this.#requestDeadlineMs = 0;
    this.#state = State.Connecting;
    this.#context.observer.onExchangeStart();
  }

  // Connect

  /** `again`: the endpoint whose pooled connection turned out to be dead; it gets a fresh one. */
  #attempt(again: Endpoint | undefined): void {
    const settings = this.#table!.settings;
    const endpoint = again ?? this.request.upstream!.pick(this.#tried);
    if (endpoint === undefined) {
      this.#fail(this.fault ?? 'endpoints-none');
      return;
    }
    if (again === undefined) this.#tried.push(endpoint);
    this.endpoint = endpoint;
    this.attempts++;
    endpoint.activeRequests++;
    this.#isUpstreamBlocked = false;
    this.#state = State.Connecting;
    this.#setRequestTimer();
    const pooled = again === undefined ? this.#takePooled(endpoint) : undefined;
    if (pooled !== undefined) {
      pooled.use(this);
      this.#connection = pooled;
      this.#forwardHead(pooled);
      return;
    }
    this.#connection = new UpstreamConnection(
      this.#context,
      endpoint,
      this,
      settings.connectTimeoutMs,
      settings.upstreamIdleTimeoutMs,
    );
  }

  #takePooled(endpoint: Endpoint): UpstreamConnection | undefined {
    if (idempotentMethods.has(this.request.method)) return endpoint.takeIdle();
    return endpoint.takeTrusted(this.#context.now());
  }

  onUpstreamOpen(): void {
    this.#forwardHead(this.#connection!);
  }

  // Forward head

  #forwardHead(connection: UpstreamConnection): void {
    this.fault = undefined;
    connection.begin(this.request.method);
    connection.write(this.#headBytes);
    if (this.downstream.isRequestComplete && !this.#isBodyTouched) {
      connection.endRequest();
      this.#wait();
      connection.flush();
      return;
    }
    this.#state = State.Sending;
    this.#activityMs = this.#context.now();
    this.#setIdleTimer();
    this.downstream.resumeRequest();
  }

  // Pump

  /** Whether request body bytes have somewhere to go just now. */
  get takesRequestBody(): boolean {
    return (
      !this.#isUpstreamBlocked &&
      (this.#state === State.Sending || (this.#state === State.Responding && this.#connection !== undefined))
    );
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#isBodyTouched = true;
    this.requestBytes += end - start;
    this.#activityMs = this.#context.now();
    connection.write(this.#isChunked ? writeChunk(bytes, start, end) : bytes.subarray(start, end));
  }

  onRequestEnd(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#isBodyTouched = true;
    if (this.#isChunked) connection.write(lastChunk);
    connection.endRequest();
    if (this.#state === State.Sending) this.#wait();
  }

  /** The client's bytes of this turn have all been handed over. */
  onRequestTurnEnd(): void {
    const connection = this.#connection;
    if (connection !== undefined && connection.isOpen && !connection.flush()) this.#isUpstreamBlocked = true;
  }

  onUpstreamDrain(): void {
    this.#isUpstreamBlocked = false;
    this.#activityMs = this.#context.now();
    this.downstream.resumeRequest();
  }

  onDownstreamDrain(): void {
    this.#activityMs = this.#context.now();
    this.#connection?.resume();
  }

  onInterimHead(head: ResponseHead): void {
    this.downstream.sendInterim(head);
    this.downstream.flush();
  }

  onResponseHead(head: ResponseHead): void {
    this.#state = State.Responding;
    this.status = head.status;
    this.#activityMs = this.#context.now();
    this.#setIdleTimer();
    this.downstream.sendHead(head);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.responseBytes += end - start;
    this.#activityMs = this.#context.now();
    this.downstream.sendBody(bytes, start, end);
  }

  onUpstreamTurnEnd(): void {
    if (!this.downstream.flush()) this.#connection?.pause();
  }

  onResponseEnd(): void {
    this.#releaseEndpoint();
    this.downstream.sendEnd();
    this.#finish();
  }

  // Faults

  onUpstreamFault(code: FaultCode): void {
    const connection = this.#connection;
    this.#releaseEndpoint();
    if (this.#state === State.Responding) {
      if (this.downstream.discard()) this.#fail('backend-malformed');
      else {
        this.fault = 'backend-truncated';
        this.downstream.abort();
        this.#finish();
      }
      return;
    }
    this.fault = code;
    const isFirstByteSafe = connection?.hasResponseBytes === false && !this.#isBodyTouched;
    if (faultOf(code).retryable) {
      if (this.attempts < this.#table!.settings.attempts) this.#attempt(undefined);
      else this.#fail(code);
    } else if (
      connection !== undefined &&
      connection.usedTimes > 0 &&
      isFirstByteSafe &&
      idempotentMethods.has(this.request.method) &&
      this.attempts < this.#table!.settings.attempts
    ) {
      // A pooled connection that the backend closed while the request was on its way.
      this.#attempt(connection.endpoint);
    } else this.#fail(code);
  }

  /** The client is gone: nobody is left to answer. */
  onDownstreamClose(): void {
    if (this.#state === State.Idle) return;
    this.fault = 'client-closed';
    this.#dropConnection();
    this.#finish();
  }

  #fail(code: FaultCode): void {
    this.fault = code;
    this.#dropConnection();
    const fault = faultOf(code);
    if (fault.status === 0 || (this.#state === State.Responding && !this.downstream.discard())) {
      this.downstream.abort();
      this.#finish();
    } else this.#answer(fault.status, code);
  }

  #answer(status: number, code: FaultCode | undefined): void {
    this.status = status;
    this.downstream.sendLocal(status, code, code === undefined ? undefined : faultOf(code), this.requestId);
    this.#finish();
  }

  // Deadlines

  /** The request is with the backend; from here its answer is what we wait for. */
  #wait(): void {
    this.#state = State.Waiting;
    const now = this.#context.now();
    const { requestMs, backendRequestMs } = this.request.route!.timeouts;
    if (this.#requestDeadlineMs === 0) this.#requestDeadlineMs = requestMs === 0 ? Infinity : now + requestMs;
    const attemptDeadlineMs = backendRequestMs === 0 ? Infinity : now + backendRequestMs;
    const due = Math.min(this.#requestDeadlineMs, attemptDeadlineMs);
    if (due === Infinity) this.#context.timers.clear(this.#timer);
    else this.#context.timers.set(this.#timer, due - now);
  }

  /** A request that was sent once already has a deadline, whatever becomes of its next attempt. */
  #setRequestTimer(): void {
    if (this.#requestDeadlineMs === 0 || this.#requestDeadlineMs === Infinity)
      this.#context.timers.clear(this.#timer);
    else this.#context.timers.set(this.#timer, Math.max(0, this.#requestDeadlineMs - this.#context.now()));
  }

  /** Bytes only note their time; the timer looks at it when it fires and sleeps on for the rest. */
  #setIdleTimer(): void {
    const { idleMs } = this.request.route!.timeouts;
    if (idleMs === 0) this.#context.timers.clear(this.#timer);
    else this.#context.timers.set(this.#timer, idleMs);
  }

  /** The system's buffers hide what a slow client reads: seconds may pass before any of it shows here. */
  #silenceAllowedMs(): number {
    const { idleMs } = this.request.route!.timeouts;
    const isClientSlow = this.#state === State.Responding && this.downstream.isBlocked;
    return isClientSlow ? Math.max(idleMs, slowReaderMs) : idleMs;
  }

  onTimer(): void {
    if (this.#state === State.Waiting || this.#state === State.Connecting) {
      this.#fail('backend-timeout');
      return;
    }
    const idleMs = this.#silenceAllowedMs();
    const silentMs = this.#context.now() - this.#activityMs;
    if (silentMs < idleMs) {
      this.#context.timers.set(this.#timer, idleMs - silentMs);
      return;
    }
    if (this.#state === State.Responding) this.#fail('response-timeout');
    else this.#fail(this.#isUpstreamBlocked ? 'backend-timeout' : 'body-timeout');
  }

  // Finish

  #dropConnection(): void {
    const connection = this.#connection;
    this.#releaseEndpoint();
    connection?.destroy();
  }

  #releaseEndpoint(): void {
    if (this.#connection === undefined) return;
    this.#connection.endpoint.activeRequests--;
    this.#connection = undefined;
  }

  #finish(): void {
    this.#context.timers.clear(this.#timer);
    this.#state = State.Idle;
    this.#context.observer.onExchangeEnd(this);
    this.#headBytes = noBytes;
    this.#table = undefined;
    this.downstream.onExchangeEnd();
  }
}
