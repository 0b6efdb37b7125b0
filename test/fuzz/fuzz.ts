// Fuzzes all targets from the command line: `hack/runtime node test/fuzz/fuzz.ts --seconds 10 [--seed N] [--target NAME]`.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { saveFailure } from './corpus.ts';
import { fuzzTargets } from './fuzz-targets.ts';
import { runFuzz } from './run-fuzz.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    target: { type: 'string' },
  },
});

/** For each target. */
const milliseconds = Number(values.seconds) * 1000;
const seed = Number(values.seed ?? randomInt(2 ** 32));
const names = fuzzTargets.map(({ name }) => name).filter((name) => (values.target ?? name) === name);
if (!(milliseconds > 0) || !Number.isInteger(seed) || names.length === 0) {
  process.stderr.write(
    `usage: fuzz.ts [--seconds N] [--seed N] [--target ${fuzzTargets.map(({ name }) => name).join('|')}]\n`,
  );
  process.exit(2);
}

process.stdout.write(`seed ${seed}\n`);
for (const name of names) {
  const { runs, failure } = await runFuzz(name, seed, milliseconds);
  process.stdout.write(`${name}: ${runs} runs\n`);
  if (failure === undefined) continue;
  const file = saveFailure(name, Buffer.from(failure.input));
  process.stdout.write(`${name}: ${failure.message}\n${name}: the input is in ${file}\n`);
  process.exitCode = 1;
}
