// `make soak`: mixed traffic through `flint run` for minutes or hours, and a fault every few seconds. Fails when a request does
// that had no reason to (soak-judgement.ts), when memory grows, or when requests or connections stay that nobody has any more.
//
//   SOAK_SECONDS=600   how long
//   SOAK_SEED=1        which faults come, and in which order; it is printed
//   SOAK_FAULT_MS=5000 from the beginning of one fault to that of the next; 0: none
//   SOAK_ONLY=killed   faults whose names match alone
//   FLINT_RUNTIME=bun  what Flint runs on, which is the default; or node
import { setTimeout as pause } from 'node:timers/promises';
import { deathsEnvironment } from '../test/chaos/worker-deaths.ts';
import { runtime, startFlint } from '../test/e2e/flint-process.ts';
import { mib, residentBytesOf } from '../test/e2e/process-figures.ts';
import { SoakBackends } from './soak-backends.ts';
import { SoakCourt } from './soak-court.ts';
import { isDeath, SoakFaults } from './soak-faults.ts';
import { SoakMemory } from './soak-memory.ts';
import { SoakScene } from './soak-scene.ts';
import { Traffic } from './soak-traffic.ts';

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const seconds = numberOf('SOAK_SECONDS', 600);
const seed = numberOf('SOAK_SEED', Math.floor(Math.random() * 2 ** 31));
const faultMs = numberOf('SOAK_FAULT_MS', 5000);
const only = new RegExp(process.env['SOAK_ONLY'] ?? '');
if (seconds < 10) throw new Error('SOAK_SECONDS is less than 10');
const sampleMs = Math.min(5000, (seconds * 1000) / 40);
/** Connections that clients have left are noticed at once; this is for a machine that is busy. */
const settleMs = 10_000;
/** Of many that have one reason the first say enough. */
const shownFailures = 30;
const shownFaults = 4;
const gauges = ['flint_active_requests', 'flint_connections'];

const backends = await SoakBackends.start();
const scene = new SoakScene(backends.http, backends.grpc);
const cleanups: (() => void)[] = [() => backends.kill()];
process.on('exit', () => cleanups.forEach((cleanup) => cleanup()));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const deathFile = `/tmp/flint-soak-${process.pid}`;
const flint = await startFlint(
  { after: (cleanup) => cleanups.push(cleanup) },
  scene.manifests,
  // Two threads: one of them dies now and then. The names of requests are believed.
  ['--workers', '2', '--trusted-proxy', '127.0.0.1/32'],
  { env: deathsEnvironment(runtime, deathFile) },
);
const faults = new SoakFaults({ flint, backends, scene, deathFile }, seed, only);
const traffic = new Traffic({ httpPort: flint.httpPort, httpsPort: flint.httpsPort, ca: scene.ca });
const court = new SoakCourt(flint, backends, faults, traffic, sayUnexplained);
const memory = new SoakMemory(seconds);
const found: string[] = [];

say(`Flint on ${runtime}, ${seconds} s of mixed traffic, seed ${seed}\n`);
say('| minute | requests | explained failures | unexplained | RSS |\n|---|---|---|---|---|');
const startedMs = performance.now();
const elapsedMs = (): number => performance.now() - startedMs;
const hasEnded = (): boolean => flint.process.exitCode !== null || flint.process.signalCode !== null;
const isOver = (): boolean => elapsedMs() >= seconds * 1000 || hasEnded();
const faulting = faultMs === 0 ? Promise.resolve() : faultAfterFault();
let minutes = 0;
for (;;) {
  await pause(sampleMs);
  if (hasEnded()) break;
  memory.add(elapsedMs(), residentBytesOf(flint.pid) / mib);
  court.judge(performance.now());
  if (isOver() || elapsedMs() >= (minutes + 1) * 60_000) {
    minutes++;
    const { explained, unexplained } = court;
    const cells = [
      (elapsedMs() / 60_000).toFixed(1),
      traffic.requests,
      explained,
      unexplained,
      `${memory.last.toFixed(0)} MB`,
    ];
    say(`| ${cells.join(' | ')} |`);
  }
  if (isOver()) break;
}
await faulting;
// A gauge that is renamed would otherwise be 0 for ever, and the check below blind.
if (!hasEnded())
  for (const gauge of gauges)
    if ((await flint.metric(gauge)) === 0) found.push(`${gauge} is 0 under traffic`);
await traffic.stop();
// The last lines of the access log are on their way.
await pause(1000);
court.judge(Infinity);
if (hasEnded()) found.push(`Flint ended with ${flint.process.exitCode ?? flint.process.signalCode}`);
else found.push(...memory.faults(say), ...(await leftovers()));
report();
process.exit(found.length === 0 ? 0 : 1);

async function faultAfterFault(): Promise<void> {
  for (let number = 1; !isOver(); number++) {
    const nextMs = number * faultMs;
    if (elapsedMs() < nextMs) await pause(Math.min(nextMs, seconds * 1000) - elapsedMs());
    if (isOver()) return;
    try {
      await faults.next();
    } catch (error) {
      found.push(error instanceof Error ? error.message : String(error));
    }
  }
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

/** At once: whoever watches may want to look while it lasts. */
function sayUnexplained(failure: string): void {
  if (court.unexplained > shownFailures) return;
  const recent = faults.history.slice(-shownFaults).map(([atMs, name]) => `${name} at ${atMs}`);
  say(`unexplained: ${failure}\n  after ${recent.join(', ') || 'no fault'}`);
}

function report(): void {
  say(`\nrequests: ${list(traffic.requestsOf)}`);
  say(`faults: ${list(faults.counts)}`);
  say(`explained failures: ${list(court.reasons)}`);
  const deaths = faults.counts.get('worker killed') ?? 0;
  for (const line of flint.log)
    if (line['level'] === 'error' || line['level'] === 'fatal') {
      const isMeant = JSON.stringify(line).includes('this thread was told to die');
      if (!isMeant) found.push(`logged: ${JSON.stringify(line)}`);
    }
  const died = flint.log.filter(isDeath).length;
  if (died !== deaths) found.push(`${died} workers died, ${deaths} were killed`);
  if (court.unexplained > 0) found.push(`${court.unexplained} unexplained failures`);
  for (const fault of found) say(`FAILED: ${fault}`);
  if (found.length > 0) say(`Again: SOAK_SEED=${seed} SOAK_SECONDS=${seconds} make soak`);
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ') || 'none';
}

function numberOf(variable: string, otherwise: number): number {
  const value = Number(process.env[variable] ?? otherwise);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${variable} is no whole number`);
}
