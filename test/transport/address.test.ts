// Addresses as bytes, beside what the runtime takes for one and how URLs write it.
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addressBytes, ipv4Text, ipv6Text } from '#transport/address.ts';

function textOf(bytes: Uint8Array): string {
  return bytes.length === 4 ? ipv4Text(bytes, 0) : ipv6Text(bytes, 0);
}

test('what is an address has bytes, and nothing else has', () => {
  const odd = fc.string({ unit: fc.constantFrom(...'0123456789abcf.:'.split('')), maxLength: 24 });
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), odd), (text) => {
      const bytes = addressBytes(text);
      assert.equal(bytes?.length, { 0: undefined, 4: 4, 6: 16 }[isIP(text)], text);
    }),
    { numRuns: 3000, examples: [['01.2.3.4'], ['1.2.3.00'], ['::01.2.3.4']] },
  );
});

test('an IPv6 address is written as URLs write it, unless it is an IPv4 address in disguise', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.nat(15),
      fc.nat(15),
      (bytes, from, zeros) => {
        bytes.fill(0, from, from + zeros);
        const text = textOf(bytes);
        if (text.includes('.')) return;
        assert.equal(text, new URL(`http://[${text}]`).hostname.slice(1, -1));
        assert.deepEqual(addressBytes(text), bytes);
      },
    ),
  );
  assert.equal(textOf(addressBytes('::ffff:192.0.2.1') ?? new Uint8Array(16)), '192.0.2.1');
  assert.equal(textOf(addressBytes('64:ff9b::192.0.2.1') ?? new Uint8Array(16)), '64:ff9b::c000:201');
});
