// The transport on Bun's own sockets: the same contract as Node's, at a lower cost.
//
// A write says how much the system took; the rest waits here until `drain`. A socket that has sent its FIN and seen the
// peer's closes by itself.
import { clock } from './clock.ts';
import type { ConnectEvents, Listener, ListenOptions, Socket, SocketEvents, Transport } from './transport.ts';

/** What is used of a socket of Bun's. */
interface RawSocket {
  data: BunSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Bytes taken; below zero when the socket is closed. */
  write(bytes: Uint8Array, byteOffset: number, byteLength: number): number;
  pause(): void;
  resume(): void;
  /** Sends FIN. */
  shutdown(): void;
  /** Closes both directions, as close(2) does. */
  end(): void;
  /** Closes with a reset. */
  terminate(): void;
}

interface RawHandlers {
  open(raw: RawSocket): void;
  data(raw: RawSocket, bytes: Buffer): void;
  drain(raw: RawSocket): void;
  end(raw: RawSocket): void;
  close(raw: RawSocket, error: NodeJS.ErrnoException | undefined): void;
  error(raw: RawSocket, error: Error): void;
  connectError(raw: RawSocket, error: NodeJS.ErrnoException): void;
}

declare const Bun: {
  listen(options: {
    readonly hostname: string;
    readonly port: number;
    readonly reusePort: boolean;
    readonly allowHalfOpen: boolean;
    readonly socket: RawHandlers;
  }): { readonly port: number; stop(closeActive: boolean): void };
  connect(options: {
    readonly hostname: string;
    readonly port: number;
    readonly allowHalfOpen: boolean;
    readonly data: BunSocket;
    readonly socket: RawHandlers;
  }): Promise<unknown>;
};

const ipv4Mapped = '::ffff:';

/**
 * Bun cannot give up a connection that is being opened: one that nobody wants any more holds its descriptor until the
 * kernel gives up, two minutes later. So many of them to one address are enough; further ones fail at once.
 */
const maxAbandoned = 32;
const abandonedByAddress = new Map<string, number>();

function countAbandoned(address: string, change: 1 | -1): void {
  const count = (abandonedByAddress.get(address) ?? 0) + change;
  if (count > 0) abandonedByAddress.set(address, count);
  else abandonedByAddress.delete(address);
}

class BunSocket implements Socket {
  readonly remoteAddress: string;
  /** Of a connect; an accepted socket asks the system, which few ever want to know. */
  readonly #connectPort: number;
  pendingBytes = 0;
  readonly isEndComing = false;
  events: SocketEvents | undefined;
  #raw: RawSocket | undefined = undefined;
  readonly #pending: Buffer[] = [];
  #isPaused = false;
  #isEnding = false;
  #isPeerEnded = false;
  #isClosed = false;
  #needsReset = false;
  /** Closed while it was being opened. */
  #isAbandoned = false;

  constructor(remoteAddress: string, connectPort: number, events: SocketEvents | undefined) {
    this.remoteAddress = remoteAddress;
    this.#connectPort = connectPort;
    this.events = events;
  }

  get remotePort(): number {
    return this.#connectPort > 0 ? this.#connectPort : (this.#raw?.remotePort ?? 0);
  }

  get localPort(): number {
    return this.#raw?.localPort ?? 0;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    const from = this.#writeNow(bytes, start, end);
    if (from < end) this.#keep(bytes.subarray(from, end));
    return from === end;
  }

  writeCopy(bytes: Buffer, start: number, end: number): boolean {
    const from = this.#writeNow(bytes, start, end);
    if (from < end) this.#keep(Buffer.from(bytes.subarray(from, end)));
    return from === end;
  }

  /** The position of the first byte that the system has not taken; `end` also when nobody will ever take any. */
  #writeNow(bytes: Buffer, start: number, end: number): number {
    if (this.#isClosed || this.#isEnding) return end;
    if (this.pendingBytes > 0 || this.#raw === undefined) return start;
    return start + Math.max(0, this.#raw.write(bytes, start, end - start));
  }

  #keep(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.pendingBytes += bytes.length;
  }

  pause(): void {
    this.#isPaused = true;
    this.#raw?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#raw?.resume();
  }

  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    if (this.pendingBytes === 0) this.#raw?.shutdown();
  }

  destroy(): void {
    this.#close(false);
  }

  reset(): void {
    this.#close(true);
  }

