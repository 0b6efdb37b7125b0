// Sockets behind one narrow interface, so that the same proxy runs on any runtime.
//
// What onBytes delivers is valid until the event returns; whoever keeps it copies it. It may be written to another socket
// of the same transport, which knows what it has to copy: so a chunk goes from one socket to another without one. What
// write takes is otherwise never changed by the caller.

export interface Socket {
  /** Without the ::ffff: of an IPv4 address on a dual-stack socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Who hears of it: may become somebody else while it is open. */
  events: SocketEvents | undefined;
  /** Bytes that were written and that the system has not taken yet. */
  readonly pendingBytes: number;
  /**
   * The peer's end, or a break, lies behind the bytes that are being told, or the connection is over and nobody has been told
   * yet. False also where the system is not asked: then it shows only when it is told.
   */
  readonly isEndComing: boolean;
  /**
   * Sends `bytes[start, end)`. False: more than the high-water mark is waiting, and onDrain will follow. All bytes are
   * taken either way.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** As write, for bytes that stay the caller's: what the system does not take at once is copied. */
  writeCopy(bytes: Buffer, start: number, end: number): boolean;
  /** After pause no onBytes is delivered until resume. */
  pause(): void;
  resume(): void;
  /** Sends FIN after everything written so far; reading goes on. */
  end(): void;
  /** Ends both directions at once; onClose follows, nothing else does. */
  destroy(): void;
  /** As destroy, with a reset: the peer cannot take what it has read for everything. */
  reset(): void;
}

export interface SocketEvents {
  onBytes(bytes: Buffer): void;
  /** Everything written has left; comes only after a write that returned false. */
  onDrain(): void;
  /** The peer sent FIN. Writing is still possible. */
  onEnd(): void;
  /** The last event. `code` is the system's, such as ECONNRESET, when the connection broke. */
  onClose(code: string | undefined): void;
}

export interface ConnectEvents extends SocketEvents {
  /** `protocol`: what was agreed on by ALPN; empty, or absent without TLS: nothing was. */
  onConnect(protocol?: string): void;
}

export interface Listener {
  /** The port that was bound, for a request of port 0. */
  readonly port: number;
  /** Whether it can leave clients in the queue of the kernel; where it cannot, the next two do nothing. */
  readonly canPause: boolean;
  /** Clients wait, and none is told to onConnection, until resumeAccepting. */
  pauseAccepting(): void;
  resumeAccepting(): void;
  /**
   * From here on nobody begins to connect, and the system says nothing: clients ask again a second later, and whoever
   * listens on the port then has them. A close would reset those who are halfway in: after a while there are none.
   * False: it could not be done.
   */
  turnAway(): boolean;
  /** Accepts no more; open connections are untouched. */
  close(): void;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Several threads listen on the port, and the kernel spreads connections over them. */
  readonly reusePort: boolean;
}

/** Undefined: nobody wants the connection; the socket has been destroyed. */
export type OnConnection = (socket: Socket) => SocketEvents | undefined;

/** What a thread leaves open when it is ended from outside, and another one has to close. */
export interface Leftovers {
  newMemory(): SharedArrayBuffer;
  /** In the thread itself: from here on `memory` says what it holds. */
  note(memory: SharedArrayBuffer): void;
  /** In another thread, when that one has ended. */
  close(memory: SharedArrayBuffer): void;
}

export interface Transport {
  /** Whether several threads may listen on one port here. */
  readonly canReusePort: boolean;
  /** Whether its listeners can turn clients away. */
  readonly canTurnAway: boolean;
  /** Undefined: the runtime closes everything by itself. */
  readonly leftovers: Leftovers | undefined;
  /** Rejects with the system's error when the address cannot be bound. */
  listen(options: ListenOptions, onConnection: OnConnection): Promise<Listener>;
  /** Starts to connect; onConnect or onClose follows. */
  connect(address: string, port: number, events: ConnectEvents): Socket;
  /** Runs after all events that are ready now: what they have to say to one socket can leave in one write. */
  afterTurn(action: () => void): void;
}
