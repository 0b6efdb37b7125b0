// The transport on Node's public API, without tricks: the reference that every other one is held to.
import net from 'node:net';
import { clock } from './clock.ts';
import { runtimeTurn } from './runtime-turn.ts';
import type { ConnectEvents, Listener, ListenOptions, Socket, SocketEvents, Transport } from './transport.ts';

const owner = Symbol('owner');

interface OwnedSocket extends net.Socket {
  [owner]?: NodeSocket;
}

const ipv4Mapped = '::ffff:';

export class NodeSocket implements Socket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  events: SocketEvents | undefined = undefined;
  code: string | undefined = undefined;
  readonly #socket: OwnedSocket;
  /** What can be reset; of a socket with TLS the one below it. */
  readonly #plain: net.Socket;
  readonly #isSecure: boolean;

  constructor(socket: OwnedSocket, remoteAddress: string, remotePort: number, plain: net.Socket = socket) {
    this.#socket = socket;
    this.#plain = plain;
    this.#isSecure = plain !== socket;
    this.remoteAddress = remoteAddress.startsWith(ipv4Mapped)
      ? remoteAddress.slice(ipv4Mapped.length)
      : remoteAddress;
    this.remotePort = remotePort;
    this.localPort = plain.localPort ?? 0;
    socket[owner] = this;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  readonly isEndComing = false;

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes for a socket with TLS may lie in the receive buffer of another transport, and a stream that waits keeps them. */
  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isSecure && this.#socket.writableLength > 0) return this.writeCopy(bytes, start, end);
    return this.#send(bytes.subarray(start, end));
  }

  /** What a stream is given it may keep until it is written. */
  writeCopy(bytes: Buffer, start: number, end: number): boolean {
    return this.#send(Buffer.from(bytes.subarray(start, end)));
  }

  #send(bytes: Buffer): boolean {
    const isFlowing = this.#socket.write(bytes);
    if (!isFlowing) runtimeTurn.isWanted = true;
    return isFlowing;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
    runtimeTurn.isWanted = true;
  }

  end(): void {
    this.#socket.end();
    runtimeTurn.isWanted = true;
  }

  destroy(): void {
    this.#socket.destroy();
    runtimeTurn.isWanted = true;
  }

  reset(): void {
    this.#plain.resetAndDestroy();
    if (this.#isSecure) this.#socket.destroy();
    runtimeTurn.isWanted = true;
  }

  /** The socket itself, which is somebody else's now: this one tells nothing more. */
  release(): net.Socket {
    const socket = this.#socket;
    socket.pause();
    delete socket[owner];
    socket.off('data', onData);
    socket.off('drain', onDrain);
    socket.off('end', onEnd);
    socket.off('error', onError);
    socket.off('close', onClose);
    socket.on('error', ignoreError);
    return socket;
  }
}

// Listeners at module level: one function for all sockets instead of six closures for each.

function onData(this: OwnedSocket, bytes: Buffer): void {
  clock.forget();
  if (!this.destroyed) this[owner]?.events?.onBytes(bytes);
}

function onDrain(this: OwnedSocket): void {
  clock.forget();
  if (!this.destroyed) this[owner]?.events?.onDrain();
}

function onEnd(this: OwnedSocket): void {
  clock.forget();
  if (!this.destroyed) this[owner]?.events?.onEnd();
}

function onError(this: OwnedSocket, error: NodeJS.ErrnoException): void {
  const socket = this[owner];
  if (socket !== undefined) socket.code = error.code ?? error.message;
}

function onClose(this: OwnedSocket): void {
  clock.forget();
  const socket = this[owner];
  socket?.events?.onClose(socket.code);
}

function onConnect(this: OwnedSocket): void {
  clock.forget();
  const events = this[owner]?.events;
  if (events !== undefined) (events as ConnectEvents).onConnect();
}

class NodeListener implements Listener {
  readonly port: number;
  /** Closing it and opening it again would reset whoever waits in its queue. */
  readonly canPause = false;
  readonly #server: net.Server;

  constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  pauseAccepting(): void {}

  resumeAccepting(): void {}

  turnAway(): boolean {
    return false;
  }

  close(): void {
    this.#server.close();
  }
}

export const nodeTransport: Transport = {
  leftovers: undefined,
  canReusePort: process.platform === 'linux' || process.platform === 'freebsd',
  canTurnAway: false,

  listen({ host, port, reusePort }: ListenOptions, onConnection): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true });
      server.on('connection', (socket) => {
        clock.forget();
        const { remoteAddress, remotePort } = socket;
        // A peer that is gone before it is accepted has no address.
        if (remoteAddress === undefined) {
          socket.on('error', ignoreError);
          socket.destroy();
          return;
        }
        const accepted = new NodeSocket(socket, remoteAddress, remotePort ?? 0);
        accepted.events = onConnection(accepted);
      });
      server.once('error', reject);
      server.listen({ host, port, reusePort, backlog: 4096 }, () => {
        server.off('error', reject);
        const address = server.address();
        const bound = typeof address === 'object' && address !== null ? address.port : port;
        resolve(new NodeListener(server, bound));
      });
    });
  },

  connect(address, port, events): Socket {
    const socket = net.connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const connecting = new NodeSocket(socket, address, port);
    connecting.events = events;
    socket.on('connect', onConnect);
    return connecting;
  },

  afterTurn: (action) => setImmediate(action),
};

/** Of a connection that is destroyed at once, or whose errors somebody else hears of. */
function ignoreError(): void {}
