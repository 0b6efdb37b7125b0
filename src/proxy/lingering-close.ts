// The end of a client connection: FIN, and then reading on for a while, because closing with unread bytes would reset
// our last answer away (RFC 9112 9.6).
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { Socket } from '#transport/transport.ts';
import type { ProxyContext } from './proxy-context.ts';

/** What the kernel sends before it hears from the peer: ten segments (RFC 6928). */
export const oneFlightBytes = 14_000;
/** How long a connection may be silent that would end with its next response. */
export const lastIdleMs = 1000;
/** How long bytes of a client that we are done with are read and thrown away. */
const lingerMs = 2000;
/** In all, while bytes keep coming. */
const longestLingerMs = 30_000;
/** How long a client may take nothing of what is written to it: the system's own buffers hide smaller steps. */
const stalledReaderMs = 30_000;

export class LingeringClose implements TimerOwner {
  readonly #context: ProxyContext;
  readonly #socket: Socket;
  readonly #giveUp: () => void;
  readonly #timer = new Timer(this);
  #pendingBytes: number;
  #stalledMs = 0;
  #lingeredMs = 0;
  #hasLateBytes = false;

  /** Sends FIN. `giveUp` ends the socket for good. */
  constructor(context: ProxyContext, socket: Socket, giveUp: () => void) {
    this.#context = context;
    this.#socket = socket;
    this.#giveUp = giveUp;
    socket.end();
    this.#pendingBytes = socket.pendingBytes;
    context.timers.set(this.#timer, lingerMs);
  }

  onBytes(): void {
    this.#hasLateBytes = true;
  }

  onClose(): void {
    this.#context.timers.clear(this.#timer);
  }

  /** A slow reader may take longer than that for our last answer, as long as it takes some of it now and then. */
  onTimer(): void {
    const left = this.#socket.pendingBytes;
    this.#lingeredMs += lingerMs;
    // Who is still sending has not yet looked at our answer; a close now would reset it away.
    const isStillSending = this.#hasLateBytes && this.#lingeredMs < longestLingerMs;
    this.#hasLateBytes = false;
    if (!isStillSending) {
      this.#stalledMs = left === this.#pendingBytes ? this.#stalledMs + lingerMs : 0;
      if (left === 0 || this.#stalledMs >= stalledReaderMs) {
        this.#giveUp();
        return;
      }
      this.#pendingBytes = left;
    }
    this.#context.timers.set(this.#timer, lingerMs);
  }
}
