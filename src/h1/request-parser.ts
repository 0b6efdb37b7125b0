// Bytes of a client connection -> request heads and bodies, one message after the other (RFC 9112).
//
//   Head --- no body ---------> Head (next message)
//     \---- body --> Body ----> Head
//      \--- doubt --> Failed     \--- doubt --> Failed
import { isTarget, tokenLower } from '#http/characters.ts';
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import { BodyReader } from './body-reader.ts';
import type { BodySink } from './body-reader.ts';
import { fieldInvalid, fieldOverflow, isBlankLine, parseFieldLine } from './field-line.ts';
import { readingsFor } from './head-reading.ts';
import type { HeadReading, HeadReadings } from './head-reading.ts';
import type { LineWindow } from './line-window.ts';
import { methodText } from '#http/method-text.ts';
import type { ParserLimits } from './parser-limits.ts';
import { readRequestFields } from './request-fields.ts';

const SP = 32;
const CR = 13;
const LF = 10;

const State = { Head: 0, Body: 1, Failed: 2 } as const;
type State = (typeof State)[keyof typeof State];

/** Room in the request line for a method, the version and what separates them. */
const requestLineOverhead = 48;
const maxMethodBytes = 24;
/** RFC 9112 2.2 asks for tolerance of an empty line before the request line; one, not a flood of them. */
const maxLeadingEmptyLines = 1;

export interface RequestSink extends BodySink {
  /** `head` is reused for every request; its fields are valid until this returns. */
  onRequestHead(head: RequestHead): void;
  /** `trailers` as sent; undefined without any. Valid until this returns. */
  onRequestEnd(trailers: FieldSection | undefined): void;
}

export class RequestParser {
  /** Set once and for good: nothing after a doubtful byte can be trusted. */
  fault: FaultCode | undefined = undefined;
  readonly #sink: RequestSink;
  readonly #limits: ParserLimits;
  readonly #readings: HeadReadings<RequestHead>;
  /** While a head is under way. */
  #reading: HeadReading<RequestHead> | undefined = undefined;
  #body: BodyReader | undefined = undefined;
  #state: State = State.Head;
  #hasRequestLine = false;
  #emptyLines = 0;

  constructor(sink: RequestSink, limits: ParserLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#readings = readingsFor(limits).requests;
  }

  /** Between two messages: no byte of the next one has been seen. */
  get isBetweenMessages(): boolean {
    return this.#state === State.Head && !this.#hasRequestLine && this.#emptyLines === 0 && !this.#isHolding;
  }
  #isHolding = false;

