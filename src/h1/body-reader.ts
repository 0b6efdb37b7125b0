// The body of one message after its head: counts a length, takes chunks apart, or reads until the peer closes.
//
//   Length --------- n bytes ------------------------------------> Done
//   UntilClose ----- finish() -----------------------------------> Done
//   SizeFirst > Size > [Extension] > SizeLf > Data > DataCr > DataLf > SizeFirst ...
//                                      \-- size 0 --> Trailers --> Done
//
// RFC 9112 6 and 7. Framing bytes never leave this file: what the sink gets is content.
import { hexValue, isFieldValue } from '#http/characters.ts';
import { Field } from '#http/field.ts';
import { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import { fieldInvalid, isBlankLine, parseFieldLine } from './field-line.ts';
import { LineWindow } from './line-window.ts';
import type { ParserLimits } from './parser-limits.ts';

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

const State = {
  Done: 0,
  Length: 1,
  UntilClose: 2,
  SizeFirst: 3,
  Size: 4,
  Extension: 5,
  SizeLf: 6,
  Data: 7,
  DataCr: 8,
  DataLf: 9,
  Trailers: 10,
  Failed: 11,
} as const;
type State = (typeof State)[keyof typeof State];

/** Above 13 hex digits a size is no longer exact in a double; no real chunk comes near. */
const maxSizeDigits = 13;

export interface BodySink {
  /** Content of the body: `bytes[start, end)`, never empty. */
  onBody(bytes: Buffer, start: number, end: number): void;
}

export class BodyReader {
  readonly #sink: BodySink;
  readonly #limits: ParserLimits;
  readonly #refusesDisguised: boolean;
  #state: State = State.Done;
  #left = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #fieldsLeft = 0;
  #trailers: FieldSection | undefined;
  #trailerLines: LineWindow | undefined;

  /** `refusesDisguised`: a request's trailers may not hold look-alikes of forwarding fields. */
  constructor(sink: BodySink, limits: ParserLimits, refusesDisguised: boolean) {
    this.#sink = sink;
    this.#limits = limits;
    this.#refusesDisguised = refusesDisguised;
  }

  /** `headFields`: how many fields the head had, since trailers count towards the same limit. */
  begin(framing: BodyFraming, contentLength: number, headFields: number): void {
    this.#left = contentLength;
    this.#trailers?.clear();
    this.#extensionBytes = 0;
    this.#fieldsLeft = this.#limits.fields - headFields;
    switch (framing) {
      case BodyFraming.None:
        this.#state = State.Done;
        break;
      case BodyFraming.Length:
        this.#state = contentLength === 0 ? State.Done : State.Length;
        break;
      case BodyFraming.Chunked:
        this.#state = State.SizeFirst;
        break;
      case BodyFraming.UntilClose:
        this.#state = State.UntilClose;
        break;
    }
  }

  /** The trailers of a body that is done, as sent; undefined without any. Valid until the current event returns. */
  get trailers(): FieldSection | undefined {
    return this.#trailers === undefined || this.#trailers.count === 0 ? undefined : this.#trailers;
  }

  get isDone(): boolean {
    return this.#state === State.Done;
  }

  get isFailed(): boolean {
    return this.#state === State.Failed;
  }

  /** The peer sent FIN: true when that is how this body may end. */
  finish(): boolean {
    if (this.#state === State.UntilClose) this.#state = State.Done;
    return this.#state === State.Done;
  }

  /** Takes bytes of this body and returns the position of the first one after it. Check isFailed. */
  push(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#state !== State.Done) {
      switch (this.#state) {
        case State.Length:
        case State.Data: {
          const stop = Math.min(end, at + this.#left);
          this.#left -= stop - at;
          const from = at;
          at = stop;
          // The state is settled before the sink hears of the bytes, so that it may ask isDone.
          if (this.#left === 0) this.#state = this.#state === State.Length ? State.Done : State.DataCr;
          this.#sink.onBody(bytes, from, stop);
          break;
        }
        case State.UntilClose:
          this.#sink.onBody(bytes, at, end);
          at = end;
          break;
        case State.Trailers:
          at = this.#readTrailers(bytes, at, end);
          break;
        case State.Failed:
          return end;
        default:
          this.#state = this.#framingByte(bytes[at++]!);
      }
    }
    return at;
  }

  /** The byte loop between the chunks: every byte has one meaning, so any other one fails (9112 7.1). */
  #framingByte(byte: number): State {
    switch (this.#state) {
      case State.SizeFirst:
      case State.Size: {
        const digit = hexValue[byte]!;
        if (digit !== 255) {
          if (this.#state === State.SizeFirst) {
            this.#left = 0;
            this.#sizeDigits = 0;
          }
          this.#left = this.#left * 16 + digit;
          return ++this.#sizeDigits > maxSizeDigits ? State.Failed : State.Size;
        }
        if (this.#state === State.SizeFirst) return State.Failed;
        if (byte === CR) return State.SizeLf;
        return byte === SEMICOLON ? State.Extension : State.Failed;
      }
      case State.Extension:
        if (byte === CR) return State.SizeLf;
        if (isFieldValue[byte] === 0) return State.Failed;
        return ++this.#extensionBytes > this.#limits.chunkExtensionBytes ? State.Failed : State.Extension;
      case State.SizeLf:
        if (byte !== LF) return State.Failed;
        return this.#left === 0 ? this.#beginTrailers() : State.Data;
      case State.DataCr:
        return byte === CR ? State.DataLf : State.Failed;
      case State.DataLf:
        return byte === LF ? State.SizeFirst : State.Failed;
      default:
        return State.Failed;
    }
  }

  #beginTrailers(): State {
    this.#trailers ??= new FieldSection(this.#limits.fields);
    this.#trailerLines ??= new LineWindow(this.#limits.trailerBytes);
    this.#trailers.clear();
    this.#trailerLines.reset();
    return State.Trailers;
  }

  #isRefused(trailers: FieldSection): boolean {
    return this.#refusesDisguised && trailers.ids[trailers.count - 1] === Field.Disguised;
  }

  /** Trailers are read and checked like a head's fields. */
  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const lines = this.#trailerLines!;
    const trailers = this.#trailers!;
    lines.open(bytes, start, end);
    trailers.bytes = lines.bytes;
    while (lines.position < lines.linesEnd) {
      if (isBlankLine(lines.bytes, lines.position)) {
        lines.position += 2;
        const after = lines.chunkPosition(start);
        lines.reset();
        this.#state = State.Done;
        return after;
      }
      const next = parseFieldLine(lines.bytes, lines.position, trailers);
      if (next <= fieldInvalid || trailers.count > this.#fieldsLeft || this.#isRefused(trailers)) {
        this.#state = State.Failed;
        return end;
      }
      lines.position = next;
    }
    if (lines.isFull) this.#state = State.Failed;
    else {
      const distance = lines.hold();
      trailers.rebase(lines.bytes, distance);
    }
    return end;
  }
}
