// The life of one request, in its order: head, route and pick (routed-request.ts), connect, forward head, pump, finish.
//
//   Idle - begin() - Connecting -- open --> Sending -- request complete --> Waiting -- head --> Responding -- end --> Idle
//           |            |   \___ next endpoint, now or after a while (attempts.ts) ___/             |
//           \--- 4xx ----\---- 503, 504 -----\---- 408, 502 -------------------\--- 502, 504 ------\--- abort
//                                                                             \-- 101 --> Tunneling -- both ends --> Idle
//
// One object serves many requests, one after the other and of any connection; nothing here allocates a promise or a
// closure.
import type { FaultCode } from '#http/fault.ts';
import { faultOf } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { isIdempotent } from '#http/method.ts';
import { newRequestId } from '#http/request-id.ts';
import type { Waiter } from '#upstream/circuit.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { isConnectFault } from '#upstream/connect-fault.ts';
import { openRequest } from '#upstream/open-request.ts';
import type { UpstreamRequest, UpstreamUser } from '#upstream/upstream-request.ts';
import { Attempts, Remedy } from './attempts.ts';
import { BodyPace, paceCheckMs } from './body-pace.ts';
import type { Downstream } from './downstream.ts';
import { ExchangeTimer, slowReaderCheckMs } from './exchange-timer.ts';
import type { ExchangeTimerOwner } from './exchange-timer.ts';
import { answerOf, faultResponse, serverOptions, upgradeResponse, withChanges } from './local-response.ts';
import type { LocalResponse } from './local-response.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import type { ProxyContext } from './proxy-context.ts';
import { RoutedRequest } from './routed-request.ts';
import type { ServingTable } from './serving-table.ts';
import { Tunnel } from './tunnel.ts';
import type { TunnelOwner } from './tunnel.ts';

const State = { Idle: 0, Connecting: 1, Sending: 2, Waiting: 3, Responding: 4, Tunneling: 5 } as const;
type State = (typeof State)[keyof typeof State];

export class Exchange implements UpstreamUser, TunnelOwner, ExchangeTimerOwner, Waiter {
  // What the observer reads.
  readonly request = new RoutedRequest();
  requestId = '';
  /** Who asks, as far as that is known: the peer, or whom a trusted proxy names. */
  clientAddress = '';
  endpoint: Endpoint | undefined = undefined;
  status = 0;
  fault: FaultCode | undefined = undefined;
  readonly attempts = new Attempts();
  startedMs = 0;
  requestBytes = 0;
  responseBytes = 0;
  downstream: Downstream;

  readonly #context: ProxyContext;
  readonly #timer: ExchangeTimer;
  readonly #outgoing: OutgoingRequest;
  #state: State = State.Idle;
  #table: ServingTable | undefined = undefined;
  #connection: UpstreamRequest | undefined = undefined;
  readonly #pace = new BodyPace();
  #tunnel: Tunnel | undefined = undefined;
  /** Where it is counted, of a rule that allows only so many requests at a time; empty: nowhere. */
  #countedAs = '';
  #isUpstreamBlocked = false;
  /** Of the request's body. */
  #maxBodyBytes = Infinity;

  constructor(context: ProxyContext, downstream: Downstream) {
    this.#context = context;
    this.downstream = downstream;
    this.#timer = new ExchangeTimer(context, this);
    this.#outgoing = new OutgoingRequest(context.headWriter);
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
    if (this.#context.isOverloaded) return this.#fail('overloaded');
    if (this.request.mustUpgrade)
      return this.#answer(upgradeResponse(this.request, this.#context.publicHttpsPort));
    const { route } = this.request;
    if (route === undefined) return this.#answer(serverOptions);
    if (route.filters !== undefined) {
      const { answer, maxBodyBytes, mostConcurrent } = route.filters;
      if (answer !== undefined)
        return this.#answer(answerOf(answer, this.request.asked(forwarding), this.request.responseHeaders));
      this.#maxBodyBytes = maxBodyBytes;
      const counted = this.#context.concurrentRequests.enter(route, mostConcurrent);
      if (counted === undefined) return this.#fail('route-overloaded');
      this.#countedAs = counted;
    }
    this.#outgoing.take(head, this.request, forwarding, this.requestId, this.downstream.isRequestComplete);
    this.attempts.begin(this.request, this.#table!.settings.attempts);
    this.#attempt(undefined);
  }

  /** Holds nothing of the request that it has served: what the next one finds. */
  rest(): void {
    this.request.clear();
    this.endpoint = undefined;
    this.attempts.clear();
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
    this.startedMs = this.#context.now();
    this.requestBytes = 0;
    this.responseBytes = 0;
    this.#table = this.#context.table;
    this.#isUpstreamBlocked = false;
    this.#maxBodyBytes = Infinity;
    this.#timer.begin(this.startedMs);
    this.#state = State.Connecting;
    this.#context.observer.onExchangeStart();
  }

  // Connect

  /** `again`: the endpoint whose pooled connection turned out to be dead; it gets a fresh one. */
  #attempt(again: Endpoint | undefined): void {
    // Whoever waits for room in another state would be left in the queue when it ends.
    this.#state = State.Connecting;
    const endpoint = again ?? this.attempts.pick();
    if (endpoint === undefined) return this.#waitForRoom();
    this.endpoint = endpoint;
    this.attempts.count++;
    endpoint.enter();
    this.#isUpstreamBlocked = false;
    this.#timer.waitAgain();
    const isRepeatable = isIdempotent(this.request.method);
    const { settings } = this.#table!;
    const request = openRequest(this.#context, endpoint, this, again !== undefined, isRepeatable, settings);
    this.#connection = request;
    if (request.isOpen) this.#forwardHead(request);
  }

  #waitForRoom(): void {
    const fault = this.attempts.wait(this, this.fault);
    if (fault !== undefined) return this.#fail(fault);
    this.#timer.wait(this.request.route!.timeouts);
  }

  goOn(): void {
    this.#attempt(undefined);
  }

  #retry(): void {
    this.#state = State.Connecting;
    const delayMs = this.attempts.beginRetry();
    if (delayMs > 0) this.#timer.pause(delayMs);
    else this.#attempt(undefined);
  }

