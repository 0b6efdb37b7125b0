// `make bench`: what requests cost beside nginx and haproxy, in one run, as Markdown for docs/benchmarks.md.
//
//   workloads (stand.ts)    every side is started with the routes of a scene and loaded in turn, A B C A B C
//   starts (startup.ts)     from the start of a process to its first connection, and its memory then
//   idle (idle.ts)          memory of an idle keep-alive connection
//   swaps (swap.ts)         10,000 routes replaced every second under load
//
// Each proxy is alone on one core; load, backends and this program share the other one. BENCH_ROUNDS, BENCH_SECONDS,
// BENCH_ONLY and BENCH_PROXIES (regular expressions over the names of workloads and proxies) make a run shorter.
import { measureIdle } from './idle.ts';
import { Lab, missingTool } from './lab.ts';
import { describeMachine } from './machine.ts';
import { sidesOf } from './proxies.ts';
import { isWorkloadWanted, rounds, seconds } from './settings.ts';
import { measureWorkloads } from './stand.ts';
import { measureStarts } from './startup.ts';
import { measureSwaps } from './swap.ts';

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const missing = missingTool();
if (missing !== undefined) {
  process.stderr.write(
    `${missing} is missing; on Debian: apt-get install nginx-light haproxy wrk nghttp2-client util-linux\n`,
  );
  process.exit(1);
}

const lab = await Lab.open();
const sides = sidesOf(lab);
const parts: readonly (readonly [name: string, measure: () => Promise<void>])[] = [
  ['start to listening', () => measureStarts(sides, say)],
  ['idle connections', () => measureIdle(sides, say)],
  ['idle TLS connections', () => measureIdle(sides, say, true)],
  ['swap under load', () => measureSwaps(lab, say)],
];
let isWhole = true;
try {
  say(`${describeMachine()}\n${rounds} rounds of ${seconds} s, interleaved, medians.\n`);
  await measureWorkloads(lab, sides, say);
  for (const [name, measurePart] of parts) {
    if (!isWorkloadWanted(name)) continue;
    try {
      await measurePart();
    } catch (error) {
      // The other parts still mean something.
      isWhole = false;
      say(`\n${name}: not measured: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
} finally {
  lab.close();
}
process.exit(isWhole ? 0 : 1);
