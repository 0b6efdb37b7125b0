// Generators of what clients send: whole conversations, odd frames, and damage.
import * as fc from 'fast-check';
import { Flag, FrameType } from '#h2/frame.ts';
import { indexed, literal, tableSize } from './field-blocks.ts';
import { frame, reset, settings, uint32, windowUpdate } from './frame-bytes.ts';

/** Few, so that frames meet. */
const streamId: fc.Arbitrary<number> = fc.constantFrom(1, 3, 5, 7, 9, 2, 0);

const request = [
  literal(':method', 'POST', 0x40),
  indexed(6),
  indexed(4),
  literal(':authority', 'a.example', 0x40),
];

const field: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(indexed(2), indexed(3), indexed(4), indexed(6), indexed(62), indexed(63), indexed(99)),
  fc.constantFrom(
    literal('content-length', '5'),
    literal('cookie', 'a=b'),
    literal('te', 'trailers'),
    literal('connection', 'close'),
    literal('A', 'b'),
    literal('x', 'y\n'),
    literal('x-long', 'v'.repeat(300), 0x40),
    tableSize(0),
    tableSize(4096),
  ),
  fc
    .tuple(
      fc.string({ unit: fc.constantFrom('a', 'b', '-', ':'), maxLength: 4 }),
      fc.string({ maxLength: 6 }),
      fc.constantFrom(0x40, 0x00, 0x10),
    )
    .map(([name, value, first]) => literal(name, value, first as 0x40)),
);

const block: fc.Arbitrary<Buffer> = fc
  .tuple(fc.boolean(), fc.array(field, { maxLength: 4 }))
  .map(([isRequest, fields]) => Buffer.concat([...(isRequest ? request : []), ...fields]));

const content: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(0, 5, 1000, 16_384, 16_385).map((length) => Buffer.alloc(length, 'd')),
);

function padded(bytes: Buffer, padding: number): Buffer {
  return Buffer.concat([Buffer.from([padding]), bytes, Buffer.alloc(padding)]);
}

const window: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 100_000 }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x7fff_0000, 0x8000_0001),
);

/** Whatever there is, on whatever stream. */
const anyFrame: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(streamId, block, fc.boolean(), fc.boolean())
      .map(([id, bytes, isEnd, isWhole]) =>
        frame(FrameType.Headers, (isEnd ? Flag.EndStream : 0) | (isWhole ? Flag.EndHeaders : 0), id, bytes),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(streamId, content, fc.boolean(), fc.option(fc.nat(255)))
      .map(([id, bytes, isEnd, padding]) =>
        frame(
          FrameType.Data,
          (isEnd ? Flag.EndStream : 0) | (padding === null ? 0 : Flag.Padded),
          id,
          padding === null ? bytes : padded(bytes, padding),
        ),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(streamId, block, fc.boolean())
      .map(([id, bytes, isWhole]) => frame(FrameType.Continuation, isWhole ? Flag.EndHeaders : 0, id, bytes)),
  },
  { weight: 2, arbitrary: fc.tuple(streamId, window).map(([id, increment]) => windowUpdate(id, increment)) },
  { weight: 2, arbitrary: fc.tuple(streamId, fc.nat(20)).map(([id, code]) => reset(id, code)) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 99), window), { maxLength: 3 })
      .map((pairs) => settings(pairs)),
  },
  fc.boolean().map((isAck) => frame(FrameType.Ping, isAck ? Flag.Ack : 0, 0, Buffer.alloc(8, 'p'))),
  fc
    .tuple(streamId, streamId)
    .map(([id, on]) => frame(FrameType.Priority, 0, id, Buffer.concat([uint32(on), Buffer.alloc(1)]))),
  fc
    .tuple(fc.nat(12), fc.nat(255), streamId, fc.uint8Array({ maxLength: 12 }))
    .map(([type, flags, id, bytes]) => frame(type, flags, id, Buffer.from(bytes))),
);

