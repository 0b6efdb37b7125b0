// One HTTP/2 connection of a client: its socket, its clocks and its streams.
//
//   Open -- GOAWAY of ours, no stream left; idle too long --> Lingering -- peer's FIN, or 2 s --> Closed
//     \---- the session fails: GOAWAY ------------------------/                                    /
//      \--- FIN or reset of the client ------------------------------------------------------------/
import type { FaultCode } from '#http/fault.ts';
import type { RequestHead } from '#http/message-head.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import { TurnEnd } from '#transport/turn-end.ts';
import type { Socket, SocketEvents } from '#transport/transport.ts';
import { Http2Stream } from './http2-stream.ts';
import type { StreamOwner } from './http2-stream.ts';
import { LingeringClose } from './lingering-close.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import type { Peer } from './peer.ts';
import type { ProxyContext } from './proxy-context.ts';

const State = { Open: 0, Lingering: 1, Closed: 2 } as const;
type State = (typeof State)[keyof typeof State];

/** How often a connection with streams is looked at: one that takes nothing for this long has its streams ended. */
const stallMs = 30_000;
/** Between the two GOAWAYs of a drain: a round trip, and more. */
const announcedMs = 1000;
/** Answers that wait for a client that does not read them: from here on nothing more is read of it. */
const mostUnreadBytes = 524_288;

