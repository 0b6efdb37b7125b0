// Runs the server's side of a connection over input cut at given points, and writes down events and frames.
import assert from 'node:assert/strict';
import type { FaultCode } from '#http/fault.ts';
import type { FieldSection } from '#http/field-section.ts';
import type { RequestHead } from '#http/message-head.ts';
import type { ErrorCode } from '#h2/error-code.ts';
import { largestWindow } from '#h2/frame.ts';
import { ServerReading, ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import type { SessionLimits } from '#h2/session-limits.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { describeBytes, parseBytes } from '../h1/bytes-notation.ts';
import { framingWord } from '../h1/event-log.ts';
import { forEachPiece } from '../h1/pieces.ts';
import type { Step } from './frame-notation.ts';
import { errorName, errorNames, numberOf } from './frame-words.ts';
import { SessionLog } from './session-log.ts';
import { FrameDescriber, readFrames } from './written-frames.ts';

export const usualLimits: SessionLimits = {
  headBytes: 65_536,
  fields: 100,
  targetBytes: 16_384,
  concurrentStreams: 100,
};

/** As in a thread of the proxy, all sessions share one. */
const readings = new Map<string, ServerReading>();

function readingOf(limits: SessionLimits): ServerReading {
  const key = JSON.stringify(limits);
  const reading = readings.get(key) ?? new ServerReading(limits);
  readings.set(key, reading);
  return reading;
}

class StreamRecorder implements StreamUser {
  readonly stream: Stream;
  readonly #recorder: SessionRecorder;

  constructor(recorder: SessionRecorder, stream: Stream) {
    this.#recorder = recorder;
    this.stream = stream;
  }

  onStreamBody(bytes: Buffer, start: number, end: number): void {
    this.#recorder.event();
    this.#recorder.log.body(this.stream.id, bytes, start, end);
  }

  onStreamEnd(trailers: FieldSection | undefined): void {
    this.#recorder.event(`end ${this.stream.id}`);
    if (trailers !== undefined) this.#recorder.fields('trailer', trailers);
  }

  onStreamWritable(): void {
    this.#recorder.event(`writable ${this.stream.id}`);
  }

  onStreamCongested(): void {
    this.#recorder.event(`congested ${this.stream.id}`);
  }

  onStreamClosed(code: number): void {
    this.#recorder.event(`closed ${this.stream.id} ${errorName(code)}`);
  }
}

/**
 * What `! ...` does: `answer ID STATUS "body"`, `head ID STATUS`, `data ID "bytes"`, `end ID ["trailer: value"]`,
 * `reset ID CODE`, `ask ID` (whether it flows), `drop-rest ID`, `consume ID COUNT`, `announce-end`, `refuse-new-streams`, `reset-stalled`, `block`, `drain` (of
 * the socket), `wait MS`.
 */
export class SessionRecorder implements ServerSessionOwner {
  readonly log = new SessionLog();
  readonly session: ServerSession;
  readonly now = (): number => this.#nowMs;
  readonly #streams = new Map<number, Stream>();
  readonly #describer = new FrameDescriber();
  readonly #written = new Map<number, number>();
  #nowMs = 1000;
  #seenBytes = 0;
  #isSocketBlocked = false;
  #hasFailed = false;

  constructor(limits: SessionLimits) {
    this.session = new ServerSession(this, readingOf(limits));
  }

  /** Frames that stand in the writer come before `line`. */
  event(line?: string): void {
    assert(!this.#hasFailed, `no event after the end: ${line}`);
    this.#readWriter();
    if (line !== undefined) this.log.line(line);
  }

  fields(word: string, fields: FieldSection): void {
    for (let index = 0; index < fields.count; index++) {
      const value = describeBytes(Buffer.from(fields.value(index), 'latin1'));
      this.log.line(`  ${word} ${fields.name(index)}: ${value}`.trimEnd());
    }
  }

  // Events

  onRequest(stream: Stream, head: RequestHead, isEnd: boolean): StreamUser {
    const words = [
      `request ${stream.id} ${head.method} ${describeBytes(Buffer.from(head.target, 'latin1'))}`,
      `host=${head.hostname}`,
      head.authority === head.hostname ? '' : `authority=${head.authority}`,
      framingWord(head.framing, head.contentLength),
      head.expectsContinue ? 'expect=continue' : '',
      head.expectsOther ? 'expect=other' : '',
      head.acceptsTrailers ? 'te=trailers' : '',
      head.upgradesToWebSocket ? 'upgrade=websocket' : '',
      isEnd ? 'end' : '',
    ];
    this.event(words.filter((each) => each !== '').join(' '));
    this.fields('field', head.fields);
    return this.#begin(stream);
  }

  onRefusedRequest(stream: Stream, method: string, fault: FaultCode): StreamUser {
    this.event(`refused ${stream.id} ${method} ${fault}`);
    return this.#begin(stream);
  }

  #begin(stream: Stream): StreamUser {
    this.#streams.set(stream.id, stream);
    return new StreamRecorder(this, stream);
  }

  onSessionFailed(code: ErrorCode): void {
    this.event(`failed ${errorName(code)}`);
    this.#hasFailed = true;
  }

  onStreamReset(): void {}

  onGoAway(lastStreamId: number, code: number): void {
    this.event(`goaway last=${lastStreamId} ${errorName(code)}`);
  }

  onQuiet(): void {}

  onOutput(): void {}

  sendOutput(): boolean {
    this.#readWriter();
    this.session.writer.clear();
    this.#seenBytes = 0;
    return !this.#isSocketBlocked;
  }

  /** Frames of one type that have been written. */
  writtenOf(type: number): number {
    return this.#written.get(type) ?? 0;
  }

  /** Of all streams that were begun. */
  checkWindows(): void {
    let queuedBytes = 0;
    for (const { sendWindow, receiveWindow, isClosed, queuedBytes: own } of this.#streams.values()) {
      if (isClosed) continue;
      assert(sendWindow >= -largestWindow && sendWindow <= largestWindow, `${sendWindow} bytes to send`);
      assert(receiveWindow >= 0 && receiveWindow <= largestWindow, `${receiveWindow} bytes to come`);
      queuedBytes += own;
    }
    assert.equal(this.session.queuedBytes, queuedBytes);
  }

  #readWriter(): void {
    const { writer } = this.session;
    const bytes = writer.bytes.subarray(this.#seenBytes, writer.size);
    this.#seenBytes = writer.size;
    for (const frame of readFrames(bytes)) {
      this.#written.set(frame.type, this.writtenOf(frame.type) + 1);
      for (const line of this.#describer.describe(frame)) this.log.line(`> ${line}`);
    }
  }

  // Steps

  /** `cuts` count the bytes of all steps. */
  run(steps: readonly Step[], cuts: readonly number[]): void {
    let from = 0;
    for (const step of steps) {
      if (step.kind === 'Action') this.#act(step.words);
      else {
        const own = cuts.map((cut) => cut - from).filter((cut) => cut > 0 && cut < step.bytes.length);
        forEachPiece(step.bytes, own, (piece, start, end) => this.session.push(piece, start, end));
        from += step.bytes.length;
      }
      if (!this.sendOutput()) this.session.isOutputBlocked = true;
    }
  }

  #act([word, first = '', ...more]: readonly string[]): void {
    const { session } = this;
    const text = parseBytes((more.at(-1) ?? '').replaceAll('"', ''));
    switch (word) {
      case 'answer': {
        const stream = this.#streamOf(first);
        this.#sendHead(stream, more[0] ?? '');
        if (more.length > 1) session.sendData(stream, text, 0, text.length);
        return session.endStream(stream, Buffer.alloc(0));
      }
      case 'head':
        return this.#sendHead(this.#streamOf(first), more[0] ?? '');
      case 'data':
        return session.sendData(this.#streamOf(first), text, 0, text.length);
      case 'end': {
        const trailers = more.length === 0 ? '' : `${text.toString('latin1')}\r\n\r\n`;
        return session.endStream(this.#streamOf(first), Buffer.from(trailers, 'latin1'));
      }
      case 'reset':
        return session.resetStream(this.#streamOf(first), numberOf(more[0] ?? '', errorNames) as ErrorCode);
      case 'ask':
        session.isFlowing(this.#streamOf(first));
        return undefined;
      case 'drop-rest':
        return session.dropRest(this.#streamOf(first));
      case 'consume':
        return session.consume(this.#streamOf(first), Number(more[0]));
      case 'announce-end':
        return session.announceEnd();
      case 'refuse-new-streams':
        return session.refuseNewStreams();
      case 'reset-stalled':
        return session.resetStalled();
      case 'block':
        this.#isSocketBlocked = true;
        return undefined;
      case 'drain':
        this.#isSocketBlocked = false;
        return session.resumeOutput();
      case 'wait':
        this.#nowMs += Number(first);
        return undefined;
      default:
        throw new Error(`not an action: ${word}`);
    }
  }

  #sendHead(stream: Stream, status: string): void {
    this.session.sendHead(stream, Buffer.from(`HTTP/1.1 ${status} Reason\r\n\r\n`, 'latin1'));
  }

  #streamOf(text: string): Stream {
    const stream = this.#streams.get(Number(text));
    assert(stream !== undefined, `no stream ${text}`);
    return stream;
  }
}
