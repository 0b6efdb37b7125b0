// A socket with TLS over one of the system's: what comes of it is decrypted at once, what is written is encrypted at once.
//
//   Handshaking --> Open --------------------------------> Closed
//        \            \--> Failed: an alert, FIN, 1 s --/
//         \----------------/
//
// The socket below has the descriptor, what the system has not taken yet, and the last word on when it is over.
import { epollTransport } from './epoll.ts';
import { Step, mostFed, output, plaintext, takeOutput } from './tls-engine.ts';
import type { TlsEngine } from './tls-engine.ts';
import type { Socket, SocketEvents } from './transport.ts';

const State = { Handshaking: 0, Open: 1, Failed: 2, Closed: 3 } as const;
type State = (typeof State)[keyof typeof State];

/** For a peer to read the alert: a close before its last bytes were read would reset it away. */
const alertMs = 1000;
/** What a peer may make us say by itself, such as new keys: some 2000 times. */
const mostSaidBytes = 65_536;

const nothing = Buffer.alloc(0);

/** What onClose says of a connection whose bytes are not those of TLS any more. */
const brokenCode = 'EPROTO';

export abstract class OpenSslSocket implements SocketEvents, Socket {
  events: SocketEvents | undefined = undefined;
  protected readonly engine: TlsEngine;
  protected readonly plain: Socket;
  #state: State = State.Handshaking;
  #isPaused = false;
  #isEnding = false;
  #isPeerEnded = false;
  /** The end of the peer was read, and waits to be told: for bytes before it, or for resume. */
  #isEndDue = false;
  #owesDrain = false;
  /** Decrypted, and not taken yet. */
  #held: Buffer | undefined = undefined;
  #saidBytes = 0;
  /** Encrypted, and sent before whatever comes next. */
  #unsent: Buffer | undefined = undefined;
  #code: string | undefined = undefined;
  #farewell: NodeJS.Timeout | undefined = undefined;

  /** `plainFor` gives the socket below, and lets these events be its own. */
  constructor(engine: TlsEngine, plainFor: (events: OpenSslSocket) => Socket) {
    this.engine = engine;
    this.plain = plainFor(this);
  }

  /** The handshake is over. False: the peer is not believed, and the connection is over, too. */
  protected abstract onShaken(): boolean;
  /** What is told of a handshake that fails. */
  protected abstract failureCode(): string;
  /** Bytes have come, for the first time or once more. */
  protected abstract onOpenBytes(): void;

  get remoteAddress(): string {
    return this.plain.remoteAddress;
  }

  get remotePort(): number {
    return this.plain.remotePort;
  }

  get localPort(): number {
    return this.plain.localPort;
  }

  get pendingBytes(): number {
    return this.plain.pendingBytes;
  }

  get isEndComing(): boolean {
    return this.plain.isEndComing;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#state !== State.Open || this.#isEnding) return true;
    let from = start;
    while (from < end) {
      const taken = this.engine.encrypt(bytes, from, end);
      this.#send();
      if (taken === 0) {
        this.fail(brokenCode);
        return true;
      }
      from += taken;
    }
    if (this.plain.pendingBytes === 0) return true;
    this.#owesDrain = true;
    return false;
  }

  writeCopy(bytes: Buffer, start: number, end: number): boolean {
    return this.write(bytes, start, end);
  }

