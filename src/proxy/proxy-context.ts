// What all connections of one worker share.
import { HeadWriter } from '#h1/head-writer.ts';
import type { IpRanges } from '#http/ip-ranges.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import type { TimerWheel } from '#transport/timer-wheel.ts';
import type { Transport } from '#transport/transport.ts';
import type { UpstreamContext } from '#upstream/upstream-connection.ts';
import type { Exchange } from './exchange.ts';
import type { ServingTable } from './serving-table.ts';

/** Where logs and counters hang. The fields of an exchange are valid until onExchangeEnd returns. */
export interface ProxyObserver {
  onConnectionOpen(): void;
  onConnectionClose(): void;
  onExchangeStart(): void;
  onExchangeEnd(exchange: Exchange): void;
}

export class ProxyContext implements UpstreamContext {
  readonly transport: Transport;
  readonly timers: TimerWheel;
  readonly limits: ParserLimits;
  readonly observer: ProxyObserver;
  /** Peers whose word about where a request comes from is taken. */
  readonly trustedProxies: IpRanges;
  readonly headWriter = new HeadWriter();
  /** Undefined until the first complete table; replaced by assignment, never changed. */
  table: ServingTable | undefined = undefined;
  /** Every response now says that the connection ends with it. */
  isDraining = false;

  constructor(
    transport: Transport,
    timers: TimerWheel,
    limits: ParserLimits,
    observer: ProxyObserver,
    trustedProxies: IpRanges,
  ) {
    this.transport = transport;
    this.timers = timers;
    this.limits = limits;
    this.observer = observer;
    this.trustedProxies = trustedProxies;
  }

  now(): number {
    return performance.now();
  }
}
