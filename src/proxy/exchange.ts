// The life of one request, in its order: head, route and pick (routed-request.ts), connect, forward head, pump, finish.
//
//   Idle - begin() - Connecting -- open --> Sending -- request complete --> Waiting -- head --> Responding -- end --> Idle
//           |            |   \___ next endpoint ___/    (no body: at once)     |                   |
//           \--- 4xx ----\---- 503, 504 -----\---- 408, 502 -------------------\--- 502, 504 ------\--- abort
//                                                                             \-- 101 --> Tunneling -- both ends --> Idle
//
// One object serves many requests, one after the other and of any connection; nothing here allocates a promise or a
// closure.
import type { FaultCode } from '#http/fault.ts';
import { faultOf } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { isIdempotent } from '#http/method.ts';
import { newRequestId } from '#http/request-id.ts';
import { writeTrailers } from '#h1/chunk-writer.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { openRequest } from '#upstream/open-request.ts';
import type { UpstreamRequest, UpstreamUser } from '#upstream/upstream-request.ts';
import { BodyPace, paceCheckMs } from './body-pace.ts';
import type { Downstream } from './downstream.ts';
import { ExchangeTimer } from './exchange-timer.ts';
import type { ExchangeTimerOwner } from './exchange-timer.ts';
import { keepHead, releaseHead } from './head-buffers.ts';
import { answerOf, faultResponse, serverOptions, upgradeResponse, withChanges } from './local-response.ts';
import type { LocalResponse } from './local-response.ts';
import type { ProxyContext } from './proxy-context.ts';
import { writeRequestHead } from './request-head-writer.ts';
import { RoutedRequest } from './routed-request.ts';
import type { ServingTable } from './serving-table.ts';
import { Tunnel } from './tunnel.ts';
import type { TunnelOwner } from './tunnel.ts';

const State = { Idle: 0, Connecting: 1, Sending: 2, Waiting: 3, Responding: 4, Tunneling: 5 } as const;
type State = (typeof State)[keyof typeof State];

const noBytes = Buffer.alloc(0);

export class Exchange implements UpstreamUser, TunnelOwner, ExchangeTimerOwner {
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
  downstream: Downstream;

  readonly #context: ProxyContext;
  readonly #timer: ExchangeTimer;
  readonly #tried: Endpoint[] = [];
  #state: State = State.Idle;
  #table: ServingTable | undefined = undefined;
  #connection: UpstreamRequest | undefined = undefined;
  #headBytes: Buffer = noBytes;
  #headSize = 0;
  readonly #pace = new BodyPace();
  #isChunked = false;
  /** Fields that the client declares to be of its connection. */
  #connectionNames: readonly string[] = [];
  /** The request asked for WebSocket: its answer may be 101. */
  #asksForSwitch = false;
  #tunnel: Tunnel | undefined = undefined;
  /** A body byte or its end has been given to a connection: it cannot be given to another. */
  #isBodyTouched = false;
  #isUpstreamBlocked = false;
  /** Of the request's body. */
  #maxBodyBytes = Infinity;

