// One job at a time, and nothing that was asked for is forgotten.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coalesce } from '#local/coalesce.ts';

test('asked ten times while it runs, the job runs once more, and sees the newest state', async () => {
  let state = 0;
  let isRunning = false;
  const seen: number[] = [];
  const job = new Coalesce(async () => {
    assert.equal(isRunning, false);
    isRunning = true;
    seen.push(state);
    await new Promise((resolve) => setTimeout(resolve, 10));
    isRunning = false;
  });
  const runs = [job.run()];
  for (let number = 1; number <= 10; number++) {
    state = number;
    runs.push(job.run());
  }
  await Promise.all(runs);
  assert.deepEqual(seen, [0, 10]);
});

test('a job that fails rejects for who asked, and runs again', async () => {
  let runs = 0;
  const job = new Coalesce(async () => {
    if (++runs === 1) throw new Error('first');
    await Promise.resolve();
  });
  const first = job.run();
  const second = job.run();
  await assert.rejects(first, /first/);
  await second;
  assert.equal(runs, 2);
});
