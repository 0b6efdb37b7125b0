// Runs the response parser over input cut at given points, and writes down its events.
import assert from 'node:assert/strict';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import { ResponseParser } from '#h1/response-parser.ts';
import type { ResponseSink } from '#h1/response-parser.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { ResponseHead } from '#http/message-head.ts';
import { describeBytes } from './bytes-notation.ts';
import { dropsWord, EventLog, framingWord } from './event-log.ts';
import { forEachPiece } from './pieces.ts';
import { SilenceMeter } from './silence-meter.ts';

const afterwards = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'latin1');

class ResponseRecorder implements ResponseSink {
  readonly log = new EventLog();
  readonly meter: SilenceMeter;

  constructor(limits: ParserLimits) {
    this.meter = new SilenceMeter(limits);
  }

  onInterimHead(head: ResponseHead): void {
    this.meter.onEvent();
    this.log.head(
      [`interim ${head.status} HTTP/1.${head.minorVersion}`, dropsWord(head.connectionNames)],
      head.fields,
    );
  }

  onResponseHead(head: ResponseHead): void {
    this.meter.onEvent();
    this.log.head(
      [
        `head ${head.status} HTTP/1.${head.minorVersion}`,
        framingWord(head.framing, head.contentLength),
        head.keepAlive ? 'keep-alive' : 'close',
        dropsWord(head.connectionNames),
      ],
      head.fields,
    );
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.meter.onEvent();
    this.log.body(bytes, start, end);
  }

  onSwitch(head: ResponseHead): void {
    this.meter.onEvent();
    this.log.head([`switch ${head.status}`, dropsWord(head.connectionNames)], head.fields);
  }

  onResponseEnd(trailers: FieldSection | undefined): void {
    this.meter.onEvent();
    this.log.end(trailers);
  }
}

export interface ResponseInput {
  readonly bytes: Buffer;
  /** Of the request that is answered. */
  readonly method: string;
  /** The request asked for WebSocket. */
  readonly expectsSwitch?: boolean;
  /** The backend closes its side after the bytes. */
  readonly isEnded: boolean;
}

/** The events of one response, delivered in pieces that end at `cuts`. Bytes after its end are `excess`. */
export function recordResponse(
  { bytes, method, expectsSwitch = false, isEnded }: ResponseInput,
  cuts: readonly number[] = [],
  limits: ParserLimits = defaultParserLimits,
): readonly string[] {
  const recorder = new ResponseRecorder(limits);
  const parser = new ResponseParser(recorder, limits);
  const excess: Buffer[] = [];
  parser.begin(method, expectsSwitch);
  forEachPiece(bytes, cuts, (piece, start, end) => {
    if (parser.fault !== undefined) return;
    const next = parser.push(piece, start, end);
    assert(next >= start && next <= end, 'a push stays in its range');
    assert(next === end || parser.isIdle || parser.hasSwitched, 'only the end of the response leaves bytes');
    recorder.meter.onBytes(next - start);
    if (parser.fault === undefined) recorder.meter.check();
    excess.push(Buffer.from(piece.subarray(next, end)));
  });
  if (isEnded && parser.fault === undefined) parser.finish();
  if (parser.fault !== undefined) {
    recorder.log.fault(parser.fault);
    parser.push(afterwards, 0, afterwards.length);
    return recorder.log.finish(false);
  }
  const rest = describeBytes(Buffer.concat(excess));
  if (rest !== '') recorder.log.line(`excess "${rest}"`);
  return recorder.log.finish(!parser.isIdle && !parser.hasSwitched);
}
