// What all connections of one worker share.
import { HeadWriter } from '#h1/head-writer.ts';
import type { IpRanges } from '#http/ip-ranges.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import type { ErrorCode } from '#h2/error-code.ts';
import { ServerReading } from '#h2/server-session.ts';
import { clock } from '#transport/clock.ts';
import type { TimerWheel } from '#transport/timer-wheel.ts';
import type { Transport } from '#transport/transport.ts';
import type { UpstreamContext } from '#upstream/upstream-connection.ts';
import { ConcurrentRequests } from './concurrent-requests.ts';
import { defaultConcurrentStreams } from './connection-words.ts';
import type { HandshakeOutcome, Http2Scope, Refusal } from './connection-words.ts';
import type { Downstream } from './downstream.ts';
import { Exchange } from './exchange.ts';
import { MemoryLevel } from './memory-level.ts';
import type { Passthrough } from './passthrough.ts';
import type { ServingTable } from './serving-table.ts';
import type { Tunnel } from './tunnel.ts';

const mostFreeExchanges = 256;

/** Where logs and counters hang. The fields of an exchange are valid until onExchangeEnd returns. */
export interface ProxyObserver {
  onConnectionOpen(): void;
  onConnectionClose(): void;
  onConnectionRefused(refusal: Refusal): void;
  /** It has been ended to make room. */
  onConnectionDisplaced(isIdle: boolean): void;
  onHandshakeEnd(outcome: HandshakeOutcome): void;
  /** What we have ended of HTTP/2 because of an error: a stream, or a whole connection. */
  onHttp2Error(scope: Http2Scope, code: ErrorCode): void;
  onExchangeStart(): void;
  onExchangeEnd(exchange: Exchange): void;
  /** As with exchanges, its fields are valid until this returns. */
  onPassthroughEnd(passthrough: Passthrough): void;
}

export class ProxyContext implements UpstreamContext {
  readonly transport: Transport;
  readonly timers: TimerWheel;
  readonly limits: ParserLimits;
  readonly observer: ProxyObserver;
  /** Peers whose word about where a request comes from is taken. */
  readonly trustedProxies: IpRanges;
  /** Peers whose connections begin with a PROXY protocol header. */
  readonly proxyProtocolPeers: IpRanges;
  /** A request body that comes slower, on average, is given up; 0: none is too slow. */
  bodyBytesPerSecond = 0;
  /** Where clients reach us with TLS. */
  publicHttpsPort = 443;
  /** Streams that a client of HTTP/2 may have open at a time. */
  concurrentStreams = defaultConcurrentStreams;
  /** Of rules that allow only so many. */
  concurrentRequests = new ConcurrentRequests(1);
  readonly headWriter = new HeadWriter();
  /** Those that are open, of any connection. */
  readonly tunnels = new Set<Tunnel>();
  readonly #exchanges: Exchange[] = [];
  #serverReading: ServerReading | undefined = undefined;
  /** Undefined until the first complete table; replaced by assignment, never changed. */
  table: ServingTable | undefined = undefined;
  /** The process is about to end. */
  isDraining = false;
  /** Clients wait for room, and nobody is idle. */
  isCrowded = false;
  /** Exchanges that are under way. */
  activeExchanges = 0;
  /** In shared memory: a plain read, which costs no more than that of a field. */
  memoryWord: Int32Array = new Int32Array(1);

  constructor(
    transport: Transport,
    timers: TimerWheel,
    limits: ParserLimits,
    observer: ProxyObserver,
    trustedProxies: IpRanges,
    proxyProtocolPeers: IpRanges,
  ) {
    this.transport = transport;
    this.timers = timers;
    this.limits = limits;
    this.observer = observer;
    this.trustedProxies = trustedProxies;
    this.proxyProtocolPeers = proxyProtocolPeers;
  }

  get memoryLevel(): MemoryLevel {
    return this.memoryWord[0]! as MemoryLevel;
  }

  /** Every response now says that the connection ends with it. */
  get endsConnections(): boolean {
    return this.isDraining || this.isCrowded || this.memoryWord[0]! >= MemoryLevel.Ending;
  }

  /**
   * Memory is too short for the request that has just begun. One at a time is always served: a process that holds much
   * without any request would never get out of it.
   */
  get isOverloaded(): boolean {
    return this.memoryWord[0]! >= MemoryLevel.Refusing && this.activeExchanges > 1;
  }

  /** A connection without a request holds no exchange: 2 KB less for each that is idle. */
  takeExchange(downstream: Downstream): Exchange {
    this.activeExchanges++;
    const exchange = this.#exchanges.pop();
    if (exchange === undefined) return new Exchange(this, downstream);
    exchange.downstream = downstream;
    return exchange;
  }

  /** What connections of HTTP/2 share; made when the first one comes. */
  get serverReading(): ServerReading {
    const { limits, concurrentStreams } = this;
    return (this.#serverReading ??= new ServerReading({ ...limits, concurrentStreams }));
  }

  /** It has ended; nobody holds it any more. */
  giveExchange(exchange: Exchange): void {
    this.activeExchanges--;
    exchange.rest();
    if (this.#exchanges.length < mostFreeExchanges) this.#exchanges.push(exchange);
  }

  now(): number {
    return clock.now();
  }
}
