// TLS on sockets that were accepted in the clear: whoever reads the first bytes knows which certificate they ask for.
import type { ListenOptions, Listener, OnConnection, Socket, SocketEvents } from './transport.ts';

export interface KeyPair {
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
}

export interface TlsContextOptions {
  /** Of different kinds of keys: the client's algorithms decide. */
  readonly pairs: readonly KeyPair[];
  /** The lowest that is spoken. */
  readonly minVersion: '1.2' | '1.3';
  /** Sessions are resumed within one such text, of 32 bytes at most, and never beyond. */
  readonly sessionScope: string;
  /** 48 bytes, the same in all threads, so that a session of one is resumed by another, where the runtime allows it. */
  readonly ticketKeys: Buffer;
}

declare const tlsContext: unique symbol;

/** What a runtime has made of pairs: expensive to make, and shared by connections. */
export interface TlsContext {
  readonly [tlsContext]: true;
}

export interface SecureEvents extends SocketEvents {
  /** The handshake is over; the first event unless the connection broke before. */
  onSecured(): void;
}

export interface SecureTransport {
  readonly canReusePort: boolean;
  listen(options: ListenOptions, onConnection: OnConnection): Promise<Listener>;
  /** Throws for pairs that are none. */
  createContext(options: TlsContextOptions): TlsContext;
  /**
   * Ends TLS on a socket of this transport, which gives no more events; `bytes` are all that have come of it, and
   * `protocols` what is spoken here, the preferred one first (RFC 7301). A handshake that fails is told by onClose.
   */
  secure(
    socket: Socket,
    bytes: Buffer,
    context: TlsContext,
    protocols: readonly string[],
    events: SecureEvents,
  ): Socket;
}