  constructor(context: ProxyContext, downstream: Downstream) {
    this.#context = context;
    this.downstream = downstream;
    this.#timer = new ExchangeTimer(context, this);
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
    const fault = this.request.place(head, this.#table, forwarding, this.downstream.security);
    if (fault !== undefined) return this.#fail(fault);
    if (this.request.mustUpgrade)
      return this.#answer(upgradeResponse(this.request, this.#context.publicHttpsPort));
    const { route } = this.request;
    if (route === undefined) return this.#answer(serverOptions);
    if (route.filters !== undefined) {
      const { answer, maxBodyBytes } = route.filters;
      this.#maxBodyBytes = maxBodyBytes;
      if (answer !== undefined) {
        const { authority, path, query } = this.request;
        const asked = { scheme: forwarding.scheme, authority, path, query };
        this.#answer(answerOf(answer, asked, this.request.responseHeaders));
        return;
      }
    }
    const { headWriter } = this.#context;
    writeRequestHead(headWriter, head, this.request, forwarding, this.requestId);
    this.#headSize = headWriter.size;
    this.#headBytes = keepHead(headWriter.bytes, this.#headSize);
    this.#isChunked = head.framing === BodyFraming.Chunked;
    this.#connectionNames = head.connectionNames;
    this.#asksForSwitch = head.upgradesToWebSocket;
    this.#attempt(undefined);
  }

  /** Holds nothing of the request that it has served: what the next one finds. */
  rest(): void {
    this.request.clear();
    this.endpoint = undefined;
    this.#tried.length = 0;
  }

  /** A request that never became one: its bytes were refused before there was a head to route. */
  refuse(code: FaultCode): void {
    if (this.#state === State.Idle) this.#reset();
    this.#fail(code);
  }

  #reset(): void {
    this.requestId = newRequestId();
    this.clientAddress = this.downstream.peerAddress;
    this.status = 0;
    this.fault = undefined;
    this.attempts = 0;
    this.startedMs = this.#context.now();
    this.requestBytes = 0;
    this.responseBytes = 0;
    this.#table = this.#context.table;
    this.#isBodyTouched = false;
    this.#isUpstreamBlocked = false;
    this.#maxBodyBytes = Infinity;
    this.#timer.begin(this.startedMs);
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
    this.#timer.waitAgain();
    const isRepeatable = isIdempotent(this.request.method);
    const request = openRequest(this.#context, endpoint, this, again !== undefined, isRepeatable, settings);
    this.#connection = request;
    if (request.isOpen) this.#forwardHead(request);
  }

  onUpstreamOpen(): void {
    this.#forwardHead(this.#connection!);
  }

  // Forward head

  #forwardHead(connection: UpstreamRequest): void {
    this.fault = undefined;
    connection.begin(this.request.method, this.#asksForSwitch, this.#isChunked);
    connection.addHead(this.#headBytes, this.#headSize);
    if (this.downstream.isRequestComplete && !this.#isBodyTouched) {
      connection.endRequest(noBytes, 0);
      this.#wait();
      connection.flush();
      return;
    }
    this.#state = State.Sending;
    this.#pace.begin(this.#context.now(), this.requestBytes);
    const { idleMs } = this.request.route!.timeouts;
    this.#timer.watch(idleMs, this.#context.bodyBytesPerSecond > 0 ? paceCheckMs : Infinity);
    this.downstream.resumeRequest();
  }

  // Pump

  /** Whether request body bytes have somewhere to go just now. */
  get takesRequestBody(): boolean {
    if (this.#isUpstreamBlocked || this.#connection === undefined) return false;
    return this.#state === State.Sending || this.#state === State.Responding;
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#isBodyTouched = true;
    this.requestBytes += end - start;
    if (this.requestBytes > this.#maxBodyBytes) return this.#fail('body-too-large');
    this.#timer.touch();
    connection.addBody(bytes, start, end);
  }

  onRequestEnd(trailers: FieldSection | undefined): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#isBodyTouched = true;
    if (trailers === undefined || !this.#isChunked) connection.endRequest(noBytes, 0);
    else {
      const { headWriter } = this.#context;
      const changes = this.request.route?.filters?.requestHeaders;
      writeTrailers(headWriter, trailers, changes, this.#connectionNames);
      connection.endRequest(headWriter.bytes, headWriter.size);
    }
    if (this.#state === State.Sending) this.#wait();
  }

  /** The client's bytes of this turn have all been handed over. */
  onRequestTurnEnd(): void {
    const connection = this.#connection;
    if (connection !== undefined && connection.isOpen && !connection.flush()) this.#isUpstreamBlocked = true;
  }

  onUpstreamDrain(): void {
    this.#isUpstreamBlocked = false;
    // The time that the backend took is not the client's.
    this.#pace.begin(this.#context.now(), this.requestBytes);
    this.#timer.touch();
    this.downstream.resumeRequest();
  }

  onDownstreamDrain(): void {
    this.#timer.touch();
    this.#connection?.resume();
  }

  onInterimHead(head: ResponseHead): void {
    this.downstream.sendInterim(head, this.request.responseHeaders);
    this.downstream.flush();
  }

  onResponseHead(head: ResponseHead): void {
    if (!this.downstream.accepts(head)) return this.#fail('backend-malformed');
    this.#state = State.Responding;
    this.status = head.status;
    this.#timer.watch(this.request.route!.timeouts.idleMs);
    this.downstream.sendHead(head, this.request.responseHeaders);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    this.responseBytes += end - start;
    this.#timer.touch();
    this.downstream.sendBody(bytes, start, end);
  }

  onUpstreamTurnEnd(): void {
    if (!this.downstream.flush()) this.#connection?.pause();
  }

  onResponseEnd(trailers: FieldSection | undefined): void {
    this.#releaseEndpoint();
    this.downstream.sendEnd(trailers, this.request.responseHeaders);
    this.#finish();
  }

  // Tunnel

  onSwitch(head: ResponseHead): Tunnel | undefined {
    if (!this.downstream.accepts(head)) {
      this.#fail('backend-malformed');
      return undefined;
    }
    this.#state = State.Tunneling;
    this.status = head.status;
    this.#timer.stop();
    const { idleMs } = this.request.route!.timeouts;
    this.#tunnel = new Tunnel(this.#context, this, this.#connection!, idleMs);
    this.downstream.sendSwitch(head, this.request.responseHeaders, this.#tunnel);
    return this.#tunnel;
  }

  onTunnelOver(fault: FaultCode | undefined): void {
    this.fault = fault;
    if (fault === undefined) {
      const connection = this.#connection;
      this.#releaseEndpoint();
      connection?.leaveTunnel();
    } else {
      this.#dropConnection();
      this.downstream.abort();
    }
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
    if (faultOf(code).retryable && !this.#isBodyTouched) {
      if (this.attempts >= this.#table!.settings.attempts) this.#fail(code);
      // A connection that took no more requests says nothing about its endpoint.
      else
        this.#attempt(
          code === 'backend-refused' && connection?.isReused === true ? connection.endpoint : undefined,
        );
    } else if (
      connection !== undefined &&
      connection.isReused &&
      isFirstByteSafe &&
      isIdempotent(this.request.method) &&
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
    } else this.#answer(withChanges(faultResponse(code), this.request.hostHeaders));
  }

  #answer(response: LocalResponse): void {
    this.status = response.status;
    this.downstream.sendLocal(response, this.requestId);
    this.#finish();
  }

  // Deadlines

  /** The request is with the backend; from here its answer is what we wait for. */
  #wait(): void {
    this.#state = State.Waiting;
    this.#timer.wait(this.request.route!.timeouts);
    // A client that takes nothing just now gets its answer when it does.
    if (!this.downstream.flush()) this.#connection?.pause();
  }

  onDeadline(): void {
    this.#fail('backend-timeout');
  }

  get isTrickling(): boolean {
    if (this.#state !== State.Sending || this.#isUpstreamBlocked) return false;
    const { bodyBytesPerSecond } = this.#context;
    return this.#pace.isBelow(bodyBytesPerSecond, this.#context.now(), this.requestBytes);
  }

  get isClientSlow(): boolean {
    return this.#state === State.Responding && this.downstream.isBlocked;
  }

  onSilence(): void {
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
    this.#timer.stop();
    this.#tunnel?.stop();
    this.#tunnel = undefined;
    this.#state = State.Idle;
    this.#context.observer.onExchangeEnd(this);
    releaseHead(this.#headBytes);
    this.#headBytes = noBytes;
    this.#table = undefined;
    this.downstream.onExchangeEnd();
  }
}
