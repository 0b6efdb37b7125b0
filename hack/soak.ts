// `make soak`: mixed traffic through `flint run` for minutes or hours. Fails when a request does that had no reason to, when
// memory grows, or when requests or connections stay that nobody has any more.
//
//   SOAK_SECONDS=600   how long
//   FLINT_RUNTIME=bun  what Flint runs on, which is the default; or node
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { FlintProcess, anyPorts, runtime } from '../test/e2e/flint-process.ts';
import { Traffic } from './soak-traffic.ts';

const root = new URL('../', import.meta.url).pathname;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const seconds = Number(process.env['SOAK_SECONDS'] ?? 600);
if (!(seconds >= 10)) throw new Error('SOAK_SECONDS is no number of at least 10');
const sampleMs = Math.min(5000, (seconds * 1000) / 40);
/** What the end may have more than the time when all had been used once. */
const allowedGrowth = 1.15;
/** Of single samples some are of a moment before, some of a moment after a collection: medians of a tenth are compared. */
const windowShare = 0.1;
/** Connections that clients have left are noticed at once; this is for a machine that is busy. */
const settleMs = 10_000;
const gauges = ['flint_active_requests', 'flint_connections'];

interface Sample {
  readonly atMs: number;
  readonly megabytes: number;
}

const hackRuntime = `${root}hack/runtime`;
const backend = spawn(hackRuntime, ['node', `${root}hack/soak-backend.ts`], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const [portsLine] = (await once(createInterface({ input: backend.stdout }), 'line')) as [string];
const endpoints = (JSON.parse(portsLine) as readonly number[]).map((port) => `127.0.0.1:${port}`);
const listening = [...anyPorts, '--access-log', 'off'];
const child = spawn(
  hackRuntime,
  [runtime, 'src/main.ts', 'run', '--route', `soak.test/=${endpoints.join()}`, ...listening],
  { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
);
const flint = new FlintProcess(child, '');
process.on('exit', () => {
  child.kill('SIGKILL');
  backend.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
await flint.until(() => flint.said('listening'));
const started = flint.log.find(({ msg }) => msg === 'listening');
flint.adminPort = Number(started?.['admin']);

say(`Flint on ${runtime}, ${seconds} s of mixed traffic\n`);
say('| minute | requests | failures | RSS |\n|---|---|---|---|');
const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
const traffic = new Traffic(Number(started?.['http']));
const samples: Sample[] = [];
const startedMs = performance.now();
let minutes = 0;
for (;;) {
  await pause(sampleMs);
  if (hasEnded()) break;
  const atMs = performance.now() - startedMs;
  const sample = { atMs, megabytes: residentMegabytes() };
  samples.push(sample);
  const isOver = atMs >= seconds * 1000;
  if (isOver || atMs >= (minutes + 1) * 60_000) {
    minutes++;
    say(
      `| ${(atMs / 60_000).toFixed(1)} | ${traffic.requests} | ${traffic.failures} | ${sample.megabytes.toFixed(0)} MB |`,
    );
  }
  if (isOver) break;
}
const faults: string[] = [];
// A gauge that is renamed would otherwise be 0 for ever, and the check below blind.
if (!hasEnded())
  for (const gauge of gauges)
    if ((await flint.metric(gauge)) === 0) faults.push(`${gauge} is 0 under traffic`);
await traffic.stop();
for (const [reason, count] of traffic.reasons) faults.push(`${count} times ${reason}`);
if (hasEnded()) faults.push(`Flint ended with ${child.exitCode ?? child.signalCode}`);
else faults.push(...memoryFaults(), ...(await leftovers()));
for (const line of flint.log)
  if (line['level'] === 'error' || line['level'] === 'fatal') faults.push(`logged: ${JSON.stringify(line)}`);
for (const fault of faults) say(`FAILED: ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);

function memoryFaults(): readonly string[] {
  const early = medianAround(0.2);
  const late = medianAround(1 - windowShare / 2);
  const growth = `${early.toFixed(1)} MB at a fifth of the time, ${late.toFixed(1)} MB at the end`;
  say(`\nmemory: ${growth}`);
  return late > early * allowedGrowth ? [`memory grew: ${growth}`] : [];
}

/** The median of the samples of a tenth of the time, around this share of it. */
function medianAround(share: number): number {
  const [from, to] = [share - windowShare / 2, share + windowShare / 2].map((edge) => edge * seconds * 1000);
  const values = samples
    // The last sample may be a little late.
    .filter(({ atMs }) => atMs >= (from ?? 0) && (atMs <= (to ?? 0) || share > 0.9))
    .map(({ megabytes }) => megabytes)
    .sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** With all clients gone, nothing of theirs may be left. */
async function leftovers(): Promise<readonly string[]> {
  const untilMs = performance.now() + settleMs;
  for (;;) {
    const left: string[] = [];
    for (const gauge of gauges) {
      const value = await flint.metric(gauge);
      if (value !== 0) left.push(`${gauge} is ${value} although all clients are gone`);
    }
    if (left.length === 0 || performance.now() > untilMs) return left;
    await pause(200);
  }
}

function residentMegabytes(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${flint.pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}
