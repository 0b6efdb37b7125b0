// An accepted connection in the clear until its first bytes say what is spoken on it.
//
//   [PROXY header] --> first bytes --> HTTP/1: ClientConnection
//        |                  \-- the preface of HTTP/2: Http2Connection
//        \-- none, although the peer is one that sends it: 400, by a ClientConnection
import { connectionPreface } from '#h2/frame.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';
import { ClientConnection } from './client-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import { Peer } from './peer.ts';
import type { ProxyContext } from './proxy-context.ts';

/** No method of HTTP/1 begins like this (RFC 9113 3.3). */
const prefaceStartBytes = 'PRI '.length;
const nothing = Buffer.alloc(0);

export class PlainGreeting implements SocketEvents, TimerOwner, OpenConnection {
  readonly idleSinceMs: number;
  /** A few, too few to count. */
  readonly heldBytes = 0;
  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #timer: Timer;
  /** First bytes that are too few to tell. */
  #opening: Buffer = nothing;

  constructor(context: ProxyContext, owner: ConnectionOwner, socket: Socket) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
    this.#peer = new Peer(context, socket.remoteAddress, 'http');
    this.#timer = new Timer(this);
    this.idleSinceMs = context.now();
    const timeoutMs = context.table?.settings.headTimeoutMs ?? 0;
    if (timeoutMs > 0) context.timers.set(this.#timer, timeoutMs);
  }

  get isIdle(): boolean {
    return this.#opening.length === 0;
  }

  onBytes(bytes: Buffer): void {
    if (!this.#peer.isUnknown) {
      this.#open(bytes);
      return;
    }
    const rest = this.#peer.introduce(this.#context, bytes);
    if (rest === undefined) this.#becomeHttp1().refuse('proxy-header-invalid');
    else if (this.#peer.isUnknown || !this.#owner.onConnectionIntroduced(this, this.#peer.address)) return;
    else if (rest.length > 0) this.#open(rest);
  }

  #open(more: Buffer): void {
    const bytes = this.#opening.length === 0 ? more : Buffer.concat([this.#opening, more]);
    const length = Math.min(bytes.length, prefaceStartBytes);
    if (bytes.compare(connectionPreface, 0, length, 0, length) !== 0) {
      this.#opening = nothing;
      this.#becomeHttp1().onBytes(bytes);
    } else if (length < prefaceStartBytes) this.#opening = Buffer.from(bytes);
    else {
      this.#context.timers.clear(this.#timer);
      const connection = new Http2Connection(this.#context, this.#owner, this.#socket, this.#peer);
      this.#become(connection);
      connection.onBytes(bytes);
    }
  }

  #becomeHttp1(): ClientConnection {
    // The time for its first head runs from the start: a second timer would cost every connection.
    const connection = new ClientConnection(
      this.#context,
      this.#owner,
      this.#socket,
      this.#peer,
      this.#timer,
    );
    this.#become(connection);
    if (this.#opening.length > 0) connection.onBytes(this.#opening);
    return connection;
  }

  #become(connection: OpenConnection & SocketEvents): void {
    this.#socket.events = connection;
    this.#owner.onConnectionReplaced(this, connection);
  }

  onDrain(): void {}

  // Whatever has to be said now is said as HTTP/1 has it.

  onEnd(): void {
    this.#becomeHttp1().onEnd();
  }

  onTimer(): void {
    this.#becomeHttp1().onTimer();
  }

  announceEnd(): void {}

  closeWaiting(): void {
    this.#becomeHttp1().closeWaiting();
  }

  onClose(): void {
    this.#context.timers.clear(this.#timer);
    this.#owner.onConnectionClosed(this);
  }

  shed(): void {}

  destroy(): void {
    this.#socket.destroy();
  }
}
