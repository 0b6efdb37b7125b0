// The listeners of one worker and the connections they accepted.
import { clock } from '#transport/clock.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import type { Listener, ListenOptions, Socket, SocketEvents } from '#transport/transport.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import { PlainGreeting } from './plain-greeting.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ServingTable } from './serving-table.ts';
import { TlsGreeting } from './tls-greeting.ts';

const searchPauseMs = 100;
/** At the end of a drain, for peers of WebSockets to hear and confirm it; at most this share of the grace period. */
const farewellMs = 1000;
const farewellShare = 0.25;

type Accepted = OpenConnection & SocketEvents;

export class ProxyServer implements ConnectionOwner {
  readonly #context: ProxyContext;
  readonly #connections = new Set<OpenConnection>();
  readonly #listeners: Listener[] = [];
  readonly #maxConnections: number;
  #searchAgainMs = 0;
  #onEmpty: (() => void) | undefined = undefined;

  /** `maxConnections`: at that many, those that have been idle longest make way for new ones. */
  constructor(context: ProxyContext, maxConnections = Infinity) {
    this.#context = context;
    this.#maxConnections = maxConnections;
  }

  get connections(): number {
    return this.#connections.size;
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
    const listener = await transport.listen(options, (socket) => this.#accept(socket, begin));
    this.#listeners.push(listener);
    return listener.port;
  }

  /**
   * Neither runtime can be kept from accepting, and a listener that is closed and opened again would reset whoever waits
   * at it: so what does not fit is accepted and ended.
   */
  #accept(socket: Socket, begin: (socket: Socket) => Accepted): Accepted | undefined {
    const nowMs = this.#context.now();
    if (this.#connections.size >= this.#maxConnections && nowMs >= this.#searchAgainMs) this.#endIdle(nowMs);
    if (this.#connections.size >= this.#maxConnections) {
      this.#context.observer.onConnectionRefused();
      socket.reset();
      return undefined;
    }
    const connection = begin(socket);
    this.#connections.add(connection);
    this.#context.observer.onConnectionOpen();
    return connection;
  }

  /** Several at once: a flood must not cost a search for each of its connections. */
  #endIdle(nowMs: number): void {
    const idle = [...this.#connections].filter((connection) => connection.isIdle);
    // Where nobody is idle a flood must not cost a search for each of its connections either.
    if (idle.length === 0) this.#searchAgainMs = nowMs + searchPauseMs;
    idle.sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    for (const connection of idle.slice(0, Math.ceil(this.#maxConnections / 64))) {
      // It counts no longer, although its end is told later.
      this.#connections.delete(connection);
      connection.destroy();
    }
  }

  onConnectionReplaced(before: OpenConnection, after: OpenConnection): void {
    // One that made way has been counted out, and is ended already.
    if (this.#connections.delete(before)) this.#connections.add(after);
    if (this.#context.isDraining) after.announceEnd();
  }

  onConnectionClosed(connection: OpenConnection): void {
    this.#connections.delete(connection);
    this.#context.observer.onConnectionClose();
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  /**
   * Accepts no more, ends every connection with its next response, those that stay silent for `patienceMs` after that
   * time, WebSockets with a word shortly before `graceMs` are over, and whatever is left then the hard way. Resolves when
   * none is left.
   */
  async drain(patienceMs: number, graceMs: number): Promise<void> {
    this.#context.isDraining = true;
    for (const listener of this.#listeners.splice(0)) listener.close();
    for (const connection of this.#connections) connection.announceEnd();
    if (this.#connections.size === 0) return;
    const impatient = setTimeout(() => {
      clock.forget();
      for (const connection of this.#connections) connection.closeWaiting();
    }, patienceMs);
    const farewell = setTimeout(
      () => {
        clock.forget();
        for (const tunnel of this.#context.tunnels) tunnel.leave();
      },
      graceMs - Math.min(farewellMs, graceMs * farewellShare),
    );
    const merciless = setTimeout(() => {
      clock.forget();
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    clearTimeout(impatient);
    clearTimeout(farewell);
    clearTimeout(merciless);
  }
}
