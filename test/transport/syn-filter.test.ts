// The program that keeps new handshakes from a listener: run here by hand on the flags of every segment there can be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { synFilter } from '#transport/syn-filter.ts';

const SYN = 0x02;
const ACK = 0x10;

/** How many bytes of the segment are kept. Linux, Documentation/networking/filter: what each code means. */
function run(segment: Uint8Array): number {
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const [code, ifSo, ifNot, operand] = synFilter[at]!;
    if (code === 0x30) accumulator = segment[operand]!;
    else if (code === 0x54) accumulator &= operand;
    else if (code === 0x15) at += accumulator === operand ? ifSo : ifNot;
    else if (code === 0x06) return operand;
    else throw new Error(`unknown code ${code}`);
  }
}

test('only a segment that asks for a connection is dropped, whatever other flags it has', () => {
  for (let flags = 0; flags < 256; flags++) {
    const segment = new Uint8Array(20).fill(0xff);
    segment[13] = flags;
    const isFirst = (flags & SYN) !== 0 && (flags & ACK) === 0;
    assert.equal(run(segment), isFirst ? 0 : 0xffff_ffff, `flags ${flags}`);
  }
});
