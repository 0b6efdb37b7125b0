// The pulse of a worker, and time as the main thread has lived through it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LivedTime } from '#dataplane/lived-time.ts';
import { newVitalsMemory, startPulse, VitalsReader } from '#dataplane/worker-vitals.ts';

test('time that passes while nobody runs does not count', () => {
  let nowMs = 1000;
  const time = new LivedTime(500, () => nowMs);
  const steps = [250, 260, 3_600_000, 250].map((passedMs) => {
    nowMs += passedMs;
    return time.step();
  });
  assert.deepEqual(steps, [250, 260, 500, 250]);
});

test('silence is counted from the last beat on, and not before the first', () => {
  const memory = newVitalsMemory();
  const words = new Int32Array(memory);
  const reader = new VitalsReader(memory);
  assert.deepEqual([reader.look(5000), reader.look(5000)], [0, 0]);
  words[0] = 1;
  assert.deepEqual([reader.look(250), reader.look(250), reader.look(250)], [0, 250, 500]);
  words[0] = 2;
  assert.deepEqual([reader.look(250), reader.look(250)], [0, 250]);
});

test('the longest lag is told once, and a stall while it lasts', () => {
  const memory = newVitalsMemory();
  const words = new Int32Array(memory);
  const reader = new VitalsReader(memory);
  words[0] = 1;
  words[1] = 1_500_000;
  reader.look(250);
  assert.equal(reader.takeLagSeconds(), 1.5);
  assert.equal(reader.takeLagSeconds(), 0);
  for (let look = 0; look < 8; look++) reader.look(250);
  assert.equal(reader.takeLagSeconds(), 1.9);
});

test('a loop that turns beats', async () => {
  const memory = newVitalsMemory();
  startPulse(memory);
  const words = new Int32Array(memory);
  while (words[0]! < 3) await new Promise((resolve) => setTimeout(resolve, 10));
});
