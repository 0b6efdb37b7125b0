// The transport on Linux's own sockets, under Bun: one receive buffer for all of them, no object of the runtime's for
// any. Beside Bun's sockets it saves a buffer and a copy for every read, a fifth of the cost of an upload.
//
// A connection that is still being opened can be given up, and a listener can stop accepting: Bun's sockets can do neither.
import { lookup } from 'node:dns/promises';
import { addressBytes } from './address.ts';
import { newDescriptorMemory } from './descriptor-ledger.ts';
import { EpollLoop } from './epoll-loop.ts';
import type { PollOwner } from './epoll-loop.ts';
import {
  accept,
  close,
  closeDescriptors,
  closeWithReset,
  dropNewHandshakes,
  errorName,
  foundPeer,
  noteDescriptors,
  openConnection,
  openListener,
  Poll,
  receive,
  send,
  shutdownWrite,
  socketError,
  socketPort,
} from './libc.ts';
import type {
  ConnectEvents,
  Listener,
  ListenOptions,
  OnConnection,
  Socket,
  SocketEvents,
  Transport,
} from './transport.ts';

const backlog = 4096;
/** After there was no descriptor for a connection. */
const spentPauseMs = 100;

const loop = new EpollLoop();

const reading = Poll.In | Poll.PeerEnd;

const State = { Connecting: 0, Open: 1, Closed: 2 } as const;
type State = (typeof State)[keyof typeof State];

export class EpollSocket implements Socket, PollOwner {
  readonly remoteAddress: string;
  readonly remotePort: number;
  pendingBytes = 0;
  isEndComing = false;
  events: SocketEvents | undefined;
  readonly #fd: number;
  readonly #pending: Buffer[] = [];
  #state: State;
  /** What is asked of the loop; -1: it does not look at the descriptor at all. */
  #interest: number;
  #isPaused = false;
  #isEnding = false;
  #hasSentFin = false;
  #isPeerEnded = false;

