// The listeners of one worker and the connections they accepted.
//
//   Open -- full, and nobody is idle --> Paused -- room, somebody idle, one client holds up the rest --> Open
//
// Paused: clients wait in the queue of the kernel. A listener that cannot be kept from accepting goes on, and what does not
// fit is reset: to close it and open it again would reset all who wait at it.
import { clock } from '#transport/clock.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Listener, ListenOptions, Socket, SocketEvents } from '#transport/transport.ts';
import type { ClientShare } from './client-share.ts';
import { Crowd } from './crowd.ts';
import { MemoryLevel } from './memory-level.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import { PlainGreeting } from './plain-greeting.ts';
import type { Refusal } from './connection-words.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ServingTable } from './serving-table.ts';
import { TlsGreeting } from './tls-greeting.ts';

/** How often a worker that has paused looks whether somebody is idle now. */
const lookMs = 100;
/** However short memory is: a process that does not give it back would serve nobody any more. */
const fewestConnections = 16;
/** A connection that has said nothing for so long is not about to. */
const surelyIdleMs = 1000;
/** To end a connection that holds less gains nothing. */
const leastHeldBytes = 16_384;
/** At the end of a drain, for peers of WebSockets to hear and confirm it; at most this share of the grace period. */
const farewellMs = 1000;
const farewellShare = 0.25;

type Accepted = OpenConnection & SocketEvents;

export interface ConnectionLimits {
  /** At that many, others make way for new ones, or clients wait. */
  readonly connections: number;
  readonly connectionsPerClient: number;
}

const unlimited: ConnectionLimits = { connections: Infinity, connectionsPerClient: Infinity };

export class ProxyServer implements ConnectionOwner, TimerOwner {
  readonly #context: ProxyContext;
  readonly #crowd: Crowd;
  readonly #mostPerClient: number;
  readonly #listeners: Listener[] = [];
  readonly #timer = new Timer(this);
  #isPaused = false;
  #onEmpty: (() => void) | undefined = undefined;

  constructor(context: ProxyContext, limits: ConnectionLimits = unlimited) {
    this.#context = context;
    this.#crowd = new Crowd(context, limits.connections);
    this.#mostPerClient = limits.connectionsPerClient;
  }

  get connections(): number {
    return this.#crowd.size;
  }

  /** The one assignment by which a revision becomes visible: requests that begin after it are routed by it. */
  serve(table: ServingTable): void {
    this.#context.table = table;
  }

  /** Resolves to the bound port. Rejects when the address cannot be bound. */
  listen(options: ListenOptions): Promise<number> {
    return this.#listen(
      this.#context.transport,
      options,
      (socket) => new PlainGreeting(this.#context, this, socket),
    );
  }

  /** As listen, for clients that speak TLS. */
  listenSecure(options: ListenOptions, transport: SecureTransport): Promise<number> {
    return this.#listen(
      transport,
      options,
      (socket) => new TlsGreeting(this.#context, this, transport, socket),
    );
  }

