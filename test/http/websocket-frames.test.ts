// Frames of a WebSocket are followed by their lengths, however the bytes come; a Close frame of our own is a whole one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goingAway, maskedGoingAway, WebSocketFrames } from '#http/websocket-frames.ts';

interface Frame {
  readonly firstByte: number;
  readonly payload: Buffer;
  /** From a client, and so masked. */
  readonly key: Buffer | undefined;
}

function bytesOf({ firstByte, payload, key }: Frame): Buffer {
  const mask = key === undefined ? 0 : 0x80;
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = firstByte;
  if (length < 126) head[1] = mask | length;
  else if (length < 65_536) {
    head[1] = mask | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = mask | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, key ?? Buffer.alloc(0), payload]);
}

/** Payloads are full of what could be taken for heads. */
const payloads = fc
  .oneof(fc.nat(3), fc.integer({ min: 120, max: 130 }), fc.integer({ min: 65_530, max: 65_540 }))
  .map((length) => Buffer.alloc(length, Buffer.from([0x88, 0x02, 0x82, 0xfe])));

const frames: fc.Arbitrary<Frame> = fc.record({
  firstByte: fc.constantFrom(0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8a, 0xc1, 0x42),
  payload: payloads,
  key: fc.option(
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((key) => Buffer.from(key)),
    { nil: undefined },
  ),
});

test('between two frames and nowhere else, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), (list, cuts) => {
      const all = Buffer.concat(list.map(bytesOf));
      const ends = new Set([0]);
      let end = 0;
      for (const frame of list) ends.add((end += bytesOf(frame).length));
      const places = [...cuts.map((cut) => cut % (all.length + 1)), all.length].toSorted((a, b) => a - b);
      const tracker = new WebSocketFrames();
      let at = 0;
      for (const place of places) {
        tracker.push(all.subarray(at, place));
        at = place;
        assert.equal(tracker.isBetweenFrames, ends.has(place), `after ${place} bytes`);
      }
      assert.equal(tracker.hasClose, false);
    }),
  );
});

test('every single split of every kind of head', () => {
  const keys = [undefined, Buffer.from([0x88, 0, 0xff, 0x7f])];
  for (const length of [0, 1, 125, 126, 300, 65_535, 65_536])
    for (const key of keys) {
      const frame = bytesOf({ firstByte: 0x82, payload: Buffer.alloc(length, 0x88), key });
      for (let split = 1; split < Math.min(frame.length, 20); split++) {
        const tracker = new WebSocketFrames();
        tracker.push(frame.subarray(0, split));
        assert.equal(tracker.isBetweenFrames, false, `${length} bytes, split at ${split}`);
        tracker.push(frame.subarray(split));
        assert.equal(tracker.isBetweenFrames, true, `${length} bytes, split at ${split}`);
      }
    }
});

test('a frame alone is taken to its end, and what follows is left', () => {
  fc.assert(
    fc.property(frames, frames, fc.nat(), (first, second, cut) => {
      const bytes = Buffer.concat([bytesOf(first), bytesOf(second)]);
      const { length } = bytesOf(first);
      const split = cut % length;
      const tracker = new WebSocketFrames();
      assert.equal(tracker.pushFrame(bytes.subarray(0, split), 0), split);
      assert.equal(tracker.pushFrame(bytes, split), length);
      assert.equal(tracker.isBetweenFrames, true);
    }),
  );
});

test('a length that no connection lives to see is no end', () => {
  const tracker = new WebSocketFrames();
  tracker.push(Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]));
  for (let round = 0; round < 100; round++) tracker.push(Buffer.alloc(65_536));
  assert.equal(tracker.isBetweenFrames, false);
});

test('a Close frame is known from its first byte on, a masked one too', () => {
  for (const frame of [goingAway, maskedGoingAway(), Buffer.from([0x88, 0])]) {
    const tracker = new WebSocketFrames();
    tracker.push(frame.subarray(0, 1));
    assert.deepEqual([tracker.hasClose, tracker.isBetweenFrames], [true, false]);
    tracker.push(frame.subarray(1));
    assert.deepEqual([tracker.hasClose, tracker.isBetweenFrames], [true, true]);
  }
});

test('our Close frames say 1001, to servers under a mask that changes', () => {
  assert.deepEqual([...goingAway], [0x88, 2, 3, 0xe9]);
  const masks = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const frame = maskedGoingAway();
    const [first, second, ...rest] = frame;
    assert.deepEqual([first, second, rest.length], [0x88, 0x82, 6]);
    const unmasked = [rest[4]! ^ rest[0]!, rest[5]! ^ rest[1]!];
    assert.deepEqual(unmasked, [3, 0xe9]);
    masks.add(frame.toString('hex', 2, 6));
  }
  assert.ok(masks.size > 15);
});
