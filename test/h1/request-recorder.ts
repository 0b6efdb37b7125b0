// Runs the request parser over input cut at given points, and writes down its events.
import assert from 'node:assert/strict';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import type { ParserLimits } from '#h1/parser-limits.ts';
import { RequestParser } from '#h1/request-parser.ts';
import type { RequestSink } from '#h1/request-parser.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead } from '#http/message-head.ts';
import { describeBytes } from './bytes-notation.ts';
import { dropsWord, EventLog, framingWord } from './event-log.ts';
import { forEachPiece } from './pieces.ts';
import { SilenceMeter } from './silence-meter.ts';

const afterwards = Buffer.from('GET /afterwards HTTP/1.1\r\nHost: a.example\r\n\r\n', 'latin1');

class RequestRecorder implements RequestSink {
  readonly log = new EventLog();
  readonly meter: SilenceMeter;

  constructor(limits: ParserLimits) {
    this.meter = new SilenceMeter(limits);
  }

  onRequestHead(head: RequestHead): void {
    this.meter.onEvent();
    this.log.head(
      [
        `head ${head.method} ${describeBytes(Buffer.from(head.target, 'latin1'))} HTTP/1.${head.minorVersion}`,
        head.hostname === '' ? '' : `host=${head.hostname}`,
        head.authority === head.hostname ? '' : `authority=${head.authority}`,
        framingWord(head.framing, head.contentLength),
        head.keepAlive ? 'keep-alive' : 'close',
        head.expectsContinue ? 'expect=continue' : '',
        head.expectsOther ? 'expect=other' : '',
        head.acceptsTrailers ? 'te=trailers' : '',
        head.upgradesToWebSocket ? 'upgrade=websocket' : '',
        dropsWord(head.connectionNames),
      ],
      head.fields,
    );
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.meter.onEvent();
    this.log.body(bytes, start, end);
  }

  onRequestEnd(trailers: FieldSection | undefined): void {
    this.meter.onEvent();
    this.log.end(trailers);
  }
}

/** The events of `bytes`, delivered in pieces that end at `cuts`. */
export function recordRequests(
  bytes: Buffer,
  cuts: readonly number[] = [],
  limits: ParserLimits = defaultParserLimits,
): readonly string[] {
  const recorder = new RequestRecorder(limits);
  const parser = new RequestParser(recorder, limits);
  forEachPiece(bytes, cuts, (piece, start, end) => {
    let at = start;
    while (at < end && parser.fault === undefined) {
      const next = parser.push(piece, at, end);
      assert(next > at && next <= end, 'every push takes bytes, and none that are not its own');
      recorder.meter.onBytes(next - at);
      at = next;
    }
    if (parser.fault === undefined) recorder.meter.check();
  });
  if (parser.fault === undefined) return recorder.log.finish(!parser.isBetweenMessages);
  recorder.log.fault(parser.fault);
  parser.push(afterwards, 0, afterwards.length);
  return recorder.log.finish(false);
}
