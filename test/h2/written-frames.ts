// What a session has written, read back frame by frame; anything that is not well-formed fails the test.
import assert from 'node:assert/strict';
import { Flag, FrameType } from '#h2/frame.ts';
import { HpackDecoder } from '#h2/hpack-decoder.ts';
import { describeBytes } from '../h1/bytes-notation.ts';
import { decodeBlock, newBlock } from './field-blocks.ts';
import { errorName, settingNames, typeNames } from './frame-words.ts';

export interface WrittenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const mostPayload = 16_384;

const flagsOf: Readonly<Record<number, number>> = {
  [FrameType.Data]: Flag.EndStream,
  [FrameType.Headers]: Flag.EndStream | Flag.EndHeaders,
  [FrameType.Continuation]: Flag.EndHeaders,
  [FrameType.Settings]: Flag.Ack,
  [FrameType.Ping]: Flag.Ack,
};

function isSizeSound({ type, flags, payload: { length } }: WrittenFrame): boolean {
  switch (type) {
    case FrameType.Data:
    case FrameType.Headers:
    case FrameType.Continuation:
      return length <= mostPayload;
    case FrameType.RstStream:
    case FrameType.WindowUpdate:
      return length === 4;
    case FrameType.Ping:
      return length === 8;
    case FrameType.Settings:
      return (flags & Flag.Ack) === 0 ? length % 6 === 0 : length === 0;
    case FrameType.GoAway:
      return length >= 8;
    default:
      return false;
  }
}

const ofConnection: readonly number[] = [FrameType.Settings, FrameType.Ping, FrameType.GoAway];

/** All of `bytes`, which end with a frame. */
export function readFrames(bytes: Buffer): readonly WrittenFrame[] {
  const frames: WrittenFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    assert(at + 9 <= bytes.length, 'a head is whole');
    const end = at + 9 + bytes.readUIntBE(at, 3);
    assert(end <= bytes.length, 'a payload is whole');
    const type = bytes.readUInt8(at + 3);
    const flags = bytes.readUInt8(at + 4);
    const frame = { type, flags, streamId: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, end) };
    assert(isSizeSound(frame), `size of ${typeNames.get(type)}: ${frame.payload.length}`);
    assert.equal(flags & ~(flagsOf[type] ?? 0), 0, `flags of ${typeNames.get(type)}`);
    assert(frame.streamId <= 0x7fff_ffff);
    if (type !== FrameType.WindowUpdate) assert.equal(frame.streamId === 0, ofConnection.includes(type));
    else assert(frame.payload.readUInt32BE() >= 1 && frame.payload.readUInt32BE() <= 0x7fff_ffff);
    frames.push(frame);
    at = end;
  }
  return frames;
}

/** One serves all, since each block is read at once. */
const fieldBlock = newBlock();

/** Frames as lines of text; it follows the compression from block to block. */
export class FrameDescriber {
  readonly #decoder = new HpackDecoder();
  #block: Buffer[] = [];
  /** Where a field section goes on; 0: nowhere. */
  #openStream = 0;

  describe(frame: WrittenFrame): readonly string[] {
    const { type, flags, streamId, payload } = frame;
    const isContinued = type === FrameType.Continuation;
    assert.equal(isContinued ? streamId : 0, this.#openStream, 'nothing comes between the frames of a block');
    const stream = streamId === 0 && type !== FrameType.WindowUpdate ? '' : streamId;
    const words = [typeNames.get(type), stream, ...this.#flagWords(frame)];
    switch (type) {
      case FrameType.Data:
        return [line(words, payload.length === 0 ? '' : `"${describeBytes(payload)}"`)];
      case FrameType.Headers:
      case FrameType.Continuation: {
        this.#block.push(payload);
        const isWhole = (flags & Flag.EndHeaders) !== 0;
        this.#openStream = isWhole ? 0 : streamId;
        return [line(words), ...(isWhole ? this.#takeFields() : [])];
      }
      case FrameType.RstStream:
        return [line(words, errorName(payload.readUInt32BE()))];
      case FrameType.WindowUpdate:
        return [line(words, payload.readUInt32BE())];
      case FrameType.GoAway:
        return [line(words, `last=${payload.readUInt32BE()}`, errorName(payload.readUInt32BE(4)))];
      case FrameType.Ping:
        return [line(words, `"${describeBytes(payload)}"`)];
      default:
        return [line(words, ...settingWords(payload))];
    }
  }

  #flagWords({ type, flags }: WrittenFrame): readonly string[] {
    const isAck = (type === FrameType.Settings || type === FrameType.Ping) && (flags & Flag.Ack) !== 0;
    if (isAck) return ['ACK'];
    return [
      (flags & Flag.EndStream) === 0 ? '' : 'END_STREAM',
      (flags & Flag.EndHeaders) === 0 ? '' : 'END_HEADERS',
    ];
  }

  #takeFields(): readonly string[] {
    const decoded = decodeBlock(this.#decoder, Buffer.concat(this.#block.splice(0)), fieldBlock);
    assert(decoded.isSound && !decoded.isMalformed);
    return decoded.fields.map(([name, value]) => `  ${name}: ${value}`.trimEnd());
  }
}

function settingWords(payload: Buffer): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < payload.length; at += 6) {
    const id = payload.readUInt16BE(at);
    words.push(`${settingNames.get(id) ?? id}=${payload.readUInt32BE(at + 2)}`);
  }
  return words;
}

function line(words: readonly unknown[], ...more: readonly unknown[]): string {
  return [...words, ...more].filter((word) => word !== '').join(' ');
}