  onUpstreamOpen(): void {
    this.#forwardHead(this.#connection!);
  }

  // Forward head

  #forwardHead(connection: UpstreamRequest): void {
    this.fault = undefined;
    this.#outgoing.sendTo(connection);
    if (this.#outgoing.hasEnded) {
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
    this.requestBytes += end - start;
    if (this.requestBytes > this.#maxBodyBytes) return this.#fail('body-too-large');
    this.#timer.touch();
    this.#outgoing.addBody(connection, bytes, start, end);
  }

  onRequestEnd(trailers: FieldSection | undefined): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#outgoing.end(connection, trailers);
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
    this.endpoint!.onAnswer(head.status);
    if (this.attempts.isRetried(head.status, this.#outgoing.isWhole)) {
      this.#dropConnection();
      this.#retry();
      return;
    }
    this.#outgoing.forgetBody();
    this.#state = State.Responding;
    this.status = head.status;
    this.#timer.watch(this.request.route!.timeouts.idleMs, slowReaderCheckMs);
    this.downstream.sendHead(head, this.request.responseHeaders, this.request.sessionLine(this.endpoint!));
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
    this.endpoint!.onAnswer(head.status);
    this.#state = State.Tunneling;
    this.status = head.status;
    this.#timer.stop();
    const { idleMs } = this.request.route!.timeouts;
    this.#tunnel = new Tunnel(this.#context, this, this.#connection!, idleMs);
    this.downstream.sendSwitch(
      head,
      this.request.responseHeaders,
      this.request.sessionLine(this.endpoint!),
      this.#tunnel,
    );
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
    if (isConnectFault(code)) connection?.endpoint.onConnectFailure();
    switch (this.attempts.remedyFor(code, connection, this.#outgoing.isWhole)) {
      case Remedy.None:
        this.#fail(code);
        break;
      case Remedy.SameEndpoint:
        this.#attempt(connection?.endpoint);
        break;
      case Remedy.OtherEndpoint:
        this.#attempt(undefined);
        break;
      case Remedy.Retry:
        this.#retry();
    }
  }

  /** That wait in the way to the backend, or back. */
  get heldBytes(): number {
    return this.#outgoing.keptBytes + (this.#connection?.heldBytes ?? 0);
  }

  /** Memory is short, and it holds much. */
  shed(): void {
    if (this.#state === State.Tunneling) this.onTunnelOver('overloaded');
    else if (this.#state !== State.Idle) this.#fail('overloaded');
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

  onDeadline(isOfRequest: boolean): void {
    if (isOfRequest) return this.#fail('request-timeout');
    const connection = this.#connection;
    if (connection === undefined) return this.#fail('backend-overloaded');
    const remedy = this.attempts.remedyFor('backend-timeout', connection, this.#outgoing.isWhole);
    // It should have answered by now.
    connection.endpoint.onAnswer(504);
    if (remedy !== Remedy.Retry) return this.#fail('backend-timeout');
    this.fault = 'backend-timeout';
    this.#dropConnection();
    this.#retry();
  }

  get isTrickling(): boolean {
    if (this.#state !== State.Sending || this.#isUpstreamBlocked) return false;
    const { bodyBytesPerSecond } = this.#context;
    return this.#pace.isBelow(bodyBytesPerSecond, this.#context.now(), this.requestBytes);
  }

  get slowBytes(): number {
    return this.#state === State.Responding && this.downstream.isBlocked ? this.downstream.heldBytes : 0;
  }

  onSilence(): void {
    if (this.#state === State.Responding) this.#fail('response-timeout');
    else this.#fail(this.#isUpstreamBlocked ? 'backend-timeout' : 'body-timeout');
  }

  // Finish

  #dropConnection(): void {
    const connection = this.#connection;
    this.#releaseEndpoint();
    if (connection !== undefined) connection.destroy();
    else if (this.#state === State.Connecting) this.request.upstream?.forget(this);
  }

  #releaseEndpoint(): void {
    if (this.#connection === undefined) return;
    this.#connection.endpoint.leave();
    this.#connection = undefined;
  }

  #finish(): void {
    this.#timer.stop();
    this.#tunnel?.stop();
    this.#tunnel = undefined;
    this.#state = State.Idle;
    this.#context.observer.onExchangeEnd(this);
    this.#outgoing.release();
    this.#context.concurrentRequests.leave(this.#countedAs);
    this.#countedAs = '';
    this.#table = undefined;
    this.downstream.onExchangeEnd();
  }
}