  async #listen(
    transport: Pick<SecureTransport, 'listen'>,
    options: ListenOptions,
    begin: (socket: Socket) => Accepted,
  ): Promise<number> {
    let canWait = false;
    const listener = await transport.listen(options, (socket) => this.#accept(socket, begin, canWait));
    canWait = listener.canPause;
    this.#listeners.push(listener);
    if (this.#isPaused) listener.pauseAccepting();
    return listener.port;
  }

  // Accepting

  /** `canWait`: clients of its listener do, once it has been paused. */
  #accept(socket: Socket, begin: (socket: Socket) => Accepted, canWait: boolean): Accepted | undefined {
    const share = this.#crowd.shareOf(socket.remoteAddress);
    const refusal = this.#refusalOf(share);
    // Those who might have made way a moment ago are busy now: one too many, and all others wait.
    const mayExceed = refusal === 'no-room' && canWait && !this.#isPaused && this.#mustWait;
    if (refusal !== undefined && !mayExceed) {
      this.#context.observer.onConnectionRefused(refusal);
      socket.reset();
      return undefined;
    }
    const connection = begin(socket);
    this.#crowd.add(connection, share);
    this.#context.observer.onConnectionOpen();
    if (this.#crowd.isFull) this.#pause();
    return connection;
  }

  #refusalOf(share: ClientShare): Refusal | undefined {
    const isShort = this.#context.memoryLevel >= MemoryLevel.Shedding;
    if (isShort && this.#crowd.size >= fewestConnections) return 'memory';
    if (share.count >= this.#mostPerClient && !share.isOfMany) return 'client-limit';
    // Room that there is at last is for those who have waited behind a client, not for itself.
    const isRoom = !this.#crowd.isFull && !this.#crowd.isHoldingUp(share);
    return isRoom ? undefined : this.#crowd.makeWay(share);
  }

  onConnectionIntroduced(connection: OpenConnection, address: string): boolean {
    const share = this.#crowd.introduce(connection, address);
    if (share === undefined || share.isOfMany || share.count <= this.#mostPerClient) return true;
    this.#context.observer.onConnectionRefused('client-limit');
    connection.destroy();
    return false;
  }

  // Waiting for room

  #pause(): void {
    if (this.#isPaused || this.#context.isDraining || !this.#mustWait) return;
    this.#isPaused = true;
    for (const listener of this.#listeners) listener.pauseAccepting();
    this.#context.timers.set(this.#timer, lookMs);
  }

  /** Nobody would make way, and those who wait do not wait for one client alone. */
  get #mustWait(): boolean {
    return this.#crowd.isFull && !this.#crowd.hasIdle() && !this.#crowd.isHeldUp;
  }

  onTimer(): void {
    if (this.#isPaused && this.#mustWait) this.#context.timers.set(this.#timer, lookMs);
    else this.#resume();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#context.timers.clear(this.#timer);
    for (const listener of this.#listeners) listener.resumeAccepting();
  }

  // Connections

  onConnectionReplaced(before: OpenConnection, after: OpenConnection): void {
    this.#crowd.replace(before, after);
    if (this.#context.isDraining) after.announceEnd();
  }

  onConnectionClosed(connection: OpenConnection): void {
    this.#crowd.delete(connection);
    this.#context.observer.onConnectionClose();
    if (this.#isPaused && !this.#crowd.isFull) this.#resume();
    if (this.#crowd.size === 0) this.#onEmpty?.();
  }

  /** Memory is short. Ends idle connections where the level says so, and those streams that hold most, of `bytes` in all. */
  relieve(bytes: number): void {
    const nowMs = this.#context.now();
    if (this.#context.memoryLevel >= MemoryLevel.Refusing)
      for (const connection of this.#crowd.connections)
        if (connection.isIdle && nowMs - connection.idleSinceMs >= surelyIdleMs) connection.closeWaiting();
    if (bytes <= 0) return;
    const holders = [...this.#crowd.connections]
      .map((connection) => ({ connection, heldBytes: connection.heldBytes }))
      .filter(({ heldBytes }) => heldBytes >= leastHeldBytes)
      .sort((a, b) => b.heldBytes - a.heldBytes);
    let left = bytes;
    for (const { connection, heldBytes } of holders) {
      if (left <= 0) break;
      left -= heldBytes;
      connection.shed(leastHeldBytes);
    }
  }

  /** Before a drain, where others share the port: they get who comes from here on; who is halfway in still gets in. */
  turnAway(): void {
    for (const listener of this.#listeners) listener.turnAway();
  }

  /**
   * Accepts no more, ends every connection with its next response, those that stay silent for `patienceMs` after that
   * time, WebSockets with a word shortly before `graceMs` are over, and whatever is left then the hard way. Resolves when
   * none is left.
   */
  async drain(patienceMs: number, graceMs: number): Promise<void> {
    clock.forget();
    this.#context.isDraining = true;
    this.#context.timers.clear(this.#timer);
    for (const listener of this.#listeners.splice(0)) listener.close();
    for (const connection of this.#crowd.connections) connection.announceEnd();
    if (this.#crowd.size === 0) return;
    const { timers, tunnels } = this.#context;
    const lastMs = Math.min(farewellMs, graceMs * farewellShare);
    const impatient = timerOf(() => {
      for (const connection of this.#crowd.connections) connection.closeWaiting();
    });
    const merciless = timerOf(() => {
      for (const connection of this.#crowd.connections) connection.destroy();
    });
    const farewell = timerOf(() => {
      for (const tunnel of tunnels) tunnel.leave();
      timers.set(merciless, lastMs);
    });
    timers.set(impatient, patienceMs);
    timers.set(farewell, graceMs - lastMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const timer of [impatient, farewell, merciless]) timers.clear(timer);
  }
}

function timerOf(onTimer: () => void): Timer {
  return new Timer({ onTimer });
}
