// The HPACK encoder: what it writes is read back as it was, its table never differs from the decoder's, and some fields
// never enter it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { frameHeadBytes, FrameType } from '#h2/frame.ts';
import { FrameWriter } from '#h2/frame-writer.ts';
import { encodeRequestHead, encodeResponseHead, encodeTrailers } from '#h2/head-encoder.ts';
import { HpackDecoder } from '#h2/hpack-decoder.ts';
import { HpackEncoder } from '#h2/hpack-encoder.ts';
import { decodeBlock, tableOf, tableSize } from './field-blocks.ts';
import type { NamedValue } from './field-blocks.ts';

/** Both ends of a connection. */
class Compression {
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder();

  /** One block of what `encode` writes; its bytes. */
  block(encode: (writer: FrameWriter) => void): Buffer {
    const writer = new FrameWriter();
    writer.begin(FrameType.Headers, 0, 1);
    this.encoder.begin(writer);
    encode(writer);
    const bytes = Buffer.from(writer.bytes.subarray(frameHeadBytes, writer.size));
    writer.clear();
    return bytes;
  }

  fields(fields: readonly NamedValue[]): Buffer {
    return this.block((writer) => encodeTrailers(this.encoder, writer, linesOf(fields)));
  }

  /** What the other side reads. */
  read(bytes: Buffer): readonly NamedValue[] {
    const decoded = decodeBlock(this.decoder, bytes);
    assert(decoded.isSound && !decoded.isMalformed && !decoded.isTooLarge);
    return decoded.fields;
  }
}

