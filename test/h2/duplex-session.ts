// Sessions over one end of a pair of streams in memory, as connections have theirs over sockets.
import type { Duplex } from 'node:stream';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { ClientReading, ClientSession } from '#h2/client-session.ts';
import type { RequestStream, ResponseUser } from '#h2/client-session.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { ServerReading, ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import type { Session } from '#h2/session.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { regularFields } from './field-blocks.ts';
import type { NamedValue } from './field-blocks.ts';
import { usualLimits } from './session-recorder.ts';

/** Moves bytes between a session and its end of the pair. */
class Pump {
  readonly #duplex: Duplex;
  readonly #session: Session;
  #isScheduled = false;

  constructor(duplex: Duplex, session: Session) {
    this.#duplex = duplex;
    this.#session = session;
    duplex.on('data', (bytes: Buffer) => session.push(bytes, 0, bytes.length));
    duplex.on('drain', () => session.resumeOutput());
    duplex.on('error', () => {});
    duplex.on('close', () => session.closeStreams(ErrorCode.Cancel));
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.send()) this.#session.isOutputBlocked = true;
    });
  }

  send(): boolean {
    const { writer } = this.#session;
    if (writer.isEmpty || this.#duplex.destroyed) return !this.#session.isOutputBlocked;
    const bytes = Buffer.from(writer.bytes.subarray(0, writer.size));
    // Before the other end hears of it, which may answer at once.
    writer.clear();
    return this.#duplex.write(bytes);
  }
}

/** What a peer has sent on one stream. */
export class Incoming implements StreamUser {
  readonly fields: readonly NamedValue[];
  readonly stream: Stream;
  trailers: readonly NamedValue[] = [];
  /** Undefined while it is under way; the code of a reset, or that it is whole. */
  ended: 'Whole' | number | undefined = undefined;
  readonly #session: Session;
  readonly #pieces: Buffer[] = [];
  readonly #onEnded: (incoming: Incoming) => void;

  constructor(
    session: Session,
    stream: Stream,
    fields: readonly NamedValue[],
    onEnded: (incoming: Incoming) => void,
  ) {
    this.#session = session;
    this.stream = stream;
    this.fields = fields;
    this.#onEnded = onEnded;
  }

  get body(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  onStreamBody(bytes: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    this.#session.consume(this.stream, end - start);
  }

  onStreamEnd(trailers: FieldSection | undefined): void {
    if (trailers !== undefined) this.trailers = regularFields(trailers);
    this.#end('Whole');
  }

  onStreamWritable(): void {}

  onStreamCongested(): void {}

  onStreamClosed(code: number): void {
    this.#end(code);
  }

  /** Its end may be told while it is being made. */
  #end(how: 'Whole' | number): void {
    this.ended ??= how;
    this.#onEnded(this);
  }
}

export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  readonly incoming: Incoming;
}

export class DuplexServer implements ServerSessionOwner {
  readonly session: ServerSession;
  readonly now = (): number => performance.now();
  readonly refused: string[] = [];
  failure: ErrorCode | undefined = undefined;
  readonly #pump: Pump;
  readonly #onWhole: (request: ReceivedRequest) => void;

  /** `onWhole`: a request has come to its end, or to a reset. */
  constructor(duplex: Duplex, onWhole: (request: ReceivedRequest) => void) {
    this.#onWhole = onWhole;
    this.session = new ServerSession(this, new ServerReading({ ...usualLimits, concurrentStreams: 1000 }));
    this.#pump = new Pump(duplex, this.session);
    this.#pump.schedule();
  }

  onRequest(stream: Stream, head: RequestHead, isEnd: boolean): StreamUser {
    const { method, target } = head;
    const incoming = new Incoming(this.session, stream, regularFields(head.fields), () => {
      this.#onWhole({ method, target, incoming });
    });
    if (isEnd) {
      incoming.ended = 'Whole';
      setImmediate(() => this.#onWhole({ method, target, incoming }));
    }
    return incoming;
  }

  onRefusedRequest(stream: Stream, method: string, fault: string): StreamUser {
    this.refused.push(`${method} ${fault}`);
    return new Incoming(this.session, stream, [], () => {});
  }

  onOutput(): void {
    // The first one comes from within the session's constructor.
    this.#pump?.schedule();
  }

  sendOutput(): boolean {
    return this.#pump.send();
  }

  onStreamReset(): void {}

  onSessionFailed(code: ErrorCode): void {
    this.failure = code;
    this.#pump.schedule();
  }

  onGoAway(): void {}

  onQuiet(): void {}
}

/** What a server has answered: an interim status is one that came before. */
export class ReceivedResponse implements ResponseUser {
  status = 0;
  readonly interim: number[] = [];
  incoming: Incoming | undefined = undefined;
  readonly whole: Promise<ReceivedResponse>;
  readonly #session: ClientSession;
  readonly #resolve: (response: ReceivedResponse) => void;
  #stream: RequestStream | undefined = undefined;

  constructor(session: ClientSession) {
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<ReceivedResponse>();
    this.whole = promise;
    this.#resolve = resolve;
  }

  /** The stream that it belongs to, as soon as there is one. */
  begin(stream: RequestStream): void {
    this.#stream = stream;
    this.incoming = new Incoming(this.#session, stream, [], () => this.#resolve(this));
  }

  onStreamHead(head: ResponseHead): void {
    if (head.status < 200) this.interim.push(head.status);
    else {
      this.status = head.status;
      const fields = regularFields(head.fields);
      this.incoming = new Incoming(this.#session, this.#stream!, fields, () => this.#resolve(this));
    }
  }

  onStreamBody(bytes: Buffer, start: number, end: number): void {
    this.incoming?.onStreamBody(bytes, start, end);
  }

  onStreamEnd(trailers: FieldSection | undefined): void {
    this.incoming?.onStreamEnd(trailers);
  }

  onStreamWritable(): void {}

  onStreamCongested(): void {}

  onStreamClosed(code: number): void {
    this.incoming?.onStreamClosed(code);
  }
}

export class DuplexClient {
  readonly session: ClientSession;
  readonly now = (): number => performance.now();
  failure: ErrorCode | undefined = undefined;
  readonly #pump: Pump;
  #onQuiet: () => void = () => {};

  constructor(duplex: Duplex) {
    this.session = new ClientSession(this, new ClientReading(usualLimits), 'http');
    this.#pump = new Pump(duplex, this.session);
    this.#pump.schedule();
  }

  /** `head` as of HTTP/1.1. */
  request(head: string, isHead = false): { stream: RequestStream; response: ReceivedResponse } {
    const response = new ReceivedResponse(this.session);
    const stream = this.session.open(Buffer.from(head, 'latin1'), response, isHead);
    response.begin(stream);
    return { stream, response };
  }

  onOutput(): void {
    this.#pump?.schedule();
  }

  sendOutput(): boolean {
    return this.#pump.send();
  }

  onStreamReset(): void {}

  onSessionFailed(code: ErrorCode): void {
    this.failure = code;
    this.#pump.schedule();
  }

  onGoAway(lastStreamId: number): void {
    this.session.onServerGoingAway(lastStreamId);
  }

  onQuiet(): void {
    this.#onQuiet();
  }

  /** Resolves when no stream is open. */
  async untilQuiet(): Promise<void> {
    if (this.session.openStreams === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onQuiet = resolve;
    await promise;
  }
}
