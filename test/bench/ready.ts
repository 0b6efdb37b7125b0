// From the start of a data-plane process to its readiness, with a thousand routes stored on a real API server: as an image
// runs it, from a bundle, and from source. Beside it nginx and haproxy with a thousand hosts in a file, until they accept a
// connection. Prints a table in Markdown.
//
//   make bench-ready
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from '../e2e/http-client.ts';
import { service, simpleRoute } from '../e2e/manifests.ts';
import { cpuMsOf } from '../e2e/process-figures.ts';
import { Lab } from './lab.ts';
import { sidesOf } from './proxies.ts';
import { scenes } from './scene.ts';
import { TestCluster, moment, whyNoCluster } from '../cluster/test-cluster.ts';

interface Start {
  readonly takenMs: number;
  readonly cpuMs: number;
}

const routes = 1000;
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 9);
const address = '10.213.1.99';
const root = new URL('../../', import.meta.url).pathname;
const runtime = join(root, 'hack/runtime');

const missing = whyNoCluster();
if (missing !== undefined) {
  process.stderr.write(`no measurement: ${missing}\n`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'flint-ready-'));
const account = join(folder, 'account');
const cluster = await TestCluster.start(0);
try {
  for (const object of service('bench', [19_000], '10.213.2.1')) await cluster.create(object);
  for (let number = 0; number < routes; number++)
    await cluster.create(simpleRoute(`sample-${number}.test`, 'bench'));
  const operator = await cluster.startOperator();
  await operator.until(() => operator.said('published'));
  await moment(1000);
  mkdirSync(account);
  writeFileSync(join(account, 'token'), await cluster.api.tokenOf('flint-system', 'flint-proxy'));
  copyFileSync(cluster.api.caFile, join(account, 'ca.crt'));

  const sides = (['bun', 'node'] as const).flatMap((on) => {
    const bundle = join(folder, on, 'lib/flint');
    execFileSync(runtime, ['bun', join(root, 'hack/image/bundle.ts'), 'proxy', on, bundle]);
    return [
      { name: `bundle on ${on}`, command: [on, join(bundle, 'main.js')], starts: [] as Start[] },
      { name: `source on ${on}`, command: [on, join(root, 'src/main.ts')], starts: [] as Start[] },
    ];
  });
  for (let round = 0; round < rounds; round++)
    for (const side of sides) side.starts.push(await untilReady(side.command));
  process.stdout.write(
    [
      '| from start to ready, 1000 routes | median | fastest | slowest | CPU until then, median |',
      '|---|---|---|---|---|',
      '',
    ].join('\n'),
  );
  for (const { name, starts } of sides) report(name, starts);
  const lab = await Lab.open();
  try {
    for (const side of sidesOf(lab).filter(({ name }) => ['nginx', 'haproxy'].includes(name))) {
      const starts: Start[] = [];
      for (let round = 0; round < rounds; round++) {
        const { running, listeningMs } = await side.start(scenes.thousand);
        starts.push({ takenMs: listeningMs, cpuMs: cpuMsOf(running.pid) });
        await running.stop();
      }
      report(`${side.name}, to its first accepted connection`, starts);
    }
  } finally {
    lab.close();
  }
} finally {
  await cluster.stop();
  rmSync(folder, { recursive: true });
}
process.exit(0);

function report(name: string, starts: readonly Start[]): void {
  const times = inOrder(starts.map(({ takenMs }) => takenMs));
  const cpu = inOrder(starts.map(({ cpuMs }) => cpuMs));
  const cells = [name, times[rounds >> 1], times[0], times.at(-1), cpu[rounds >> 1]];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

function inOrder(timesMs: readonly number[]): readonly string[] {
  return timesMs.toSorted((a, b) => a - b).map((timeMs) => `${Math.round(timeMs)} ms`);
}

/** In milliseconds, until /readyz says 200 and a request by one of the routes is answered in the name of its rule. */
async function untilReady(command: readonly string[]): Promise<Start> {
  const { hostname, port } = new URL(cluster.api.url);
  const listening = ['--http', `${address}:8080`, '--https', `${address}:8443`, '--admin', `${address}:9901`];
  const options = [
    'proxy',
    '--service-account',
    account,
    ...listening,
    '--workers',
    '2',
    '--access-log',
    'off',
  ];
  const startedMs = performance.now();
  const child = spawn(runtime, [...command, ...options], {
    env: { ...process.env, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    stdio: 'ignore',
  });
  try {
    // Whoever asks all the time takes a third of what the data plane may compute: the admin port says by itself when the
    // first table is served, and only then readiness is asked for.
    while (!(await isServed())) await moment(2);
    while (!(await isReady())) await moment(1);
    const takenMs = performance.now() - startedMs;
    const cpuMs = cpuMsOf(child.pid ?? 0);
    const { status } = await request({ host: address, port: 8080 }, `sample-${routes - 1}.test`, '/');
    if (status === 404) throw new Error('ready without its routes');
    return { takenMs, cpuMs };
  } finally {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
}

async function isServed(): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}:9901/revision?after=0&waitMs=30000`);
    await answer.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function isReady(): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}:9901/readyz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
