// The two messages of grpc.health.v1: their bytes, and what is none of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHealthRequest, readServingStatus, servingStatusText } from '#upstream/grpc-health.ts';

function framed(...message: readonly number[]): Buffer {
  return Buffer.from([0, 0, 0, 0, message.length, ...message]);
}

test('a request names the service, or nothing for the server as a whole', () => {
  assert.equal(encodeHealthRequest('').toString('hex'), '0000000000');
  assert.equal(encodeHealthRequest('shop').toString('hex'), '00000000060a0473686f70');
  const long = encodeHealthRequest('s'.repeat(200));
  // 200 is 0xc8 0x01 as a varint.
  assert.equal(long.subarray(0, 8).toString('hex'), '00000000cb0ac801');
  assert.equal(long.length, 5 + 3 + 200);
});

test('a response has one number; without it, that is 0', () => {
  assert.equal(readServingStatus(framed(0x08, 1)), 1);
  assert.equal(readServingStatus(framed(0x08, 2)), 2);
  assert.equal(readServingStatus(framed()), 0);
  assert.equal(readServingStatus(framed(0x08, 1, 0x08, 3)), 3, 'the last one counts');
  assert.equal(readServingStatus(framed(0x08, 0x81, 0x00)), 1, 'a longer way to write it');
});

test('fields that nobody knows are passed over', () => {
  const unknown = [0x10, 0x96, 0x01, 0x1a, 2, 7, 7, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4];
  assert.equal(readServingStatus(framed(...unknown, 0x08, 1)), 1);
  assert.equal(readServingStatus(framed(0x08, 1, ...unknown)), 1);
});

test('what is no such message is none', () => {
  const broken = [
    Buffer.alloc(0),
    Buffer.from([0, 0, 0, 0]),
    Buffer.from([1, 0, 0, 0, 2, 0x08, 1]),
    Buffer.from([0, 0, 0, 0, 3, 0x08, 1]),
    Buffer.from([0, 0, 0, 0, 1, 0x08, 1]),
    framed(0x08),
    framed(0x08, 0x80),
    framed(0x0b),
    framed(0x1a, 9, 1),
    framed(0x21, 1),
    framed(0x08, ...Array.from({ length: 11 }, () => 0x80), 1),
  ];
  for (const bytes of broken) assert.equal(readServingStatus(bytes), undefined, bytes.toString('hex'));
});

test('whatever the bytes, there is an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const status = readServingStatus(framed(...bytes));
      assert.ok(status === undefined || (Number.isInteger(status) && status >= 0));
    }),
  );
});

test('statuses have names', () => {
  assert.deepEqual([0, 1, 2, 3, 9].map(servingStatusText), [
    'UNKNOWN',
    'SERVING',
    'NOT_SERVING',
    'SERVICE_UNKNOWN',
    'status 9',
  ]);
});
