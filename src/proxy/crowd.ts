// The connections of a worker by client, and who makes way when there is no room for another one.
//
//   idle:  of the client that has most, the one that has been idle longest; then of whoever has most without it
//   none:  from then on responses end their connections, so that those who wait get their turn
//   busy:  after a second of that, of a client that has more than half of all, the oldest, for another client
//
// A search goes through all connections. It finds many that may go, and one that finds few is not repeated for a while: a
// flood costs no search for each of its connections.
import { ClientShare, clientKey } from './client-share.ts';
import type { OpenConnection } from './open-connection.ts';
import type { Refusal } from './connection-words.ts';
import type { ProxyContext } from './proxy-context.ts';

const searchPauseMs = 100;
/** Who has only just come, or been answered, may be about to ask. */
const leastIdleMs = 100;
/** How long nobody has to be idle before connections that are in use are ended. */
const patienceMs = 1000;
/** So many of the connections that there may be are found by one search. */
const batchShare = 1 / 64;

export class Crowd {
  readonly #context: ProxyContext;
  readonly #connections = new Map<OpenConnection, ClientShare>();
  readonly #shares = new Map<string, ClientShare>();
  readonly #most: number;
  readonly #batch: number;
  #searchedMs = -Infinity;
  /** The last search has found as many as it looks for. */
  #hasFoundMany = false;
  /** What the last search has found, whoever goes first last. */
  #idle: OpenConnection[] = [];
  #busy: OpenConnection[] = [];
  /** Of it the busy ones are; undefined: no client has more than half. */
  #largest: ClientShare | undefined = undefined;
  /** Since when it has been full and nobody idle; Infinity: that is not so. */
  #stuckMs = Infinity;

  /** `most`: at that many there is no room. */
  constructor(context: ProxyContext, most: number) {
    this.#context = context;
    this.#most = most;
    this.#batch = Math.max(1, Math.ceil(most * batchShare));
  }

  get size(): number {
    return this.#connections.size;
  }

  get isFull(): boolean {
    return this.#connections.size >= this.#most;
  }

  get connections(): Iterable<OpenConnection> {
    return this.#connections.keys();
  }

  // Who is here

  /** Of a peer; it is remembered as soon as it has a connection. */
  shareOf(address: string): ClientShare {
    const key = clientKey(address);
    return this.#shares.get(key) ?? ClientShare.ofPeer(key, address, this.#context);
  }

  add(connection: OpenConnection, share: ClientShare): void {
    if (share.count++ === 0) this.#shares.set(share.key, share);
    this.#connections.set(connection, share);
  }

  /** False: it has made way. */
  delete(connection: OpenConnection): boolean {
    const share = this.#connections.get(connection);
    if (share === undefined) return false;
    this.#connections.delete(connection);
    if (--share.count === 0) this.#shares.delete(share.key);
    if (this.#connections.size < this.#most - this.#batch) this.#setStuck(Infinity);
    return true;
  }

  /** It goes on as another one. */
  replace(before: OpenConnection, after: OpenConnection): void {
    const share = this.#connections.get(before);
    if (share === undefined) return;
    this.#connections.delete(before);
    this.#connections.set(after, share);
  }

  /** Its peer has said that it is for `address`. Returns that client's share, this connection included. */
  introduce(connection: OpenConnection, address: string): ClientShare | undefined {
    const share = this.#connections.get(connection);
    if (share?.isIntroducer !== true) return share;
    const key = clientKey(address);
    // A peer may speak for itself: then it stays what it was.
    if (key === share.key) return share;
    const client = this.#shares.get(key) ?? ClientShare.ofNamed(key, address, this.#context);
    this.delete(connection);
    this.add(connection, client);
    return client;
  }

  // Who makes way

  /** Nobody has been idle for a second, and more than half of all are of one client, this one. */
  isHoldingUp(share: ClientShare): boolean {
    return this.#stuckMs !== Infinity && share === this.#largest && this.#isPatienceOver;
  }

  /** Whoever waits for room would wait for that client. */
  get isHeldUp(): boolean {
    return this.#largest !== undefined && this.#isPatienceOver;
  }

  get #isPatienceOver(): boolean {
    return this.#context.now() - this.#stuckMs >= patienceMs;
  }

