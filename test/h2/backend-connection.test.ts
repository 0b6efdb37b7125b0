// What one request may do to a connection to a backend that others share: no number of resets ends it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ClientReading, ClientSession } from '#h2/client-session.ts';
import type { RequestStream, ResponseUser } from '#h2/client-session.ts';
import { ErrorCode } from '#h2/error-code.ts';
import { FrameType } from '#h2/frame.ts';
import type { SessionOwner } from '#h2/session-owner.ts';
import { mostQueuedBytes } from '#h2/session-limits.ts';
import { Setting } from '#h2/setting.ts';
import { frame, reset, settings } from './frame-bytes.ts';
import { usualLimits } from './session-recorder.ts';

/** Well above what a client may do to us. */
const resets = 3000;
const head = Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n', 'latin1');

class Owner implements SessionOwner {
  failure: ErrorCode | undefined = undefined;
  readonly session: ClientSession = new ClientSession(this, new ClientReading(usualLimits), 'http');

  constructor() {
    this.receive(settings([]));
  }

  readonly now = (): number => 1000;

  receive(bytes: Buffer): void {
    this.session.push(bytes, 0, bytes.length);
    this.session?.writer.clear();
  }

  onOutput(): void {}

  sendOutput(): boolean {
    this.session.writer.clear();
    return true;
  }

  onStreamReset(): void {}

  onSessionFailed(code: ErrorCode): void {
    this.failure = code;
  }

  onGoAway(): void {}

  onQuiet(): void {}
}

function nobody(): ResponseUser {
  return {
    onStreamHead() {},
    onStreamBody() {},
    onStreamEnd() {},
    onStreamWritable() {},
    onStreamClosed() {},
  };
}

suite('a connection to a backend outlives any number of', () => {
  function each(act: (owner: Owner, stream: RequestStream) => void): void {
    const owner = new Owner();
    const other = owner.session.open(head, nobody(), false);
    for (let count = 0; count < resets; count++) act(owner, owner.session.open(head, nobody(), false));
    assert.equal(owner.failure, undefined);
    assert.equal(other.isClosed, false);
    assert.equal(owner.session.openStreams, 1);
  }

  test('requests that clients give up', () => {
    each(({ session }, stream) => session.abandon(stream, ErrorCode.Cancel));
  });

  test('requests that it resets', () => {
    each((owner, { id }) => owner.receive(reset(id, ErrorCode.InternalError)));
  });

  test('malformed responses', () => {
    // Content before the head.
    each((owner, { id }) => owner.receive(frame(FrameType.Data, 0, id, Buffer.from('x'))));
  });

  test('answers before the request has ended, of which it wants nothing more', () => {
    const answer = Buffer.from([0x88]);
    each((owner, stream) => {
      owner.receive(frame(FrameType.Headers, 5, stream.id, answer));
      owner.session.abandon(stream, ErrorCode.Cancel);
      owner.receive(reset(stream.id, ErrorCode.NoError));
    });
  });
});

test('a backend that resets what is long over is one that floods', () => {
  const owner = new Owner();
  const { id } = owner.session.open(head, nobody(), false);
  for (let count = 0; count < resets; count++) owner.receive(reset(id, ErrorCode.NoError));
  assert.equal(owner.failure, ErrorCode.EnhanceYourCalm);
});

test('behind uploads that it does not take no other request is begun', () => {
  const owner = new Owner();
  owner.receive(settings([[Setting.InitialWindowSize, 0]]));
  const stream = owner.session.open(head, nobody(), false);
  assert.equal(owner.session.hasRoom, true);
  owner.session.sendData(stream, Buffer.alloc(mostQueuedBytes + 1), 0, mostQueuedBytes + 1);
  assert.equal(owner.session.hasRoom, false);
  owner.receive(reset(stream.id, ErrorCode.Cancel));
  assert.equal(owner.session.hasRoom, true);
});
