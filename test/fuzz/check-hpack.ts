// What must hold for any block of HPACK: it is decoded within bounds, or refused; and what it says can be said again.
import assert from 'node:assert/strict';
import { FieldSection } from '#http/field-section.ts';
import { frameHeadBytes, FrameType } from '#h2/frame.ts';
import { FrameWriter } from '#h2/frame-writer.ts';
import { encodeTrailers } from '#h2/head-encoder.ts';
import { HeaderBlock } from '#h2/header-block.ts';
import { HpackDecoder } from '#h2/hpack-decoder.ts';
import { HpackEncoder } from '#h2/hpack-encoder.ts';
import { regularFields } from '../h2/field-blocks.ts';
import type { NamedValue } from '../h2/field-blocks.ts';
import type { Random } from './random.ts';

const mostBytes = 2000;
const mostFields = 20;
const block = new HeaderBlock(mostBytes, mostFields);
const section = new FieldSection(mostFields);

/** The regular fields; undefined for a block that breaks the compression. */
function decode(decoder: HpackDecoder, bytes: Buffer): readonly NamedValue[] | undefined {
  // Somewhere inside a buffer, as they come.
  const room = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(3, 0x82)]);
  block.begin(section, 0);
  if (!decoder.decode(room, 3, 3 + bytes.length, block)) return undefined;
  assert(block.size >= 0 && block.size <= block.bytes.length);
  if (block.isUseless) return [];
  assert(section.count <= mostFields);
  const fields = regularFields(section);
  const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  assert(size <= mostBytes, `${size} bytes of fields`);
  for (const [name, value] of fields) {
    assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
    assert.doesNotMatch(value, /[\r\n\0]|^[ \t]|[ \t]$/);
  }
  return fields;
}

function encode(encoder: HpackEncoder, fields: readonly NamedValue[]): Buffer {
  const writer = new FrameWriter();
  const lines = `${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  writer.begin(FrameType.Headers, 0, 1);
  encoder.begin(writer);
  encodeTrailers(encoder, writer, Buffer.from(lines, 'latin1'));
  const bytes = Buffer.from(writer.bytes.subarray(frameHeadBytes, writer.size));
  writer.clear();
  return bytes;
}

/** What HTTP/1 alone has is not encoded. */
const ofHttp1 = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings)$/;

export function checkHpack(input: Buffer, random: Random): void {
  const fields = decode(new HpackDecoder(), input);
  const twice = new HpackDecoder();
  const cut = random.below(input.length + 1);
  if (decode(twice, input.subarray(0, cut)) !== undefined) decode(twice, input.subarray(cut));
  if (fields === undefined) return;
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const expected = fields.filter(([name]) => !ofHttp1.test(name));
  for (let left = 3; left > 0; left--) {
    if (random.below(3) === 0) encoder.limitTable(random.oneOf([0, 100, 4096]));
    assert.deepEqual(decode(decoder, encode(encoder, expected)), expected);
  }
}