  pause(): void {
    this.#isPaused = true;
    this.plain.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#held === undefined && !this.#isEndDue) this.plain.resume();
    else epollTransport.afterTurn(() => this.#deliverHeld());
  }

  end(): void {
    if (this.#isEnding || this.#state === State.Closed) return;
    this.#isEnding = true;
    if (this.#state === State.Open) {
      this.engine.shutdown();
      this.#send();
    }
    this.plain.end();
    this.#finish();
  }

  destroy(): void {
    this.#release();
    this.plain.destroy();
  }

  reset(): void {
    this.#release();
    this.plain.reset();
  }

  // What the socket below tells

  onBytes(bytes: Buffer): void {
    if (bytes.length <= mostFed) this.#take(bytes);
    else for (let at = 0; at < bytes.length; at += mostFed) this.#take(bytes.subarray(at, at + mostFed));
  }

  #take(bytes: Buffer): void {
    if (this.#state === State.Failed || this.#state === State.Closed) return;
    this.engine.feed(bytes);
    const isFirst = this.#state === State.Handshaking;
    if (isFirst && !this.shake()) return;
    // Everything is out of the rings, which are shared, before anybody is told of anything.
    const { size, step } = this.engine.readAll();
    if (!isFirst) {
      this.#saidBytes += this.#send();
      this.onOpenBytes();
    } else if (!this.#beginOpen(step)) {
      this.destroyWith(this.failureCode());
      return;
    }
    if (size > 0) this.#deliver(plaintext.subarray(0, size));
    if (step === Step.Ended) this.#takeEnd();
    else if (step === Step.Failed || this.#saidBytes > mostSaidBytes) this.fail(brokenCode);
  }

  /**
   * Tickets for later go with the first answer: a send of their own would cost more than they do, and wake the client twice.
   * A client that says nothing more has no use for them.
   */
  #beginOpen(step: number): boolean {
    if (step === Step.Wants && this.engine.isLastFlightForLater) {
      const size = takeOutput();
      if (size > 0) this.#unsent = Buffer.from(output.subarray(0, size));
    } else this.#send();
    return this.onShaken();
  }

  /** False while it is not over. */
  protected shake(): boolean {
    const step = this.engine.handshake();
    if (step !== 1) {
      this.#send();
      if (step !== Step.Wants) this.fail(this.failureCode());
      return false;
    }
    this.#state = State.Open;
    return true;
  }

  #deliver(bytes: Buffer): void {
    if (this.#state !== State.Open) return;
    if (this.#isPaused) this.#held = Buffer.concat([this.#held ?? nothing, bytes]);
    else this.events?.onBytes(bytes);
  }

  #deliverHeld(): void {
    if (this.#isPaused || this.#state !== State.Open) return;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.events?.onBytes(held);
    if (this.#isEndDue) this.#tellEnd();
    if (!this.#isPaused) this.plain.resume();
  }

  /** Also in the clear: whether a message is whole is known by its framing (RFC 9112 9.8). */
  onEnd(): void {
    if (this.#state === State.Handshaking) this.onEndOfHandshake();
    else if (this.#state === State.Open) this.#takeEnd();
  }

  protected onEndOfHandshake(): void {
    this.events?.onEnd();
  }

  #takeEnd(): void {
    if (this.#isPeerEnded || this.#state !== State.Open) return;
    this.#isPeerEnded = true;
    this.#isEndDue = true;
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#isPaused || this.#held !== undefined || this.#state !== State.Open) return;
    this.#isEndDue = false;
    this.events?.onEnd();
    this.#finish();
  }

  onDrain(): void {
    if (this.#owesDrain) {
      this.#owesDrain = false;
      this.events?.onDrain();
    }
    this.#finish();
  }

  onClose(code: string | undefined): void {
    this.#release();
    clearTimeout(this.#farewell);
    this.events?.onClose(this.#code ?? code);
  }

  // Ends

  /** What the library has to say of it is said. */
  protected fail(code: string): void {
    if (this.#state === State.Failed || this.#state === State.Closed) return;
    this.#release();
    this.#state = State.Failed;
    this.#code = code;
    if (this.#isPaused) this.plain.resume();
    this.plain.end();
    this.#farewell = setTimeout(() => this.destroy(), alertMs);
  }

  protected destroyWith(code: string): void {
    if (this.#state === State.Closed) return;
    this.#code = code;
    this.destroy();
  }

  /** A peer that has said its end may leave its own side of the connection open for ever. */
  #finish(): void {
    if (this.#isEnding && this.#isPeerEnded && !this.#isEndDue && this.plain.pendingBytes === 0)
      this.destroy();
  }

  #release(): void {
    if (this.#state === State.Closed) return;
    this.#state = State.Closed;
    this.#held = undefined;
    this.engine.free();
  }

  /** How much it was. */
  #send(): number {
    const size = takeOutput();
    if (size === 0) return 0;
    if (this.#unsent === undefined) this.plain.write(output, 0, size);
    else this.#sendAfter(this.#unsent, size);
    return size;
  }

  #sendAfter(unsent: Buffer, size: number): void {
    this.#unsent = undefined;
    const bytes = Buffer.concat([unsent, output.subarray(0, size)]);
    this.plain.write(bytes, 0, bytes.length);
  }
}
