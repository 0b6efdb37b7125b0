// A client that reads responses and keeps the books: what it has allowed, what has come, what must still be waiting.
import assert from 'node:assert/strict';
import type { FieldSection } from '#http/field-section.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { connectionPreface, Flag, FrameType } from '#h2/frame.ts';
import { ServerReading, ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { reset, settings, windowUpdate } from './frame-bytes.ts';
import { parseSteps } from './frame-notation.ts';
import { usualLimits } from './session-recorder.ts';
import { readFrames } from './written-frames.ts';

const firstWindow = 65_535;
const nobody: StreamUser = {
  onStreamBody: () => {},
  onStreamEnd: (_trailers: FieldSection | undefined) => {},
  onStreamWritable: () => {},
  onStreamCongested: () => {},
  onStreamClosed: () => {},
};
const reading = new ServerReading(usualLimits);

interface Body {
  readonly stream: Stream;
  given: number;
  readonly received: Buffer[];
  receivedBytes: number;
  window: number;
  isReset: boolean;
  isEnded: boolean;
}

/** What stands at each position of each body, so that nothing can change places unseen. */
function contentOf(streamId: number, start: number, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (7 * streamId + 13 * (start + index)) % 251));
}

export class PeerModel {
  readonly #session: ServerSession;
  readonly #bodies = new Map<number, Body>();
  #connectionWindow = firstWindow;
  #initialWindow = firstWindow;
  #isSocketBlocked = false;

  constructor(streams: number) {
    const owner: ServerSessionOwner = {
      // Time goes on, so that no budget is spent.
      now: () => performance.now() * 1e6,
      onOutput: () => {},
      sendOutput: () => this.#take(),
      onStreamReset: () => {},
      onSessionFailed: (code) => assert.fail(`the session failed: ${code}`),
      onGoAway: () => {},
      onQuiet: () => {},
      onRequest: (stream) => {
        this.#begin(stream);
        return nobody;
      },
      onRefusedRequest: () => assert.fail('nothing is to be refused'),
    };
    this.#session = new ServerSession(owner, reading);
    this.send(connectionPreface);
    this.send(settings([]));
    for (let index = 0; index < streams; index++)
      for (const step of parseSteps(`GET ${2 * index + 1} /`))
        if (step.kind === 'Bytes') this.send(step.bytes);
    for (const { stream } of this.#bodies.values())
      this.#session.sendHead(stream, Buffer.from('HTTP/1.1 200 OK\r\n\r\n', 'latin1'));
    this.#endTurn();
  }

  #begin(stream: Stream): void {
    this.#bodies.set(stream.id, {
      stream,
      given: 0,
      received: [],
      receivedBytes: 0,
      window: firstWindow,
      isReset: false,
      isEnded: false,
    });
  }

  send(bytes: Buffer): void {
    this.#session.push(bytes, 0, bytes.length);
  }

  #body(streamId: number): Body {
    const body = this.#bodies.get(streamId);
    assert(body !== undefined);
    return body;
  }

  give(streamId: number, count: number): void {
    const body = this.#body(streamId);
    if (body.isReset) return;
    const bytes = contentOf(streamId, body.given, count);
    this.#session.sendData(body.stream, bytes, 0, count);
    body.given += count;
    // Who hands it over may use it again.
    bytes.fill(255);
    this.#endTurn();
  }

  /** Counted first: what it lets go may leave before the session has read it all. */
  addWindow(streamId: number, increment: number): void {
    if (streamId === 0) this.#connectionWindow += increment;
    else this.#body(streamId).window += increment;
    this.send(windowUpdate(streamId, increment));
    this.#endTurn();
  }

  changeWindows(window: number): void {
    const difference = window - this.#initialWindow;
    this.#initialWindow = window;
    for (const body of this.#bodies.values()) body.window += difference;
    this.send(settings([[4, window]]));
    this.#endTurn();
  }

  blockSocket(isBlocked: boolean): void {
    const wasBlocked = this.#isSocketBlocked;
    this.#isSocketBlocked = isBlocked;
    if (wasBlocked && !isBlocked) this.#session.resumeOutput();
    this.#endTurn();
  }

  reset(streamId: number): void {
    this.#body(streamId).isReset = true;
    this.send(reset(streamId, ErrorCode.Cancel));
    this.#endTurn();
  }

  #endTurn(): void {
    if (!this.#take()) this.#session.isOutputBlocked = true;
  }

  #take(): boolean {
    const { writer } = this.#session;
    for (const { type, flags, streamId, payload } of readFrames(writer.bytes.subarray(0, writer.size))) {
      assert.notEqual(type, FrameType.RstStream);
      if (type !== FrameType.Data) continue;
      const body = this.#body(streamId);
      assert(!body.isEnded, 'nothing follows the end');
      body.received.push(Buffer.from(payload));
      body.receivedBytes += payload.length;
      body.window -= payload.length;
      this.#connectionWindow -= payload.length;
      if (payload.length > 0)
        assert(body.window >= 0 && this.#connectionWindow >= 0, 'never beyond a window');
      if ((flags & Flag.EndStream) !== 0) body.isEnded = true;
    }
    writer.clear();
    return !this.#isSocketBlocked;
  }

  /** The books of both sides agree, and nothing waits that could have gone. */
  check(): void {
    let waiting = 0;
    for (const body of this.#bodies.values()) {
      if (body.isReset) {
        assert.equal(body.stream.queuedBytes, 0);
        continue;
      }
      const queued = body.given - body.receivedBytes;
      assert.equal(body.stream.queuedBytes, queued);
      assert.equal(body.stream.sendWindow, body.window);
      waiting += queued;
      const mayGo = body.window > 0 && this.#connectionWindow > 0 && !this.#isSocketBlocked;
      assert(queued === 0 || !mayGo, 'what may go has gone');
    }
    assert.equal(this.#session.queuedBytes, waiting);
  }

  /** Everything opens up, and everything comes. */
  finish(): void {
    this.blockSocket(false);
    const plenty = 10_000_000;
    this.addWindow(0, plenty);
    for (const [streamId, body] of this.#bodies) {
      if (body.isReset) continue;
      this.#session.endStream(body.stream, Buffer.alloc(0));
      this.addWindow(streamId, plenty);
      assert(body.isEnded, 'the end comes when everything has');
      assert.deepEqual(Buffer.concat(body.received), contentOf(streamId, 0, body.given));
    }
    assert.equal(this.#session.queuedBytes, 0);
    assert.equal(this.#session.openStreams, 0);
  }
}
