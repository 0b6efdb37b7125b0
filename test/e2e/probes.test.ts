// Flint under every fault that `make probes` puts it and its peers through: what is promised holds.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { probes } from '../probes/all-probes.ts';
import { flintOfTests } from '../probes/side.ts';

// Most of their time is waiting; what they measure of a process is its own.
describe(`probes of ${flintOfTests.name}`, { concurrency: 3 }, () => {
  for (const probe of probes)
    test(probe.fault, async (context) => {
      const { figures, breaches } = await probe.run(flintOfTests, context, 'Test');
      context.diagnostic(figures.join('; '));
      assert.deepEqual(breaches, [], probe.promise);
    });
});
