// One endpoint of an upstream: the requests it is serving, the idle connections to it, and what is held against it.
import { endpointKey, endpointText } from '#model/route-model.ts';
import type { Endpoint as EndpointModel, Upstream } from '#model/route-model.ts';
import { Http2Pool } from './http2-pool.ts';
import type { Http2UpstreamConnection } from './http2-upstream-connection.ts';
import { Outlier } from './outlier.ts';
import { hashText } from '#model/rendezvous.ts';
import type { Connector } from './secure-connector.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** More idle connections than this per endpoint and worker save nothing. */
const maxIdleConnections = 1024;

// A request that must not be sent twice must not meet a close on its way. Backends close idle connections after a time
// of their own, which shows: a connection that is alive after twice as long as another has been idle vouches for it.

/** However long connections are kept, one that was used this recently is asked for. */
const justUsedMs = 500;
/** Alive for less than this proves nothing: a close may be on its way. */
const leastKeptMs = 20;
/** An endpoint that closes without a word this soon after a response ... */
const closedEarlyMs = 1000;
/** ... is not trusted again for this long. */
const distrustMs = 10_000;

/** The upstream that it belongs to. */
export interface EndpointHome {
  activeRequests: number;
  /** A request has ended, or a connection: there may be room. */
  onLeave(): void;
  /** It has failed, or answered with a failure: it may have to be left alone. */
  judge(endpoint: Endpoint): void;
  /** One more connection is about to be made. */
  makeRoom(endpoint: Endpoint): void;
}

/** Of one that is asked by itself, whatever others do. */
export function loneHome(): EndpointHome {
  return { activeRequests: 0, onLeave: () => {}, judge: () => {}, makeRoom: () => {} };
}

export class Endpoint {
  readonly address: string;
  readonly port: number;
  state: EndpointModel['state'];
  /** What is spoken with it. */
  readonly protocol: Upstream['protocol'];
  /** Undefined: connections to it are in the clear. */
  readonly connector: Connector | undefined;
  activeRequests = 0;
  /** Another one for every address and port: what it is found again by. */
  readonly seed: number;
  /** Since when it takes requests; -Infinity: always. */
  readonly sinceMs: number;
  /** Checks say that it does not serve. */
  isUnwell = false;
  readonly outlier = new Outlier();
  readonly #home: EndpointHome;
  /** The model no longer has it: requests under way end in peace, nothing new begins. */
  isRetired = false;
  /** Made when the first one comes: most endpoints of most upstreams are quiet. */
  #idle: UpstreamConnection[] | undefined = undefined;
  #http2: Http2Pool | undefined = undefined;
  /** The longest that a connection was seen idle and open. */
  #keptMs = 0;
  #distrustedUntilMs = 0;

  constructor(
    home: EndpointHome,
    model: EndpointModel,
    protocol: Upstream['protocol'],
    connector: Connector | undefined,
    sinceMs: number,
  ) {
    this.#home = home;
    this.sinceMs = sinceMs;
    this.seed = hashText(endpointKey(model));
    this.address = model.address;
    this.port = model.port;
    this.state = model.state;
    this.protocol = protocol;
    this.connector = connector;
  }

  /** For logs. */
  get text(): string {
    return endpointText(this);
  }

  /** A request begins here. */
  enter(): void {
    this.activeRequests++;
    this.#home.activeRequests++;
  }

  /** It has ended, whichever way. */
  leave(): void {
    this.activeRequests--;
    this.#home.activeRequests--;
    this.#home.onLeave();
  }

  /** It has answered, or a request was given up that it should have answered by now: as a 504. */
  onAnswer(status: number): void {
    if (status < 500 && this.outlier.isBlameless) return;
    this.outlier.onAnswer(status);
    if (status >= 500) this.#home.judge(this);
  }

  /** It could not be reached, or broke off before it answered. */
  onConnectFailure(): void {
    this.outlier.onConnectFailure();
    this.#home.judge(this);
  }

  makeRoom(): void {
    this.#home.makeRoom(this);
  }

  /** Whether one more request would take a connection for itself that is not there, or is idle now. */
  get needsConnection(): boolean {
    return this.protocol === 'HTTP/1.1' || this.#http2?.hasRoom !== true;
  }

  get busyConnections(): number {
    return this.protocol === 'HTTP/1.1' ? this.activeRequests : (this.#http2?.size ?? 0);
  }

  get connections(): number {
    return this.busyConnections + this.idleConnections;
  }

  get idleConnections(): number {
    return this.#idle?.length ?? 0;
  }

  /** The idle connection that was used longest ago. */
  dropIdle(): void {
    this.#idle?.shift()?.destroy();
  }

  /** It has connections, or requests under way. */
  get isBusy(): boolean {
    return (
      this.activeRequests > 0 ||
      (this.#idle !== undefined && this.#idle.length > 0) ||
      this.#http2?.isBusy === true
    );
  }

  /** Made when the first request comes. */
  get http2(): Http2Pool {
    return (this.#http2 ??= new Http2Pool());
  }

  /** A connection of HTTP/2 that is closed. */
  forgetHttp2(connection: Http2UpstreamConnection): void {
    this.#http2?.forget(connection);
    // Whoever waits may make another one in its place.
    this.#home.onLeave();
  }

  /** The connection used last: the one least likely to be closed by the backend just now. */
  takeIdle(): UpstreamConnection | undefined {
    this.#passOverEnded();
    return this.#idle?.pop();
  }

  /** They close by themselves in this very turn. */
  #passOverEnded(): void {
    while (this.#idle?.at(-1)?.isEnding === true) this.#idle.pop();
  }

  /**
   * For a request that must not be sent twice: a connection that this endpoint is known to keep. Before that is known
   * such requests go over fresh connections, which then are what it is learnt from. `settledMs`: closes from before are known;
   * one from after it may not have been read yet, where this thread got no time for a while.
   */
  takeTrusted(nowMs: number, settledMs: number): UpstreamConnection | undefined {
    this.#passOverEnded();
    const oldest = this.#idle?.[0];
    const youngest = this.#idle?.at(-1);
    if (oldest === undefined || youngest === undefined || nowMs < this.#distrustedUntilMs) return undefined;
    this.#keptMs = Math.max(this.#keptMs, settledMs - oldest.idleSinceMs);
    if (this.#keptMs < leastKeptMs) return undefined;
    const isVouchedFor = nowMs - youngest.idleSinceMs <= Math.min(justUsedMs, this.#keptMs / 2);
    return isVouchedFor ? this.#idle?.pop() : undefined;
  }

  /** It has closed a connection of the pool, `idleMs` after the last response on it. */
  onClosedIdle(idleMs: number, nowMs: number): void {
    if (idleMs >= closedEarlyMs) return;
    this.#keptMs = 0;
    this.#distrustedUntilMs = nowMs + distrustMs;
  }

  /** False when the pool has no room for it. */
  offerIdle(connection: UpstreamConnection): boolean {
    const idle = (this.#idle ??= []);
    if (this.isRetired || idle.length >= maxIdleConnections) return false;
    idle.push(connection);
    return true;
  }

  /** An idle connection that closed by itself. */
  forgetIdle(connection: UpstreamConnection): void {
    const at = this.#idle?.indexOf(connection) ?? -1;
    if (at >= 0) this.#idle?.splice(at, 1);
  }

  retire(): void {
    this.isRetired = true;
    for (const connection of this.#idle?.splice(0) ?? []) connection.destroy();
    this.#http2?.retire();
  }
}
