// Bytes of a backend connection -> response heads and bodies (RFC 9112). As strict as with clients: a response that
// cannot be trusted to its last byte would poison the next one on the same connection.
//
//   Idle -- begin() --> Head -- 1xx --> Head -- final, body --> Body --> Idle
//                        |\------------------ final, no body ----------> Idle
//                         \-- 101, when it was asked for --------------> Switched: the bytes are no longer HTTP
import { isFieldValue } from '#http/characters.ts';
import { noContentLength, parseContentLength } from '#http/content-length.ts';
import type { FaultCode } from '#http/fault.ts';
import { Field } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { BodyReader } from './body-reader.ts';
import type { BodySink } from './body-reader.ts';
import { fieldInvalid, isBlankLine, parseFieldLine } from './field-line.ts';
import { readConnection } from './framing-fields.ts';
import { readingsFor } from './head-reading.ts';
import type { HeadReading, HeadReadings } from './head-reading.ts';
import type { LineWindow } from './line-window.ts';
import type { ParserLimits } from './parser-limits.ts';

const CR = 13;
const LF = 10;
const SP = 32;
/** `HTTP/1.1 200` CR LF. */
const shortestStatusLine = 14;

const State = { Idle: 0, Head: 1, Body: 2, Failed: 3, Switched: 4 } as const;
type State = (typeof State)[keyof typeof State];

/** A backend that sends interim responses without end is not answering. */
const maxInterimResponses = 16;

export interface ResponseSink extends BodySink {
  /** A 1xx; the final response is still to come. */
  onInterimHead(head: ResponseHead): void;
  /** The 101 that was asked for: what follows is no longer HTTP. */
  onSwitch(head: ResponseHead): void;
  /** `head` is reused; its fields are valid until this returns. */
  onResponseHead(head: ResponseHead): void;
  /** `trailers` as sent; undefined without any. Valid until the current event returns. */
  onResponseEnd(trailers: FieldSection | undefined): void;
}

export class ResponseParser {
  fault: FaultCode | undefined = undefined;
  /** The last response lets the connection live on. */
  keepAlive = false;
  readonly #sink: ResponseSink;
  readonly #limits: ParserLimits;
  readonly #readings: HeadReadings<ResponseHead>;
  /** While a head is under way. */
  #reading: HeadReading<ResponseHead> | undefined = undefined;
  #body: BodyReader | undefined = undefined;
  #state: State = State.Idle;
  #isHeadRequest = false;
  #expectsSwitch = false;
  #hasStatusLine = false;
  #interimResponses = 0;

  constructor(sink: ResponseSink, limits: ParserLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#readings = readingsFor(limits).responses;
  }

  /**
   * Expects the response to one request. The method decides whether a body follows (9112 6.3); only a request that asked
   * for WebSocket may be answered with 101.
   */
  begin(method: string, expectsSwitch = false): void {
    this.#expectsSwitch = expectsSwitch;
    this.#state = State.Head;
    this.#isHeadRequest = method === 'HEAD';
    this.#hasStatusLine = false;
    this.#interimResponses = 0;
    this.#dropReading();
  }

  /** Nothing is expected: any byte that comes now belongs to no request. */
  get isIdle(): boolean {
    return this.#state === State.Idle;
  }

  /** The connection speaks another protocol now; no byte of it is taken here. */
  get hasSwitched(): boolean {
    return this.#state === State.Switched;
  }

  /** Takes bytes up to the end of the response and returns the position reached. Check `fault`. */
  push(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#state === State.Head) at = this.#pushHead(bytes, at, end);
      else if (this.#state === State.Body) at = this.#pushBody(bytes, at, end);
      else break;
    }
    return at;
  }

  /** The backend sent FIN: ends a body that reads until close, and breaks off everything else. */
  finish(): void {
    if (this.#state === State.Idle || this.#state === State.Failed || this.#state === State.Switched) return;
    if (this.#state === State.Body && this.#body?.finish() === true) {
      this.#state = State.Idle;
      this.#sink.onResponseEnd(undefined);
      return;
    }
    this.#fail(this.#state === State.Body ? 'backend-truncated' : 'backend-reset', 0);
  }

  #pushHead(bytes: Buffer, start: number, end: number): number {
    this.#reading ??= this.#readings.take();
    const { head, lines } = this.#reading;
    lines.open(bytes, start, end);
    head.fields.bytes = lines.bytes;
    while (lines.position < lines.linesEnd) {
      if (!this.#hasStatusLine) {
        if (!this.#takeStatusLine(head, lines)) return this.#fail('backend-malformed', end);
      } else if (isBlankLine(lines.bytes, lines.position)) {
        lines.position += 2;
        const after = lines.chunkPosition(start);
        if (!this.#endHead(head)) return this.#fail('backend-malformed', end);
        return after;
      } else {
        const next = parseFieldLine(lines.bytes, lines.position, head.fields);
        if (next <= fieldInvalid) return this.#fail('backend-malformed', end);
        lines.position = next;
      }
    }
    if (lines.isFull) return this.#fail('backend-malformed', end);
    const distance = lines.hold();
    head.fields.rebase(lines.bytes, distance);
    return end;
  }

  /**
   * `HTTP/1.x SP 3DIGIT [SP reason] CRLF`, byte by byte: 120 ns less than text and an expression. The window ends in an
   * LF, which no comparison and no table admits.
   */
  #takeStatusLine(head: ResponseHead, lines: LineWindow): boolean {
    const { bytes, position: start, linesEnd } = lines;
    if (linesEnd - start < shortestStatusLine || !isVersion1(bytes, start)) return false;
    const minor = bytes[start + 7]! - 48;
    const status = statusAt(bytes, start + 9);
    if (minor > 1 || minor < 0 || bytes[start + 8] !== SP || status === 0) return false;
    let at = start + 12;
    if (bytes[at] === SP) while (isFieldValue[bytes[at]!] === 1) at++;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return false;
    head.clear();
    head.minorVersion = minor;
    head.status = status;
    this.#hasStatusLine = true;
    lines.position = at + 2;
    return true;
  }

  /** False when the head contradicts itself. */
  #endHead(head: ResponseHead): boolean {
    const reading = this.#reading;
    this.#reading = undefined;
    this.#hasStatusLine = false;
    const isSound = this.#tellHead(head);
    if (reading !== undefined) this.#readings.give(reading);
    return isSound;
  }

