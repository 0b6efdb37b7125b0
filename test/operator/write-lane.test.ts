// Writes that can wait: so many at a time, none without the lease, and a pause for all when the API server fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ApiError } from '#kube/api-client.ts';
import { Budget } from '#operator/budget.ts';
import { WriteLane } from '#operator/write-lane.ts';
import type { WriteLaneOptions } from '#operator/write-lane.ts';
import { stopClock } from './fake-clock.ts';

interface Lane {
  readonly lane: WriteLane;
  readonly errors: unknown[];
  readonly controller: AbortController;
}

function laneOf(options: Partial<WriteLaneOptions> = {}): Lane {
  const controller = new AbortController();
  const errors: unknown[] = [];
  const lane = new WriteLane({
    parallel: 2,
    isLeading: () => true,
    onError: (error) => errors.push(error),
    signal: controller.signal,
    ...options,
  });
  return { lane, errors, controller };
}

function failing(error: Error): () => Promise<void> {
  return async () => {
    throw error;
  };
}

test('it is open for so many at a time', async (context) => {
  stopClock(context);
  const { lane } = laneOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = lane.run(() => promise);
  assert.equal(lane.isOpen, true);
  const second = lane.run(() => promise);
  assert.equal(lane.isOpen, false);
  resolve();
  assert.deepEqual(await Promise.all([first, second]), [true, true]);
  assert.equal(lane.isOpen, true);
  assert.equal(lane.writes, 2);
});

test('it is closed without the lease, and at the end', () => {
  let isLeading = false;
  const { lane, controller } = laneOf({ isLeading: () => isLeading });
  assert.equal(lane.isOpen, false);
  isLeading = true;
  assert.equal(lane.isOpen, true);
  controller.abort();
  assert.equal(lane.isOpen, false);
});

/** How long the lane is closed after these failures, the last one counting. */
async function pauseAfter(context: TestContext, ...errors: readonly Error[]): Promise<number> {
  const clock = stopClock(context);
  const { lane } = laneOf();
  for (const error of errors) assert.equal(await lane.run(failing(error)), false);
  let ms = 0;
  for (; !lane.isOpen; ms += 10) clock.advance(10);
  return ms;
}

test('what is refused of one object keeps nobody else waiting', async (context) => {
  for (const status of [400, 404, 409, 413, 422])
    assert.equal(await pauseAfter(context, new ApiError(status, '', 'no')), 0);
});

test('a failure of the API server keeps all waiting, the longer the more there are, and as long as it asks', async (context) => {
  const reset = new Error('reset');
  for (const error of [
    reset,
    new ApiError(500, '', 'no'),
    new ApiError(403, '', 'no'),
    new ApiError(429, '', 'no'),
  ])
    assert.ok((await pauseAfter(context, error)) >= 50);
  const once = await pauseAfter(context, reset);
  const often = await pauseAfter(context, ...Array.from({ length: 12 }, () => reset));
  assert.ok(often > 4 * once, `${often} ms after ${once} ms`);
  assert.ok(often <= 10_000);
  assert.equal(await pauseAfter(context, new ApiError(429, '', 'no', 7)), 7000);
  assert.equal(await pauseAfter(context, new ApiError(429, '', 'no', 1000)), 30_000);
});

test('a success forgets the failures', async (context) => {
  const clock = stopClock(context);
  const { lane } = laneOf();
  for (let round = 0; round < 10; round++) await lane.run(failing(new Error('reset')));
  clock.advance(10_000);
  await lane.run(() => Promise.resolve());
  await lane.run(failing(new Error('reset')));
  clock.advance(100);
  assert.equal(lane.isOpen, true);
});

test('errors are told, but for what is expected and for what comes of the end', async (context) => {
  stopClock(context);
  const { lane, errors, controller } = laneOf();
  for (const status of [404, 409]) await lane.run(failing(new ApiError(status, '', 'no')));
  assert.deepEqual(errors, []);
  const error = new ApiError(422, '', 'no');
  await lane.run(failing(error));
  assert.deepEqual(errors, [error]);
  controller.abort();
  await lane.run(failing(new Error('aborted')));
  assert.equal(errors.length, 1);
  const strict = laneOf({ expected: [] });
  await strict.lane.run(failing(new ApiError(409, '', 'no')));
  assert.equal(strict.errors.length, 1);
  assert.equal(strict.lane.writes, 0);
});

test('a budget is so many at once and then so many a second', (context) => {
  const clock = stopClock(context);
  const budget = new Budget(10, 3);
  const taken = (): number => {
    let count = 0;
    while (budget.take()) count++;
    return count;
  };
  assert.equal(taken(), 3);
  clock.advance(99);
  assert.equal(taken(), 0);
  clock.advance(1);
  assert.equal(taken(), 1);
  clock.advance(60_000);
  assert.equal(taken(), 3);
});