  constructor(
    fd: number,
    remoteAddress: string,
    remotePort: number,
    state: State,
    events: SocketEvents | undefined,
  ) {
    this.#fd = fd;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.events = events;
    this.#state = state;
    this.#interest = state === State.Connecting ? Poll.Out : reading;
    if (fd >= 0) loop.add(fd, this.#interest, this);
    else this.#close('EMFILE', false);
  }

  get localPort(): number {
    return this.#state === State.Closed ? 0 : socketPort(this.#fd);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#state === State.Closed || this.#isEnding || start === end) return true;
    let from = start;
    if (this.#state === State.Open && this.pendingBytes === 0) from += send(this.#fd, bytes, start, end);
    if (from === end) return true;
    // What came by onBytes lies in the buffer that the next read writes to.
    this.#pending.push(Buffer.from(bytes.subarray(from, end)));
    this.pendingBytes += end - from;
    this.#updateInterest();
    return false;
  }

  writeCopy(bytes: Buffer, start: number, end: number): boolean {
    return this.write(bytes, start, end);
  }

  pause(): void {
    this.#isPaused = true;
    this.#updateInterest();
  }

  resume(): void {
    this.#isPaused = false;
    this.#updateInterest();
  }

  end(): void {
    if (this.#isEnding || this.#state === State.Closed) return;
    this.#isEnding = true;
    if (this.pendingBytes === 0 && this.#state === State.Open) this.#shutdown();
  }

  destroy(): void {
    this.#close(undefined, false);
  }

  reset(): void {
    this.#close(undefined, true);
  }

  onReady(ready: number): void {
    if (this.#state === State.Connecting) this.#onConnectReady(ready);
    else if (this.#state === State.Open) {
      if ((ready & Poll.Out) !== 0) this.#onWritable();
      if ((ready & (Poll.In | Poll.Error | Poll.HangUp)) !== 0) this.#onReadable(ready);
    }
  }

  #onConnectReady(ready: number): void {
    const error = socketError(this.#fd);
    if (error !== 0 || (ready & Poll.HangUp) !== 0) {
      this.#close(error === 0 ? 'ECONNREFUSED' : errorName(error), false);
      return;
    }
    this.#state = State.Open;
    this.#updateInterest();
    (this.events as ConnectEvents).onConnect();
    if (this.pendingBytes > 0) this.#onWritable();
    else if (this.#isEnding) this.#shutdown();
  }

  #onWritable(): void {
    if (this.#state !== State.Open || this.pendingBytes === 0) return;
    while (this.pendingBytes > 0) {
      const bytes = this.#pending[0]!;
      const taken = send(this.#fd, bytes, 0, bytes.length);
      this.pendingBytes -= taken;
      if (taken < bytes.length) {
        this.#pending[0] = bytes.subarray(taken);
        return;
      }
      this.#pending.shift();
    }
    this.#updateInterest();
    if (this.#isEnding) this.#shutdown();
    this.events?.onDrain();
  }

  /** Errors are told even when nothing is asked for: whoever has paused reads nothing more of a broken connection. */
  #onReadable(ready: number): void {
    if (this.#state !== State.Open) return;
    // Both directions are closed, and we have not closed ours: a send may have taken the error that said so.
    const isCut = (ready & Poll.HangUp) !== 0 && !this.#hasSentFin;
    const isBroken = isCut || (ready & Poll.Error) !== 0;
    if (!isBroken && (this.#isPaused || this.#isPeerEnded)) {
      // Both sides have ended, and what the peer has sent is not wanted yet: only resume brings it.
      if ((ready & Poll.HangUp) !== 0) this.#setInterest(-1);
      return;
    }
    const bytes = isBroken && this.#isPaused ? undefined : receive(this.#fd);
    this.isEndComing = isBroken || (ready & Poll.PeerEnd) !== 0;
    if (bytes !== undefined && bytes.length > 0) this.events?.onBytes(bytes);
    else if (isBroken) this.#close(errorName(socketError(this.#fd) || ECONNRESET), false);
    else if (bytes !== undefined) this.#onFin();
  }

  #onFin(): void {
    if (this.#isPeerEnded) return;
    this.#isPeerEnded = true;
    this.#updateInterest();
    this.events?.onEnd();
    this.#finish();
  }

  #shutdown(): void {
    this.#hasSentFin = true;
    shutdownWrite(this.#fd);
    this.#finish();
  }

  /** A connection that both sides have ended is over. */
  #finish(): void {
    if (this.#isEnding && this.#isPeerEnded && this.pendingBytes === 0) this.#close(undefined, false);
  }

  #updateInterest(): void {
    if (this.#state !== State.Open) return;
    const isReading = !this.#isPaused && !this.#isPeerEnded;
    this.#setInterest((isReading ? reading : 0) | (this.pendingBytes > 0 ? Poll.Out : 0));
  }

  #setInterest(interest: number): void {
    if (interest === this.#interest) return;
    if (this.#interest < 0) loop.add(this.#fd, interest, this);
    else if (interest < 0) loop.remove(this.#fd);
    else loop.change(this.#fd, interest);
    this.#interest = interest;
  }

  /** The descriptor is closed, and the end told, after the events of this turn. */
  #close(code: string | undefined, withReset: boolean): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.isEndComing = true;
    this.#pending.length = 0;
    this.pendingBytes = 0;
    if (this.#interest >= 0) loop.forget(this.#fd);
    if (withReset) closeWithReset(this.#fd);
    loop.later(() => {
      if (this.#fd >= 0) close(this.#fd);
      this.events?.onClose(code);
    });
  }
}

const ECONNRESET = 104;

class EpollListener implements Listener, PollOwner {
  readonly port: number;
  readonly canPause = true;
  readonly #fd: number;
  readonly #onConnection: OnConnection;
  #isPaused = false;
  /** There is no descriptor for another connection. */
  #isSpent = false;
  #isClosed = false;

  constructor(fd: number, onConnection: OnConnection) {
    this.#fd = fd;
    this.port = socketPort(fd);
    this.#onConnection = onConnection;
    loop.add(fd, Poll.In, this);
  }

  onReady(): void {
    // An event of this turn may be older than the pause.
    if (this.#isPaused) return;
    // One in a turn: to ask until there is no more costs a call for nothing, and those that are served wait meanwhile.
    const fd = accept(this.#fd);
    if (fd === 'Spent') this.#rest();
    else if (typeof fd === 'number') this.#open(fd);
  }

  #open(fd: number): void {
    const { address, port } = foundPeer();
    const socket = new EpollSocket(fd, address, port, State.Open, undefined);
    socket.events = this.#onConnection(socket);
  }

  /** Clients wait in the queue of the kernel; without a pause the loop would ask again and again. */
  #rest(): void {
    this.#isSpent = true;
    this.#updateInterest();
    setTimeout(() => {
      this.#isSpent = false;
      this.#updateInterest();
    }, spentPauseMs);
  }

  pauseAccepting(): void {
    this.#isPaused = true;
    this.#updateInterest();
  }

  resumeAccepting(): void {
    this.#isPaused = false;
    this.#updateInterest();
  }

  #updateInterest(): void {
    if (!this.#isClosed) loop.change(this.#fd, this.#isPaused || this.#isSpent ? 0 : Poll.In);
  }

  turnAway(): boolean {
    return dropNewHandshakes(this.#fd);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    loop.remove(this.#fd);
    // Whoever waits in the queue has been let in by the kernel: a close now would reset them.
    for (let fd = accept(this.#fd); typeof fd === 'number'; fd = accept(this.#fd)) this.#open(fd);
    close(this.#fd);
  }
}

export const epollTransport: Transport = {
  canReusePort: true,
  canTurnAway: true,
  leftovers: { newMemory: newDescriptorMemory, note: noteDescriptors, close: closeDescriptors },

  async listen({ host, port, reusePort }: ListenOptions, onConnection): Promise<Listener> {
    const address = addressBytes(host) === undefined ? (await lookup(host)).address : host;
    return new EpollListener(openListener(address, port, reusePort, backlog), onConnection);
  },

  connect(address, port, events): Socket {
    const fd = openConnection(address, port);
    const socket = new EpollSocket(fd, address, port, State.Connecting, events);
    return socket;
  },

  afterTurn: (action) => loop.later(action),
};