  #tellHead(head: ResponseHead): boolean {
    if (head.status < 200) {
      readConnectionOf(head);
      if (head.status === 101) return this.#switch(head);
      if (++this.#interimResponses > maxInterimResponses) return false;
      this.#sink.onInterimHead(head);
      return true;
    }
    if (!readFraming(head)) return false;
    this.keepAlive = head.keepAlive;
    const hasBody =
      head.framing !== BodyFraming.None && !(head.framing === BodyFraming.Length && head.contentLength === 0);
    const isBodiless = this.#isHeadRequest || head.status === 204 || head.status === 304;
    if (hasBody && !isBodiless) {
      this.#body ??= new BodyReader(this.#sink, this.#limits, false);
      this.#body.begin(head.framing, head.contentLength, head.fields.count);
      this.#state = State.Body;
      this.#sink.onResponseHead(head);
    } else {
      // The length of a HEAD or 304 response describes a body that does not come; it is passed on as a field.
      this.#state = State.Idle;
      this.#sink.onResponseHead(head);
      this.#sink.onResponseEnd(undefined);
    }
    return true;
  }

  /** Nobody may switch who was not asked to, or to anything else (9110 15.2.2). */
  #switch(head: ResponseHead): boolean {
    const { fields } = head;
    const upgrade = fields.indexOf(Field.Upgrade);
    const isAsked =
      this.#expectsSwitch && upgrade >= 0 && fields.value(upgrade).toLowerCase() === 'websocket';
    if (!isAsked) return false;
    this.#state = State.Switched;
    this.#sink.onSwitch(head);
    return true;
  }

  #pushBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body!;
    const after = body.push(bytes, start, end);
    if (body.isFailed) return this.#fail('backend-malformed', end);
    if (body.isDone) {
      this.#state = State.Idle;
      this.#sink.onResponseEnd(body.trailers);
    }
    return after;
  }

  #fail(fault: FaultCode, end: number): number {
    this.fault = fault;
    this.#state = State.Failed;
    this.#dropReading();
    return end;
  }

  #dropReading(): void {
    if (this.#reading !== undefined) this.#readings.give(this.#reading);
    this.#reading = undefined;
  }
}

/** `HTTP/1.` */
function isVersion1(bytes: Buffer, at: number): boolean {
  return (
    bytes[at] === 72 &&
    bytes[at + 1] === 84 &&
    bytes[at + 2] === 84 &&
    bytes[at + 3] === 80 &&
    bytes[at + 4] === 47 &&
    bytes[at + 5] === 49 &&
    bytes[at + 6] === 46
  );
}

/** Three digits, the first of them not 0; else 0. */
function statusAt(bytes: Buffer, at: number): number {
  const hundreds = bytes[at]! - 48;
  const tens = bytes[at + 1]! - 48;
  const ones = bytes[at + 2]! - 48;
  const isStatus = hundreds > 0 && hundreds < 10 && tens >= 0 && tens < 10 && ones >= 0 && ones < 10;
  return isStatus ? hundreds * 100 + tens * 10 + ones : 0;
}

function readConnectionOf(head: ResponseHead): void {
  const { fields } = head;
  head.keepAlive = head.minorVersion === 1;
  for (let index = 0; index < fields.count; index++)
    if (fields.ids[index] === Field.Connection) readConnection(head, fields.value(index));
}

/** RFC 9112 6.3, refusing what it would have a recipient repair. */
function readFraming(head: ResponseHead): boolean {
  const { fields } = head;
  let contentLength = noContentLength;
  let isChunked = false;
  readConnectionOf(head);
  for (let index = 0; index < fields.count; index++) {
    switch (fields.ids[index]!) {
      case Field.ContentLength:
        if (contentLength !== noContentLength) return false;
        contentLength = parseContentLength(fields, index);
        if (contentLength < 0) return false;
        break;
      case Field.TransferEncoding:
        if (isChunked || head.minorVersion === 0 || fields.value(index).toLowerCase() !== 'chunked')
          return false;
        isChunked = true;
        break;
    }
  }
  if (isChunked && contentLength !== noContentLength) return false;
  if (isChunked) head.framing = BodyFraming.Chunked;
  else if (contentLength === noContentLength) head.framing = BodyFraming.UntilClose;
  else {
    head.framing = BodyFraming.Length;
    head.contentLength = contentLength;
  }
  return true;
}