/** The same bytes with one of them replaced, removed or doubled. */
function damaged(bytes: Buffer, part: number, byte: number, how: 'Replace' | 'Remove' | 'Double'): Buffer {
  const at = Math.floor(part * bytes.length);
  const copy = Buffer.from(bytes);
  if (how === 'Replace') {
    if (at < copy.length) copy[at] = byte;
    return copy;
  }
  const from = how === 'Remove' ? at + 1 : at;
  return Buffer.concat([copy.subarray(0, how === 'Remove' ? at : at + 1), copy.subarray(from)]);
}

const requestFields: fc.Arbitrary<Buffer> = fc
  .subarray([
    literal('content-length', '5'),
    literal('cookie', 'a=b'),
    literal('cookie', 'c=d'),
    literal('x-long', 'v'.repeat(300), 0x40),
    literal('te', 'trailers', 0x40),
  ])
  .map((fields) => Buffer.concat([...request, ...fields]));

/** In one frame or in two. */
function headersOf(id: number, bytes: Buffer, isEnd: boolean, cut: number | null): Buffer {
  const flags = isEnd ? Flag.EndStream : 0;
  if (cut === null) return frame(FrameType.Headers, flags | Flag.EndHeaders, id, bytes);
  const at = Math.floor(cut * bytes.length);
  const first = frame(FrameType.Headers, flags, id, bytes.subarray(0, at));
  return Buffer.concat([first, frame(FrameType.Continuation, Flag.EndHeaders, id, bytes.subarray(at))]);
}

const part = fc.double({ min: 0, max: 1, noNaN: true });

/** One after the other, as their numbers go up. */
const requests: fc.Arbitrary<readonly Buffer[]> = fc
  .array(fc.tuple(requestFields, fc.integer({ min: 0, max: 3 }), fc.option(part)), {
    minLength: 1,
    maxLength: 5,
  })
  .map((all) => all.map(([bytes, end, cut], index) => headersOf(2 * index + 1, bytes, end === 0, cut)));

const begun = fc.constantFrom(1, 1, 3, 3, 5);
const smallContent = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(5, 1000).map((length) => Buffer.alloc(length, 'd')),
);

/** What a client may send once it has begun its streams; that they have ended meanwhile is the risk of it. */
const soundFrame: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(begun, smallContent, fc.integer({ min: 0, max: 5 }), fc.option(fc.nat(255)))
      .map(([id, bytes, end, padding]) =>
        frame(
          FrameType.Data,
          (end === 0 ? Flag.EndStream : 0) | (padding === null ? 0 : Flag.Padded),
          id,
          padding === null ? bytes : padded(bytes, padding),
        ),
      ),
  },
  fc.tuple(begun, fc.option(part)).map(([id, cut]) => headersOf(id, literal('x-sum', '1', 0x40), true, cut)),
  fc.tuple(begun, fc.integer({ min: 1, max: 1000 })).map(([id, increment]) => windowUpdate(id, increment)),
  fc.integer({ min: 1, max: 1000 }).map((increment) => windowUpdate(0, increment)),
  begun.map((id) => reset(id, 8)),
  fc.integer({ min: 0, max: 100_000 }).map((bytes) => settings([[4, bytes]])),
  fc.integer({ min: 0, max: 5000 }).map((bytes) => settings([[1, bytes]])),
  fc.constant(frame(FrameType.Ping, 0, 0, Buffer.alloc(8, 'p'))),
  begun.map((id) => frame(FrameType.Priority, 0, id, Buffer.concat([uint32(0), Buffer.alloc(1)]))),
);

const damage = fc.option(
  fc.tuple(part, fc.nat(255), fc.constantFrom('Replace' as const, 'Remove' as const, 'Double' as const)),
  { freq: 1 },
);

/** Frames after an introduction: a few requests, what belongs to them, now and then anything at all, and damage. */
export const conversation: fc.Arbitrary<Buffer> = fc
  .tuple(
    requests,
    fc.array(fc.oneof({ weight: 15, arbitrary: soundFrame }, anyFrame), { maxLength: 14 }),
    fc.boolean(),
    damage,
  )
  .map(([heads, frames, isMixed, harm]) => {
    const first = isMixed ? heads.slice(0, 2) : heads;
    const bytes = Buffer.concat([...first, ...frames, ...heads.slice(first.length)]);
    return harm === null ? bytes : damaged(bytes, ...harm);
  });