  onOpen(raw: RawSocket): void {
    clock.forget();
    if (this.#isClosed) {
      this.#settleAbandoned();
      if (this.#needsReset) raw.terminate();
      else raw.end();
      return;
    }
    this.#raw = raw;
    // TCP_NODELAY is Bun's own default.
    if (this.#isPaused) raw.pause();
  }

  /** After a connect: what was written before it opened leaves now. */
  onConnected(): void {
    if (this.#isClosed) return;
    (this.events as ConnectEvents).onConnect();
    if (this.pendingBytes > 0) this.onWritable();
    else if (this.#isEnding) this.#raw?.shutdown();
  }

  onData(bytes: Buffer): void {
    clock.forget();
    // A reset makes Bun read what is left, paused or not: the connection is broken, and nobody wants it.
    if (!this.#isClosed && !this.#isPaused) this.events?.onBytes(bytes);
  }

  /** Also called by Bun when there is nothing to do. */
  onWritable(): void {
    clock.forget();
    if (this.#isClosed || this.#raw === undefined || this.pendingBytes === 0) return;
    while (this.pendingBytes > 0) {
      const bytes = this.#pending[0]!;
      const taken = Math.max(0, this.#raw.write(bytes, 0, bytes.length));
      this.pendingBytes -= taken;
      if (taken < bytes.length) {
        this.#pending[0] = bytes.subarray(taken);
        return;
      }
      this.#pending.shift();
    }
    if (this.#isEnding) this.#raw.shutdown();
    this.events?.onDrain();
  }

  onFin(): void {
    clock.forget();
    if (this.#isClosed || this.#isPeerEnded) return;
    this.#isPeerEnded = true;
    this.events?.onEnd();
  }

  /** The runtime says that it is over. */
  onClosed(code: string | undefined): void {
    clock.forget();
    this.#settleAbandoned();
    // The FIN that answers ours is not told apart from the close that it brings.
    if (this.#isEnding && code === undefined) this.onFin();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forget();
    this.events?.onClose(code);
  }

  onConnectError(code: string | undefined): void {
    queueMicrotask(() => this.onClosed(code ?? 'ECONNREFUSED'));
  }

  #settleAbandoned(): void {
    if (this.#isAbandoned) countAbandoned(this.#address, -1);
    this.#isAbandoned = false;
  }

  get #address(): string {
    return `${this.remoteAddress} ${this.remotePort}`;
  }

  #close(withReset: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#needsReset = withReset;
    const raw = this.#raw;
    if (raw === undefined) {
      this.#isAbandoned = true;
      countAbandoned(this.#address, 1);
    }
    this.#forget();
    if (withReset) raw?.terminate();
    else raw?.end();
    // Never within the call that asked for it, as everywhere else.
    queueMicrotask(() => {
      clock.forget();
      this.events?.onClose(undefined);
    });
  }

  #forget(): void {
    this.#raw = undefined;
    this.#pending.length = 0;
    this.pendingBytes = 0;
  }
}

// One set of handlers for all sockets of a kind; each socket carries its owner in `data`.

const shared = {
  data: (raw: RawSocket, bytes: Buffer): void => raw.data.onData(bytes),
  drain: (raw: RawSocket): void => raw.data.onWritable(),
  end: (raw: RawSocket): void => raw.data.onFin(),
  close: (raw: RawSocket, error: NodeJS.ErrnoException | undefined): void => raw.data.onClosed(error?.code),
  // `close` follows, and says the same.
  error: (): void => {},
  // Some failures, such as the want of a descriptor, are told within the very call that asked for a connection.
  connectError: (raw: RawSocket, error: NodeJS.ErrnoException): void => raw.data.onConnectError(error.code),
};

const connecting: RawHandlers = {
  ...shared,
  open: (raw) => {
    raw.data.onOpen(raw);
    raw.data.onConnected();
  },
};

class BunListener implements Listener {
  readonly port: number;
  /** Closing it and opening it again would reset whoever waits in its queue. */
  readonly canPause = false;
  readonly #stop: () => void;

  constructor(port: number, stop: () => void) {
    this.port = port;
    this.#stop = stop;
  }

  pauseAccepting(): void {}

  resumeAccepting(): void {}

  turnAway(): boolean {
    return false;
  }

  close(): void {
    this.#stop();
  }
}

export const bunTransport: Transport = {
  leftovers: undefined,
  canReusePort: process.platform === 'linux',
  canTurnAway: false,

  async listen({ host, port, reusePort }: ListenOptions, onConnection): Promise<Listener> {
    const listener = Bun.listen({
      hostname: host,
      port,
      reusePort,
      allowHalfOpen: true,
      socket: {
        ...shared,
        open: (raw) => {
          const address = raw.remoteAddress;
          const socket = new BunSocket(
            address.startsWith(ipv4Mapped) ? address.slice(ipv4Mapped.length) : address,
            0,
            undefined,
          );
          raw.data = socket;
          socket.onOpen(raw);
          socket.events = onConnection(socket);
        },
      },
    });
    return Promise.resolve(new BunListener(listener.port, () => listener.stop(false)));
  },

  connect(address, port, events): Socket {
    const socket = new BunSocket(address, port, events);
    if ((abandonedByAddress.get(`${address} ${port}`) ?? 0) >= maxAbandoned) {
      setImmediate(() => socket.onClosed('ETIMEDOUT'));
      return socket;
    }
    const options = { hostname: address, port, allowHalfOpen: true, data: socket, socket: connecting };
    Bun.connect(options).catch((error: NodeJS.ErrnoException) => socket.onConnectError(error.code));
    return socket;
  },

  afterTurn: (action) => setImmediate(action),
};