  /** Somebody is idle: whoever comes next will have room, unless its own client is in the way. */
  hasIdle(): boolean {
    this.#search();
    return this.#firstIdle() !== undefined;
  }

  /** Sees to it that there is room for a connection of `newcomer`, or says why there is none. */
  makeWay(newcomer: ClientShare): Refusal | undefined {
    this.#search();
    if (!this.isFull && !this.isHoldingUp(newcomer)) return undefined;
    const first = this.#firstIdle();
    if (first !== undefined) {
      const holder = this.#connections.get(first)!;
      const isFair = holder === newcomer || ownWeight(newcomer) < holder.weight;
      const leaving = isFair ? this.#idle.pop() : this.#takeIdleOf(newcomer);
      if (leaving === undefined) return 'largest-client';
      this.#end(leaving, true);
      return undefined;
    }
    if (!this.isHeldUp) return 'no-room';
    if (newcomer === this.#largest) return 'largest-client';
    const leaving = this.#takeBusy();
    if (leaving === undefined) return 'no-room';
    this.#end(leaving, false);
    return undefined;
  }

  #end(connection: OpenConnection, isIdle: boolean): void {
    // It counts no longer, although its end is told later.
    this.delete(connection);
    this.#context.observer.onConnectionDisplaced(isIdle);
    connection.destroy();
  }

  /** The one that goes first, still idle; it stays in the list. */
  #firstIdle(): OpenConnection | undefined {
    for (;;) {
      const first = this.#idle.at(-1);
      if (first === undefined || (first.isIdle && this.#connections.has(first))) return first;
      this.#idle.pop();
    }
  }

  #takeIdleOf(share: ClientShare): OpenConnection | undefined {
    const at = this.#idle.findLastIndex(
      (connection) => this.#connections.get(connection) === share && connection.isIdle,
    );
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0];
  }

  #takeBusy(): OpenConnection | undefined {
    for (;;) {
      const oldest = this.#busy.pop();
      if (oldest === undefined || this.#connections.get(oldest) === this.#largest) return oldest;
    }
  }

  #search(): void {
    const nowMs = this.#context.now();
    const isFresh = nowMs - this.#searchedMs < searchPauseMs;
    // Many have come since a search that found many.
    const isUsedUp = this.#idle.length === 0 && this.#hasFoundMany;
    if (isFresh && !isUsedUp) return;
    this.#searchedMs = nowMs;
    this.#searchIdle();
    if (this.#idle.length > 0) this.#setStuck(Infinity);
    else if (this.#stuckMs === Infinity) this.#setStuck(nowMs);
    this.#searchLargest();
  }

  #setStuck(sinceMs: number): void {
    this.#stuckMs = sinceMs;
    this.#context.isCrowded = sinceMs !== Infinity;
  }

  /** In the order in which they would go if after each one it was asked again who has most. */
  #searchIdle(): void {
    const found: { readonly connection: OpenConnection; readonly share: ClientShare; weight: number }[] = [];
    const nowMs = this.#context.now();
    for (const [connection, share] of this.#connections) {
      share.seen = 0;
      const isIdle = connection.isIdle && nowMs - connection.idleSinceMs >= leastIdleMs;
      if (isIdle) found.push({ connection, share, weight: 0 });
    }
    found.sort((a, b) => a.connection.idleSinceMs - b.connection.idleSinceMs);
    for (const each of found) each.weight = Math.max(1, each.share.weight - each.share.seen++);
    // Of equal weight the sort keeps the order.
    found.sort((a, b) => b.weight - a.weight);
    this.#hasFoundMany = found.length >= this.#batch;
    this.#idle = found
      .slice(0, this.#batch)
      .map(({ connection }) => connection)
      .reverse();
  }

  #searchLargest(): void {
    this.#largest = undefined;
    this.#busy = [];
    if (this.#idle.length > 0) return;
    for (const share of this.#shares.values())
      if (!share.isOfMany && share.count * 2 > this.#most) this.#largest = share;
    if (this.#largest === undefined) return;
    for (const [connection, share] of this.#connections) {
      if (share === this.#largest) this.#busy.push(connection);
      if (this.#busy.length === this.#batch) break;
    }
    this.#busy.reverse();
  }
}

/** Without the connection that has come: one of many clients is for a client that has none yet. */
function ownWeight(share: ClientShare): number {
  return share.isOfMany ? 0 : share.count;
}
