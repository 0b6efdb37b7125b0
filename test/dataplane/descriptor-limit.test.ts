// What a process may hold, shared between clients, their backends, and health checks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksAtOnce, connectionsPerWorker } from '#dataplane/descriptor-limit.ts';

test('checks have a sixteenth of the descriptors, within bounds', () => {
  assert.deepEqual([64, 256, 1024, 4096, 1_048_576, Infinity].map(checksAtOnce), [16, 16, 64, 256, 256, 256]);
});

test('clients, their backends and checks together stay below the limit', () => {
  for (const descriptors of [256, 1024, 4096, 65_536])
    for (const workers of [1, 2, 8]) {
      const held = 2 * workers * connectionsPerWorker(descriptors, workers) + checksAtOnce(descriptors);
      assert.ok(held <= descriptors - 100, `${held} of ${descriptors}`);
    }
  assert.equal(connectionsPerWorker(64, 2), 1);
  assert.equal(connectionsPerWorker(Infinity, 2), Infinity);
});
