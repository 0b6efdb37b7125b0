// The corpora as they are, at many cuts, and a short run of the fuzzer over each.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeBytes } from '../h1/bytes-notation.ts';
import { readCorpus } from './corpus.ts';
import { fuzzTargets } from './fuzz-targets.ts';
import { Random } from './random.ts';
import { runFuzz } from './run-fuzz.ts';

const seed = 1;
const milliseconds = 2000;
const runsOfCorpus = 200;

for (const { name, check } of fuzzTargets) {
  describe(name, () => {
    for (const { file, bytes } of readCorpus(name)) {
      test(`holds for ${file}`, () => {
        const random = new Random(seed);
        for (let left = runsOfCorpus; left > 0; left--) check(bytes, random);
      });
    }

    test('holds for damaged input', async () => {
      const { runs, failure } = await runFuzz(name, seed, milliseconds);
      assert.equal(failure?.message, undefined, describeBytes(Buffer.from(failure?.input ?? [])));
      assert(runs > 100, `only ${runs} runs`);
    });
  });
}