export class Http2Connection
  implements SocketEvents, ServerSessionOwner, StreamOwner, OpenConnection, TimerOwner
{
  readonly session: ServerSession;
  readonly now: () => number;
  idleSinceMs: number;
  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #timer: Timer;
  readonly #turnEnd: TurnEnd;
  #state: State = State.Open;
  #isReading = false;
  #isPaused = false;
  /** Streams that have handed something on in this turn. */
  #touched: Http2Stream[] = [];
  /** When the field section began that the timer was set for last; 0 without one. */
  #watchedBlockMs = 0;
  /** When streams were looked at last that take nothing. */
  #lookedMs = 0;
  /** What waited at that look; 0 as soon as all of it has left: the next bytes may be as many. */
  #unreadBytes = 0;
  #isEndAnnounced = false;
  #lingering: LingeringClose | undefined = undefined;

  /** It takes over the socket, of which nothing but the peer's introduction has been read. */
  constructor(context: ProxyContext, owner: ConnectionOwner, socket: Socket, peer: Peer) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
    this.#peer = peer;
    this.now = () => context.now();
    this.#timer = new Timer(this);
    this.#turnEnd = new TurnEnd(context.transport, () => this.#sendTurn());
    this.idleSinceMs = context.now();
    this.session = new ServerSession(this, context.serverReading);
    this.#context.timers.restart(this.#timer, context.table?.settings.headTimeoutMs ?? 0);
  }

  get isIdle(): boolean {
    return this.#state === State.Open && this.session.openStreams === 0;
  }

  get heldBytes(): number {
    let sum = this.#socket.pendingBytes;
    for (const stream of this.session.allStreams) sum += heldBytesOf(stream);
    return sum;
  }

  /** What the socket holds already is of no stream that could be told. */
  shed(least: number): void {
    for (const stream of this.session.allStreams)
      if (heldBytesOf(stream) >= least) (stream.user as Http2Stream | undefined)?.shed();
    if (this.#socket.pendingBytes >= least) this.destroy();
  }

  // Reading

  onBytes(bytes: Buffer): void {
    this.#lingering?.onBytes();
    if (this.#state !== State.Open) return;
    this.#isReading = true;
    this.session.push(bytes, 0, bytes.length);
    this.#isReading = false;
    this.#endTurn();
    const { blockSinceMs } = this.session;
    if (blockSinceMs === this.#watchedBlockMs) return;
    this.#watchedBlockMs = blockSinceMs;
    if (blockSinceMs > 0 && this.#headTimeoutMs > 0) this.#watch(this.#headTimeoutMs);
  }

  #endTurn(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const stream of touched) stream.onTurnEnd();
  }

  onStreamTurn(stream: Http2Stream): void {
    // Outside a read whoever hands on ends the turn as well.
    if (this.#isReading && this.#touched.at(-1) !== stream) this.#touched.push(stream);
  }

  onRequest(stream: Stream, head: RequestHead, isEnd: boolean): StreamUser {
    const client = this.#begin(stream, isEnd);
    client.begin(head);
    return client;
  }

  onRefusedRequest(stream: Stream, method: string, fault: FaultCode): StreamUser {
    const client = this.#begin(stream, true);
    client.refuse(method, fault);
    return client;
  }

  #begin(stream: Stream, isEnd: boolean): Http2Stream {
    if (this.#context.endsConnections) this.announceEnd();
    if (this.session.openStreams === 1) {
      this.#lookedMs = this.now();
      this.#watch(stallMs);
    }
    return new Http2Stream(this.#context, this, this.#peer, stream, isEnd);
  }

  onGoAway(): void {
    // Of a client it says that we may begin no streams, and we never do.
  }

  onQuiet(): void {
    this.idleSinceMs = this.now();
    if (this.#state !== State.Open) return;
    if (this.#isEndAnnounced) this.onOutput();
    else if (this.session.blockSinceMs > 0) this.#watch(this.#headTimeoutMs);
    else this.#watch(this.#context.table?.settings.clientIdleTimeoutMs ?? 0);
  }

  onEnd(): void {
    this.#socket.destroy();
  }

  onClose(): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.#context.timers.clear(this.#timer);
    this.#lingering?.onClose();
    this.session.closeStreams(ErrorCode.Cancel);
    this.session.writer.clear();
    this.#owner.onConnectionClosed(this);
  }

  // Writing

  onOutput(): void {
    this.#turnEnd.request();
  }

  sendOutput(): boolean {
    const { session } = this;
    return session.writer.flush(this.#socket) && !session.isOutputBlocked;
  }

  #sendTurn(): void {
    if (this.#state !== State.Open) return;
    this.session.endTurn();
    if (!this.sendOutput()) this.session.isOutputBlocked = true;
    if (this.session.isFailed) this.#linger();
    else if (this.#isEndAnnounced && this.session.openStreams === 0 && this.session.takesNoStreams)
      this.#linger();
    else this.#setPaused(this.#socket.pendingBytes > mostUnreadBytes);
  }

  #setPaused(mustPause: boolean): void {
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#socket.pause();
    else this.#socket.resume();
  }

  onDrain(): void {
    if (this.#state !== State.Open) return;
    this.#setPaused(false);
    this.#unreadBytes = 0;
    this.session.resumeOutput();
  }

  onStreamReset(code: ErrorCode): void {
    // That we want nothing more of a request that is answered is no error.
    if (code !== ErrorCode.NoError) this.#context.observer.onHttp2Error('stream', code);
  }

  onSessionFailed(code: ErrorCode): void {
    this.#context.observer.onHttp2Error('connection', code);
    this.onOutput();
  }

  // Ends

  announceEnd(): void {
    if (this.#state !== State.Open || this.#isEndAnnounced) return;
    this.#isEndAnnounced = true;
    this.session.announceEnd();
    this.#context.timers.restart(this.#timer, announcedMs);
  }

  closeWaiting(): void {
    if (this.#state !== State.Open) return;
    this.#isEndAnnounced = true;
    this.session.refuseNewStreams();
    if (this.isIdle) this.#linger();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #linger(): void {
    if (this.#state !== State.Open) return;
    this.session.refuseNewStreams();
    this.sendOutput();
    this.#state = State.Lingering;
    this.#context.timers.clear(this.#timer);
    this.#setPaused(false);
    this.#lingering = new LingeringClose(this.#context, this.#socket, () => this.destroy());
  }

  // Clocks

  get #headTimeoutMs(): number {
    return this.#context.table?.settings.headTimeoutMs ?? 0;
  }

  /** As restart, but nothing puts off the second GOAWAY of a drain. */
  #watch(delayMs: number): void {
    if (!this.#isSecondGoAwayDue) this.#context.timers.restart(this.#timer, delayMs);
  }

  get #isSecondGoAwayDue(): boolean {
    return this.#isEndAnnounced && !this.session.takesNoStreams;
  }

  onTimer(): void {
    if (this.#isSecondGoAwayDue) this.session.refuseNewStreams();
    const { blockSinceMs } = this.session;
    const blockLeftMs = blockSinceMs === 0 ? Infinity : blockSinceMs + this.#headTimeoutMs - this.now();
    if (blockLeftMs <= 0 && this.#headTimeoutMs > 0) {
      this.session.fail(ErrorCode.EnhanceYourCalm);
      return;
    }
    if (this.session.openStreams === 0 && blockSinceMs === 0) {
      this.#linger();
      return;
    }
    if (this.now() - this.#lookedMs >= stallMs && !this.#lookForStalls()) return;
    const stallLeftMs = this.#lookedMs + stallMs - this.now();
    this.#context.timers.restart(
      this.#timer,
      Math.max(1, blockLeftMs > 0 ? Math.min(blockLeftMs, stallLeftMs) : stallLeftMs),
    );
  }

  /** False: nothing of what waits has been taken since the last look, and the connection is gone. */
  #lookForStalls(): boolean {
    this.#lookedMs = this.now();
    const unread = this.#socket.pendingBytes;
    if (unread > 0 && unread === this.#unreadBytes) {
      this.destroy();
      return false;
    }
    this.#unreadBytes = unread;
    this.session.resetStalled();
    return true;
  }
}

/** Those of the stream itself, and what its request holds on the way to the backend. */
function heldBytesOf(stream: Stream): number {
  return (stream.user as Http2Stream | undefined)?.heldBytes ?? stream.heldBytes;
}
