// One write for what one event has to say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Socket } from '#transport/transport.ts';
import { WriteBatch } from '#transport/write-batch.ts';

function recordingSocket(answer = true): Socket & { readonly writes: string[] } {
  const writes: string[] = [];
  return {
    writes,
    events: undefined,
    remoteAddress: '',
    remotePort: 0,
    localPort: 0,
    pendingBytes: 0,
    isEndComing: false,
    write: (bytes, start, end) => {
      writes.push(bytes.toString('latin1', start, end));
      return answer;
    },
    writeCopy: (bytes, start, end) => {
      writes.push(bytes.toString('latin1', start, end));
      return answer;
    },
    pause: () => {},
    resume: () => {},
    end: () => {},
    destroy: () => {},
    reset: () => {},
  };
}

function add(batch: WriteBatch, text: string): void {
  batch.add(Buffer.from(text, 'latin1'), 0, text.length);
}

test('small pieces leave as one write, and the batch is empty again', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket();
  for (const piece of ['head ', 'body ', 'end']) add(batch, piece);
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
  add(batch, 'head');
  add(batch, large);
  assert.equal(batch.flush(socket), false, 'onDrain will follow');
  assert.deepEqual(socket.writes, ['head', large]);
});

test('what is cleared is not sent', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket();
  add(batch, 'never');
  batch.clear();
  batch.flush(socket);
  assert.deepEqual(socket.writes, []);
});

test('a copied piece may change afterwards', () => {
  const batch = new WriteBatch();
  const socket = recordingSocket();
  const bytes = Buffer.from('head ');
  batch.addCopy(bytes, 0, 5);
  bytes.fill('~');
  add(batch, 'body');
  batch.flush(socket);
  assert.deepEqual(socket.writes, ['head body']);
});

test('batches that are filled in turn keep their bytes apart and in order', () => {
  const piece = fc.record({
    batch: fc.nat(2),
    bytes: fc.oneof(fc.nat(40), fc.integer({ min: 30_000, max: 70_000 })),
    isCopy: fc.boolean(),
    isFlushed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const batches = [new WriteBatch(), new WriteBatch(), new WriteBatch()];
      const sockets = batches.map(() => recordingSocket());
      const expected = ['', '', ''];
      for (const [number, { batch, bytes, isCopy, isFlushed }] of pieces.entries()) {
        const buffer = Buffer.alloc(bytes, String.fromCharCode(65 + number));
        expected[batch] += buffer.toString();
        if (isCopy) {
          batches[batch]?.addCopy(buffer, 0, bytes);
          buffer.fill('~');
        } else batches[batch]?.add(buffer, 0, bytes);
        if (isFlushed) batches[batch]?.flush(sockets[batch]!);
      }
      for (const [batch, each] of batches.entries()) each.flush(sockets[batch]!);
      assert.deepEqual(
        sockets.map(({ writes }) => writes.join('')),
        expected,
      );
    }),
  );
});
