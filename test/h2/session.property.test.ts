// Properties of a session: any bytes however they are cut, well-formed frames out, windows and queues that add up, and
// bodies that arrive whole whatever the windows are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { connectionPreface, FrameType, largestWindow } from '#h2/frame.ts';
import { cutsAt, fractions } from '../h1/message-arbitraries.ts';
import { settings, windowUpdate } from './frame-bytes.ts';
import type { Step } from './frame-notation.ts';
import { parseSteps } from './frame-notation.ts';
import { conversation } from './session-arbitraries.ts';
import { PeerModel } from './peer-model.ts';
import { SessionRecorder, usualLimits } from './session-recorder.ts';

const introduction: Step = { kind: 'Bytes', bytes: Buffer.concat([connectionPreface, settings([])]) };

function record(bytes: Buffer, cuts: readonly number[]): readonly string[] {
  const recorder = new SessionRecorder({ ...usualLimits, concurrentStreams: 3, headBytes: 1000, fields: 10 });
  recorder.run([introduction], []);
  recorder.run([{ kind: 'Bytes', bytes }], cuts);
  recorder.checkWindows();
  return recorder.log.finish();
}

test('any frames are read the same way whole and cut, never throw, and are answered by frames', () => {
  fc.assert(
    fc.property(conversation, fractions, (bytes, parts) => {
      assert.deepEqual(record(bytes, cutsAt(parts, bytes.length)), record(bytes, []));
    }),
    { numRuns: 3000 },
  );
});

test('any bytes are read the same way whole and cut, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fractions, (codes, parts) => {
      const bytes = Buffer.from(codes);
      assert.deepEqual(record(bytes, cutsAt(parts, bytes.length)), record(bytes, []));
    }),
    { numRuns: 2000 },
  );
});

type Turn =
  | { readonly kind: 'Give'; readonly stream: number; readonly bytes: number }
  | { readonly kind: 'Update'; readonly stream: number; readonly increment: number }
  | { readonly kind: 'Setting'; readonly window: number }
  | { readonly kind: 'Socket'; readonly isBlocked: boolean }
  | { readonly kind: 'Reset'; readonly stream: number };

const streams = 4;
const stream = fc.nat(streams - 1).map((index) => 2 * index + 1);
const turn: fc.Arbitrary<Turn> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('Give' as const),
      stream,
      bytes: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 60_000 })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('Update' as const),
      stream: fc.oneof(stream, fc.constant(0)),
      increment: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 80_000 })),
    }),
  },
  fc.record({ kind: fc.constant('Setting' as const), window: fc.integer({ min: 0, max: 100_000 }) }),
  fc.record({ kind: fc.constant('Socket' as const), isBlocked: fc.boolean() }),
  fc.record({ kind: fc.constant('Reset' as const), stream }),
);

test('bodies go through windows of any size whole and in order, and never beyond them', () => {
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
      const model = new PeerModel(streams);
      for (const each of turns) {
        switch (each.kind) {
          case 'Give':
            model.give(each.stream, each.bytes);
            break;
          case 'Update':
            model.addWindow(each.stream, each.increment);
            break;
          case 'Setting':
            model.changeWindows(each.window);
            break;
          case 'Socket':
            model.blockSocket(each.isBlocked);
            break;
          case 'Reset':
            model.reset(each.stream);
            break;
        }
        model.check();
      }
      model.finish();
    }),
    { numRuns: 600 },
  );
});

test('windows grow up to the largest one and not beyond', () => {
  const most = largestWindow - 65_535;
  for (const [id, increments, isSound] of [
    [0, [most], true],
    [0, [most, 1], false],
    [1, [most - 1, 1], true],
    [1, [most - 1, 2], false],
  ] as const) {
    const recorder = new SessionRecorder(usualLimits);
    recorder.run([introduction, ...parseSteps('GET 1 /')], []);
    for (const increment of increments)
      recorder.run([{ kind: 'Bytes', bytes: windowUpdate(id, increment) }], []);
    const isRefused = recorder.log.finish().some((line) => line.includes('FLOW_CONTROL_ERROR'));
    assert.equal(!isRefused, isSound);
    if (isSound) recorder.checkWindows();
  }
});

test('a settled session has acknowledged every SETTINGS, once', () => {
  const recorder = new SessionRecorder(usualLimits);
  const ten = Array.from({ length: 10 }, () => settings([[99, 1]]));
  recorder.run([introduction, { kind: 'Bytes', bytes: Buffer.concat(ten) }], []);
  assert.equal(recorder.writtenOf(FrameType.Settings), 12, 'ours, and eleven answers');
});