  /**
   * Takes `bytes[start, end)` up to the end of a head or of a message, whichever comes first, and returns the position
   * reached: the caller decides when to go on. A message without a body ends with its head.
   */
  push(bytes: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case State.Head:
        return this.#pushHead(bytes, start, end);
      case State.Body:
        return this.#pushBody(bytes, start, end);
      case State.Failed:
        return end;
    }
  }

  #pushHead(bytes: Buffer, start: number, end: number): number {
    this.#reading ??= this.#readings.take();
    const { head, lines } = this.#reading;
    lines.open(bytes, start, end);
    head.fields.bytes = lines.bytes;
    while (lines.position < lines.linesEnd) {
      if (!this.#hasRequestLine) {
        if (!this.#takeRequestLine(head, lines)) return end;
      } else if (isBlankLine(lines.bytes, lines.position)) {
        lines.position += 2;
        return this.#endHead(head, lines.chunkPosition(start), end);
      } else {
        const next = parseFieldLine(lines.bytes, lines.position, head.fields);
        if (next === fieldInvalid) return this.#fail('field-invalid', end);
        if (next === fieldOverflow) return this.#fail('head-too-large', end);
        lines.position = next;
      }
    }
    if (!this.#hasRequestLine && lines.restBytes >= this.#limits.targetBytes + requestLineOverhead)
      return this.#fail('target-too-long', end);
    if (lines.isFull) return this.#fail('head-too-large', end);
    const distance = lines.hold();
    head.fields.rebase(lines.bytes, distance);
    this.#isHolding = true;
    return end;
  }

  #endHead(head: RequestHead, after: number, end: number): number {
    const fault = readRequestFields(head);
    if (fault !== undefined) return this.#fail(fault, end);
    this.#hasRequestLine = false;
    this.#emptyLines = 0;
    this.#isHolding = false;
    const reading = this.#reading;
    this.#reading = undefined;
    if (
      head.framing === BodyFraming.None ||
      (head.framing === BodyFraming.Length && head.contentLength === 0)
    ) {
      this.#sink.onRequestHead(head);
      this.#sink.onRequestEnd(undefined);
    } else {
      this.#body ??= new BodyReader(this.#sink, this.#limits, true);
      this.#body.begin(head.framing, head.contentLength, head.fields.count);
      this.#state = State.Body;
      this.#sink.onRequestHead(head);
    }
    if (reading !== undefined) this.#readings.give(reading);
    return after;
  }

  #pushBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body!;
    const after = body.push(bytes, start, end);
    if (body.isFailed) return this.#fail('chunk-invalid', end);
    if (body.isDone) {
      this.#state = State.Head;
      this.#sink.onRequestEnd(body.trailers);
    }
    return after;
  }

  /** `method SP request-target SP HTTP/1.x CRLF`, or one empty line before it. False after a fault. */
  #takeRequestLine(head: RequestHead, lines: LineWindow): boolean {
    const { bytes, position: start, linesEnd } = lines;
    if (isBlankLine(bytes, start) && this.#emptyLines < maxLeadingEmptyLines) {
      this.#emptyLines++;
      lines.position += 2;
      return true;
    }
    head.clear();
    let at = start;
    while (tokenLower[bytes[at]!] !== 0) at++;
    if (at === start || at - start > maxMethodBytes || bytes[at] !== SP) return this.#failLine(lines);
    head.method = methodText(bytes, start, at);
    const targetStart = ++at;
    while (isTarget[bytes[at]!] === 1) at++;
    if (at - targetStart > this.#limits.targetBytes) return this.#failLine(lines, 'target-too-long');
    if (at === targetStart || bytes[at] !== SP) return this.#failLine(lines);
    head.target = bytes.toString('latin1', targetStart, at);
    // "HTTP/1.x" CR LF is ten bytes; a shorter line ends in an LF that none of the comparisons admits.
    const version = ++at;
    if (
      linesEnd - version < 10 ||
      bytes[version] !== 72 ||
      bytes[version + 1] !== 84 ||
      bytes[version + 2] !== 84 ||
      bytes[version + 3] !== 80 ||
      bytes[version + 4] !== 47 ||
      !isDigit(bytes[version + 5]!) ||
      bytes[version + 6] !== 46 ||
      !isDigit(bytes[version + 7]!) ||
      bytes[version + 8] !== CR ||
      bytes[version + 9] !== LF
    )
      return this.#failLine(lines);
    const major = bytes[version + 5]! - 48;
    const minor = bytes[version + 7]! - 48;
    if (major !== 1)
      return this.#failLine(lines, major === 0 ? 'request-line-invalid' : 'version-unsupported');
    if (minor > 1) return this.#failLine(lines);
    head.minorVersion = minor;
    this.#hasRequestLine = true;
    lines.position = version + 10;
    return true;
  }

  /** A line that is too long is that, whatever else is wrong with it: it is refused before its end has come. */
  #failLine(lines: LineWindow, fault: FaultCode = 'request-line-invalid'): boolean {
    const lineEnd = lines.bytes.indexOf(LF, lines.position);
    const isLong = lineEnd - lines.position >= this.#limits.targetBytes + requestLineOverhead;
    this.#fail(isLong ? 'target-too-long' : fault, 0);
    return false;
  }

  #fail(fault: FaultCode, end: number): number {
    this.fault = fault;
    this.#state = State.Failed;
    if (this.#reading !== undefined) this.#readings.give(this.#reading);
    this.#reading = undefined;
    return end;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}
