// What waits comes out as it went in, and costs by its bytes rather than by its pieces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeldContent } from '#h2/held-content.ts';

function taken(held: HeldContent): Buffer {
  const pieces: Buffer[] = [];
  while (!held.isEmpty) pieces.push(held.shift());
  return Buffer.concat(pieces);
}

test('pieces of any size, pushed and shifted in any order, keep theirs', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20_000 }), fc.constant(0)),
  );
  fc.assert(
    fc.property(sizes, (steps) => {
      const held = new HeldContent();
      const pushed: Buffer[] = [];
      const shifted: Buffer[] = [];
      let left = 0;
      for (const [step, size] of steps.entries()) {
        if (size > 0) {
          const piece = Buffer.alloc(size + 2, step + 1);
          held.push(piece, 1, size + 1);
          pushed.push(piece.subarray(1, size + 1));
          left += size;
        } else if (!held.isEmpty) {
          const piece = held.shift();
          shifted.push(Buffer.from(piece));
          left -= piece.length;
        }
      }
      if (steps.length % 2 === 0) assert.equal(held.clear(), left);
      else shifted.push(taken(held));
      const all = Buffer.concat(shifted);
      assert.ok(all.equals(Buffer.concat(pushed).subarray(0, all.length)));
      assert.deepEqual([held.isEmpty, held.clear()], [true, 0]);
    }),
  );
});

test('a window of single bytes takes a few buffers', () => {
  const held = new HeldContent();
  for (let count = 0; count < 262_144; count++) held.push(Buffer.from('x'), 0, 1);
  assert.ok(held.pieces <= 34, `${held.pieces} buffers`);
  assert.equal(taken(held).length, 262_144);
});
