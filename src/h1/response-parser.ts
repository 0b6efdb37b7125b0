// Bytes of a backend connection -> response heads and bodies (RFC 9112). As strict as with clients: a response that
// cannot be trusted to its last byte would poison the next one on the same connection.
//
//   Idle -- begin() --> Head -- 1xx --> Head -- final, body --> Body --> Idle
//                         \------------------ final, no body ----------> Idle
import type { FaultCode } from '#http/fault.ts';
import { Field } from '#http/field.ts';
import { BodyFraming, ResponseHead } from '#http/message-head.ts';
import { BodyReader } from './body-reader.ts';
import type { BodySink } from './body-reader.ts';
import { fieldInvalid, isBlankLine, parseFieldLine } from './field-line.ts';
import { noContentLength, parseContentLength, readConnection } from './framing-fields.ts';
import { LineWindow } from './line-window.ts';
import type { ParserLimits } from './parser-limits.ts';

const State = { Idle: 0, Head: 1, Body: 2, Failed: 3 } as const;
type State = (typeof State)[keyof typeof State];

/** A backend that sends interim responses without end is not answering. */
const maxInterimResponses = 16;

const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n$/;

export interface ResponseSink extends BodySink {
  /** A 1xx; the final response is still to come. */
  onInterimHead(head: ResponseHead): void;
  /** `head` is reused; its fields are valid until this returns. */
  onResponseHead(head: ResponseHead): void;
  onResponseEnd(): void;
}

export class ResponseParser {
  fault: FaultCode | undefined = undefined;
  readonly head: ResponseHead;
  readonly #sink: ResponseSink;
  readonly #lines: LineWindow;
  readonly #body: BodyReader;
  #state: State = State.Idle;
  #isHeadRequest = false;
  #hasStatusLine = false;
  #interimResponses = 0;

  constructor(sink: ResponseSink, limits: ParserLimits) {
    this.#sink = sink;
    this.head = new ResponseHead(limits.fields);
    this.#lines = new LineWindow(limits.headBytes);
    this.#body = new BodyReader(sink, limits, false);
  }

  /** Expects the response to one request. The method decides whether a body follows (9112 6.3). */
  begin(method: string): void {
    this.#state = State.Head;
    this.#isHeadRequest = method === 'HEAD';
    this.#hasStatusLine = false;
    this.#interimResponses = 0;
    this.#lines.reset();
  }

  /** Nothing is expected: any byte that comes now belongs to no request. */
  get isIdle(): boolean {
    return this.#state === State.Idle;
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
    if (this.#state === State.Idle || this.#state === State.Failed) return;
    if (this.#state === State.Body && this.#body.finish()) {
      this.#state = State.Idle;
      this.#sink.onResponseEnd();
      return;
    }
    this.#fail(this.#state === State.Body ? 'backend-truncated' : 'backend-reset', 0);
  }

  #pushHead(bytes: Buffer, start: number, end: number): number {
    const lines = this.#lines;
    lines.open(bytes, start, end);
    this.head.fields.bytes = lines.bytes;
    while (lines.position < lines.linesEnd) {
      if (!this.#hasStatusLine) {
        if (!this.#takeStatusLine()) return this.#fail('backend-malformed', end);
      } else if (isBlankLine(lines.bytes, lines.position)) {
        lines.position += 2;
        const after = lines.chunkPosition(start);
        if (!this.#endHead()) return this.#fail('backend-malformed', end);
        return after;
      } else {
        const next = parseFieldLine(lines.bytes, lines.position, this.head.fields);
        if (next <= fieldInvalid) return this.#fail('backend-malformed', end);
        lines.position = next;
      }
    }
    if (lines.isFull) return this.#fail('backend-malformed', end);
    const distance = lines.hold();
    this.head.fields.rebase(lines.bytes, distance);
    return end;
  }

  #takeStatusLine(): boolean {
    const lines = this.#lines;
    const lineEnd = lines.bytes.indexOf(10, lines.position) + 1;
    const parsed = statusLine.exec(lines.bytes.toString('latin1', lines.position, lineEnd));
    if (parsed === null) return false;
    this.head.clear();
    this.head.minorVersion = parsed[1] === '1' ? 1 : 0;
    this.head.status = Number(parsed[2]);
    this.#hasStatusLine = true;
    lines.position = lineEnd;
    return true;
  }

  /** False when the head contradicts itself. */
  #endHead(): boolean {
    const { head } = this;
    this.#lines.reset();
    this.#hasStatusLine = false;
    if (head.status < 200) {
      // Flint never asks for an upgrade, so nobody may switch protocols.
      if (head.status === 101 || ++this.#interimResponses > maxInterimResponses) return false;
      this.#readConnection();
      this.#sink.onInterimHead(head);
      return true;
    }
    if (!this.#readFraming()) return false;
    const hasBody =
      head.framing !== BodyFraming.None && !(head.framing === BodyFraming.Length && head.contentLength === 0);
    const isBodiless = this.#isHeadRequest || head.status === 204 || head.status === 304;
    if (hasBody && !isBodiless) {
      this.#body.begin(head.framing, head.contentLength, head.fields.count);
      this.#state = State.Body;
      this.#sink.onResponseHead(head);
    } else {
      // The length of a HEAD or 304 response describes a body that does not come; it is passed on as a field.
      this.#state = State.Idle;
      this.#sink.onResponseHead(head);
      this.#sink.onResponseEnd();
    }
    return true;
  }

  #readConnection(): void {
    const { fields } = this.head;
    this.head.keepAlive = this.head.minorVersion === 1;
    for (let index = 0; index < fields.count; index++)
      if (fields.ids[index] === Field.Connection) readConnection(this.head, fields.value(index));
  }

  /** RFC 9112 6.3, refusing what it would have a recipient repair. */
  #readFraming(): boolean {
    const { head } = this;
    const { fields } = head;
    let contentLength = noContentLength;
    let isChunked = false;
    this.#readConnection();
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

  #pushBody(bytes: Buffer, start: number, end: number): number {
    const after = this.#body.push(bytes, start, end);
    if (this.#body.isFailed) return this.#fail('backend-malformed', end);
    if (this.#body.isDone) {
      this.#state = State.Idle;
      this.#sink.onResponseEnd();
    }
    return after;
  }

  #fail(fault: FaultCode, end: number): number {
    this.fault = fault;
    this.#state = State.Failed;
    this.#lines.reset();
    return end;
  }
}