function linesOf(fields: readonly NamedValue[]): Buffer {
  return Buffer.from(`${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1');
}

function inLowerCase(fields: readonly NamedValue[]): readonly NamedValue[] {
  return fields.map(([name, value]) => [name.toLowerCase(), value]);
}

const name = fc.oneof(
  fc.constantFrom(
    'Content-Type',
    'cache-control',
    'Server',
    'X-Custom',
    'etag',
    'Vary',
    'authorization',
    'Set-Cookie',
    'content-length',
  ),
  fc
    .string({ unit: fc.constantFrom('a', 'B', 'z', '-', '7', '!', '~'), minLength: 1, maxLength: 20 })
    .map((rest) => `T${rest}`),
);
const value = fc.oneof(
  fc.constantFrom('', 'text/html', 'no-cache', 'gzip', '0', 'v'.repeat(900), 'w'.repeat(3000)),
  fc
    .array(
      fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f),
      { maxLength: 60 },
    )
    .map((codes) =>
      String.fromCharCode(...codes)
        .replaceAll(/^ +| +$/g, '')
        .trim(),
    ),
);
const field: fc.Arbitrary<NamedValue> = fc.tuple(name, value);

describe('HpackEncoder', () => {
  test('what it writes is read back, over any blocks and any sizes of the table', () => {
    const block = fc.record({
      limits: fc.array(fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.constantFrom(0, 31, 4096, 65_536)), {
        maxLength: 3,
      }),
      fields: fc.array(field, { maxLength: 12 }),
      /** Fields that come often are what the table is for. */
      repeats: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), (blocks) => {
        const compression = new Compression();
        for (const { limits, fields, repeats } of blocks) {
          for (const limit of limits) compression.encoder.limitTable(limit);
          for (let left = repeats; left > 0; left--)
            assert.deepEqual(compression.read(compression.fields(fields)), inLowerCase(fields));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('heads of responses', () => {
    const compression = new Compression();
    for (let status = 100; status < 1000; status++) {
      const head = Buffer.from(`HTTP/1.1 ${status} Any Reason\r\nDate: now\r\n\r\nbody`, 'latin1');
      const bytes = compression.block((writer) => {
        assert.equal(encodeResponseHead(compression.encoder, writer, head), head.length - 'body'.length);
      });
      assert.deepEqual(compression.read(bytes), [
        [':status', String(status)],
        ['date', 'now'],
      ]);
    }
  });

  test('heads of requests', () => {
    const compression = new Compression();
    for (const [method, path, authority, scheme] of [
      ['GET', '/', 'a.example', 'http'],
      ['POST', '/index.html', 'a.example:8080', 'https'],
      ['PATCH', '/a?b=c d'.replace(' ', '%20'), '[::1]', 'http'],
      ['GET', '/index.htm', 'a.example', 'https'],
      ['OPTIONS', '*', 'a.example', 'http'],
    ] as const) {
      const head = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\nAccept: */*\r\n\r\n`);
      const bytes = compression.block((writer) =>
        encodeRequestHead(compression.encoder, writer, head, scheme),
      );
      assert.deepEqual(compression.read(bytes), [
        [':authority', authority],
        [':method', method],
        [':path', path],
        [':scheme', scheme],
        ['accept', '*/*'],
      ]);
    }
  });

  test('leaves out what HTTP/1 alone has', () => {
    const compression = new Compression();
    const bytes = compression.fields([
      ['Connection', 'close'],
      ['Keep-Alive', 'timeout=5'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'websocket'],
      ['Proxy-Connection', 'close'],
      ['TE', 'trailers'],
      ['Trailer', 'x-sum'],
      ['X-Sum', '1'],
    ]);
    assert.deepEqual(compression.read(bytes), [
      ['te', 'trailers'],
      ['trailer', 'x-sum'],
      ['x-sum', '1'],
    ]);
  });

  test('a field enters the table when it comes again, and is a byte from then on', () => {
    const compression = new Compression();
    const fields: readonly NamedValue[] = [['x-custom', 'some value']];
    compression.read(compression.fields(fields));
    assert.deepEqual(tableOf(compression.decoder), []);
    compression.read(compression.fields(fields));
    assert.deepEqual(tableOf(compression.decoder), ['x-custom: some value']);
    assert.equal(compression.fields(fields).length, 1);
  });

  test('a field that is another one every time never enters the table', () => {
    const compression = new Compression();
    for (let count = 0; count < 2000; count++)
      compression.read(
        compression.fields([
          ['x-trace', `${count}-${count * 7919}`],
          ['X-Request-Id', 'always the same'],
          ['Content-Length', '5'],
          ['ETag', '"e"'],
        ]),
      );
    assert.deepEqual(tableOf(compression.decoder), []);
  });

  test('credentials never enter a table, of nobody on the way', () => {
    const compression = new Compression();
    for (const [each, index] of [
      ['Authorization', 23],
      ['cookie', 32],
      ['SET-COOKIE', 55],
    ] as const)
      for (let left = 5; left > 0; left--) {
        const bytes = compression.fields([[each, 'secret']]);
        compression.read(bytes);
        // Never indexed (RFC 7541 6.2.3), with the index of the name in the four low bits and the byte that follows.
        assert.deepEqual([bytes[0], bytes[1]], [0x1f, index - 15]);
        assert.deepEqual(tableOf(compression.decoder), []);
      }
  });

  test('large fields do not push the others out', () => {
    const compression = new Compression();
    const small: readonly NamedValue[] = [['a', 'b']];
    for (let left = 3; left > 0; left--) compression.read(compression.fields(small));
    for (let left = 10; left > 0; left--)
      compression.read(compression.fields([['x-large', 'v'.repeat(2000)]]));
    assert.deepEqual(tableOf(compression.decoder), ['a: b']);
  });

  test('a table that was smaller in between is told so, even if it is as large again', () => {
    const compression = new Compression();
    const fields: readonly NamedValue[] = [['x-custom', 'some value']];
    for (let left = 3; left > 0; left--) compression.read(compression.fields(fields));
    compression.encoder.limitTable(0);
    compression.encoder.limitTable(4096);
    const bytes = compression.fields(fields);
    const told = Buffer.concat([tableSize(0), tableSize(4096)]);
    assert.deepEqual(bytes.subarray(0, told.length), told);
    assert.deepEqual(compression.read(bytes), fields);
  });

  test('a larger table than everybody has is not used, and nothing is said of it', () => {
    const compression = new Compression();
    compression.encoder.limitTable(65_536);
    assert.deepEqual(compression.fields([]), Buffer.alloc(0));
  });
});
