// The Huffman code: the codes that RFC 7541 prints, there and back for any bytes, and every way to be no string.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { decodeHuffman, encodeHuffman, huffmanInvalid, huffmanLength, huffmanTooLong } from '#h2/huffman.ts';
import { hex } from './field-blocks.ts';

const asIs = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function encode(bytes: Buffer): Buffer {
  const target = Buffer.alloc(4 * bytes.length + 4, 0x5a);
  const end = encodeHuffman(bytes, 0, bytes.length, asIs, target, 0);
  assert.equal(huffmanLength(bytes, 0, bytes.length, asIs), end);
  return target.subarray(0, end);
}

/** The decoded bytes, or why there are none. */
function decode(bytes: Buffer, room = 2 * bytes.length): Buffer | number {
  const target = Buffer.alloc(room + 8, 0x5a);
  const end = decodeHuffman(bytes, 0, bytes.length, target, 4, room + 4);
  assert.deepEqual(target.subarray(0, 4), Buffer.alloc(4, 0x5a), 'nothing is written before the room');
  assert.deepEqual(target.subarray(room + 4), Buffer.alloc(4, 0x5a), 'nothing is written behind the room');
  return end < 0 ? end : target.subarray(4, end);
}

/** Codes of RFC 7541 appendix B: the shortest, one of each length in between, the longest. */
const codes: readonly (readonly [byte: number, bits: string])[] = [
  [0x30, '00000'],
  [0x31, '00001'],
  [0x74, '01001'],
  [0x20, '010100'],
  [0x25, '010101'],
  [0x3a, '1011100'],
  [0x7a, '1111011'],
  [0x26, '11111000'],
  [0x5a, '11111101'],
  [0x21, '1111111000'],
  [0x3f, '1111111100'],
  [0x27, '11111111010'],
  [0x7c, '11111111100'],
  [0x23, '111111111010'],
  [0x3e, '111111111011'],
  [0x00, '1111111111000'],
  [0x24, '1111111111001'],
  [0x5e, '11111111111100'],
  [0x3c, '111111111111100'],
  [0x5c, '1111111111111110000'],
  [0x80, '11111111111111100110'],
  [0x01, '11111111111111111011000'],
  [0x09, '111111111111111111101010'],
  [0x02, '1111111111111111111111100010'],
  [0xff, '11111111111111111111101110'],
  [0x0a, '111111111111111111111111111100'],
  [0x0d, '111111111111111111111111111101'],
  [0x16, '111111111111111111111111111110'],
];

function padded(bits: string): Buffer {
  const whole = bits.padEnd(8 * Math.ceil(bits.length / 8), '1');
  return Buffer.from(whole.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}

describe('the Huffman code', () => {
  for (const [byte, bits] of codes)
    test(`0x${byte.toString(16).padStart(2, '0')} is ${bits}`, () => {
      assert.deepEqual(encode(Buffer.from([byte])), padded(bits));
      assert.deepEqual(decode(padded(bits)), Buffer.from([byte]));
    });

  test('the strings of RFC 7541 appendix C', () => {
    for (const [text, coded] of [
      ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
      ['no-cache', 'a8eb 1064 9cbf'],
      ['custom-key', '25a8 49e9 5ba9 7d7f'],
      ['custom-value', '25a8 49e9 5bb8 e8b4 bf'],
      ['302', '6402'],
      ['private', 'aec3 771a 4b'],
      ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'],
      ['https://www.example.com', '9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3'],
    ] as const) {
      assert.deepEqual(encode(Buffer.from(text, 'latin1')), hex(coded), text);
      assert.deepEqual(decode(hex(coded)), Buffer.from(text, 'latin1'), text);
    }
  });

  test('every byte comes back', () => {
    for (let byte = 0; byte < 256; byte++)
      assert.deepEqual(decode(encode(Buffer.from([byte]))), Buffer.from([byte]));
  });

  test('any bytes come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (codes) => {
        const bytes = Buffer.from(codes);
        assert.deepEqual(decode(encode(bytes)), bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('any bytes are decoded or refused, and what is decoded encodes to them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (codes) => {
        const bytes = Buffer.from(codes);
        const decoded = decode(bytes);
        if (typeof decoded === 'number') assert.equal(decoded, huffmanInvalid);
        else assert.deepEqual(encode(decoded), bytes);
      }),
      { numRuns: 5000 },
    );
  });

  test('the end of the string is not part of it', () => {
    assert.equal(decode(hex('ffff ffff')), huffmanInvalid);
    assert.equal(decode(hex('ffff fffc')), huffmanInvalid);
  });

  test('padding is ones', () => {
    assert.deepEqual(decode(padded('00000')), Buffer.from('0'));
    for (const bits of ['00000000', '00000110', '00000011', '00000101'])
      assert.equal(decode(padded(bits)), huffmanInvalid, bits);
  });

  test('padding is less than a byte', () => {
    assert.deepEqual(decode(padded('00000010100010100')), Buffer.from('0  '), 'seven ones');
    assert.equal(decode(padded('1111100011111111')), huffmanInvalid);
    assert.equal(decode(hex('ff')), huffmanInvalid);
  });

  test('what has no room is not written', () => {
    const coded = encode(Buffer.from('www.example.com'));
    assert.deepEqual(decode(coded, 15), Buffer.from('www.example.com'));
    for (let room = 0; room < 15; room++) assert.equal(decode(coded, room), huffmanTooLong);
  });

  test('where there is less than no room, nothing is written either', () => {
    const coded = encode(Buffer.from('www.example.com'));
    const target = Buffer.alloc(64, 0x5a);
    assert.equal(decodeHuffman(coded, 0, coded.length, target, 12, 10), huffmanTooLong);
    assert.deepEqual(target, Buffer.alloc(64, 0x5a));
  });

  test('bytes go through the map first', () => {
    const upper = Uint8Array.from(asIs, (byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
    const name = Buffer.from('Custom-KEY');
    const target = Buffer.alloc(32);
    const end = encodeHuffman(name, 0, name.length, upper, target, 0);
    assert.deepEqual(target.subarray(0, end), hex('25a8 49e9 5ba9 7d7f'));
    assert.equal(huffmanLength(name, 0, name.length, upper), 8);
  });
});
