// More waits for a client than is kept for it: streams whose own windows are open stand still until some of it is gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionPreface } from '#h2/frame.ts';
import { ServerReading, ServerSession } from '#h2/server-session.ts';
import type { ServerSessionOwner } from '#h2/server-session.ts';
import { mostQueuedBytes } from '#h2/session-limits.ts';
import type { Stream, StreamUser } from '#h2/stream.ts';
import { FrameParser } from './frame-notation.ts';
import { usualLimits } from './session-recorder.ts';

class Owner implements ServerSessionOwner {
  readonly streams: Stream[] = [];
  readonly writable: number[] = [];
  isOutputDue = false;
  readonly session: ServerSession = new ServerSession(this, new ServerReading(usualLimits));

  readonly now = (): number => 1000;

  onRequest(stream: Stream): StreamUser {
    this.streams.push(stream);
    const { writable } = this;
    return {
      onStreamBody() {},
      onStreamEnd() {},
      onStreamWritable: () => writable.push(stream.id),
      onStreamCongested() {},
      onStreamClosed() {},
    };
  }

  onRefusedRequest(stream: Stream): StreamUser {
    return this.onRequest(stream);
  }

  receive(notation: string): void {
    const bytes = new FrameParser().bytesOf(notation);
    this.session.push(bytes, 0, bytes.length);
    this.endTurn();
  }

  endTurn(): void {
    if (!this.isOutputDue) return;
    this.isOutputDue = false;
    this.session.endTurn();
    this.session.writer.clear();
  }

  onOutput(): void {
    this.isOutputDue = true;
  }

  sendOutput(): boolean {
    this.session.writer.clear();
    return true;
  }

  onStreamReset(): void {}
  onSessionFailed(): void {}
  onGoAway(): void {}
  onQuiet(): void {}
}

for (const [title, free] of [
  ['the client resets', (owner: Owner) => owner.receive('RST_STREAM 1 CANCEL')],
  [
    'we give up',
    (owner: Owner) => {
      owner.session.abandon(owner.streams[0]!, 0);
      owner.endTurn();
    },
  ],
] as const)
  test(`a stream goes on when one that holds too much is over, which ${title}`, () => {
    const owner = new Owner();
    const { session } = owner;
    session.push(connectionPreface, 0, connectionPreface.length);
    owner.receive('SETTINGS INITIAL_WINDOW_SIZE=0\nGET 1 /\nGET 3 /\nWINDOW_UPDATE 3 1000');
    session.sendData(owner.streams[0]!, Buffer.alloc(mostQueuedBytes + 1), 0, mostQueuedBytes + 1);
    assert.equal(session.isFlowing(owner.streams[1]!), false);
    owner.endTurn();
    assert.deepEqual(owner.writable, []);
    free(owner);
    assert.deepEqual(owner.writable, [3]);
  });
