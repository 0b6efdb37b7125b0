// One write for what one event has to say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Socket } from '#transport/transport.ts';
import { WriteBatch } from '#transport/write-batch.ts';

function recordingSocket(answer = true): Socket & { readonly writes: string[] } {
  const writes: string[] = [];
  return {
    writes,
    remoteAddress: '',
    remotePort: 0,
    localPort: 0,
    pendingBytes: 0,
    write: (bytes) => {
      writes.push(bytes.toString());
      return answer;
    },
    pause: () => {},
    resume: () => {},
    end: () => {},
    destroy: () => {},
    reset: () => {},
  };
}

test('small pieces leave as one write, and the batch is empty again', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket();
  for (const piece of ['head ', 'body ', 'end']) batch.add(Buffer.from(piece));
  assert.equal(batch.isEmpty, false);
  assert.equal(batch.flush(socket), true);
  assert.deepEqual(socket.writes, ['head body end']);
  assert.equal(batch.isEmpty, true);
  assert.equal(batch.flush(socket), true);
  assert.equal(socket.writes.length, 1, 'nothing to say, nothing written');
});

test('large pieces are not copied together, and keep their order', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket(false);
  const large = 'x'.repeat(70_000);
  batch.add(Buffer.from('head'));
  batch.add(Buffer.from(large));
  assert.equal(batch.flush(socket), false, 'onDrain will follow');
  assert.deepEqual(socket.writes, ['head', large]);
});

test('what is cleared is not sent', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket();
  batch.add(Buffer.from('never'));
  batch.clear();
  batch.flush(socket);
  assert.deepEqual(socket.writes, []);
});
