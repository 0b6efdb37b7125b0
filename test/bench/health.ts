// What health checks cost the main thread of a data plane: CPU time by number of endpoints, by kind of check, on both
// runtimes, with one worker that serves nobody.
//
//   hack/runtime node test/bench/health.ts [ENDPOINTS] [SECONDS] [INTERVAL_SECONDS]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { simpleRoute, yaml } from '../e2e/manifests.ts';
import { mib, pause, residentBytesOf } from '../e2e/process-figures.ts';
import { table } from './table.ts';

const endpoints = Number(process.argv[2] ?? 10_000);
const seconds = Number(process.argv[3] ?? 20);
const intervalSeconds = Number(process.argv[4] ?? 10);
const root = new URL('../../', import.meta.url).pathname;
const hackRuntime = join(root, 'hack/runtime');
/** As EndpointSlices are cut by Kubernetes. */
const perSlice = 100;
const perService = 100;
const tickMs = 10;

/** CPU time of the thread that the process began with. */
function mainThreadMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

function objectsFor(port: number, active: object | undefined): readonly unknown[] {
  return Array.from({ length: Math.ceil(endpoints / perService) }, (_, number) => {
    const name = `service-${number}`;
    const count = Math.min(perService, endpoints - number * perService);
    const addresses = Array.from({ length: count }, (__, index) => {
      const host = number * perService + index;
      return `127.${1 + Math.floor(host / 62_500)}.${1 + (Math.floor(host / 250) % 250)}.${1 + (host % 250)}`;
    });
    return [
      simpleRoute(`${name}.test`, name, active === undefined ? {} : { policy: { healthCheck: { active } } }),
      { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } },
      ...Array.from({ length: Math.ceil(count / perSlice) }, (__, slice) => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-${slice}`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: addresses
          .slice(slice * perSlice, (slice + 1) * perSlice)
          .map((address) => ({ addresses: [address] })),
        ports: [{ port }],
      })),
    ];
  }).flat();
}

interface Figures {
  readonly checksPerSecond: number;
  readonly cpuShare: number;
  readonly cpuUsPerCheck: number;
  readonly residentBytes: number;
  readonly failed: number;
}

async function measure(runtime: string, port: number, active: object | undefined): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'flint-bench-'));
  writeFileSync(join(folder, 'manifests.yaml'), yaml(...objectsFor(port, active)));
  const ports = ['http', 'https', 'admin'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);
  const child = spawn(
    hackRuntime,
    [runtime, 'src/main.ts', 'run', '-f', folder, ...ports, '--workers', '1', '--access-log', 'off'],
    { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    let adminPort = 0;
    for await (const line of createInterface({ input: child.stderr })) {
      const { msg, admin } = JSON.parse(line) as { msg: string; admin?: number };
      if (msg !== 'listening') continue;
      adminPort = admin ?? 0;
      break;
    }
    child.stderr.resume();
    const checks = async (result: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
      return Number(new RegExp(`^flint_health_checks_total{result="${result}"} (.*)$`, 'm').exec(text)?.[1]);
    };
    // Everybody has been checked once, and what the start took is over.
    await pause((intervalSeconds + 5) * 1000);
    const pid = child.pid ?? 0;
    const [checksBefore, cpuBefore, startedMs] = [
      await checks('passed'),
      mainThreadMsOf(pid),
      performance.now(),
    ];
    await pause(seconds * 1000);
    const [made, cpuMs] = [(await checks('passed')) - checksBefore, mainThreadMsOf(pid) - cpuBefore];
    const lastedMs = performance.now() - startedMs;
    return {
      checksPerSecond: (made / lastedMs) * 1000,
      cpuShare: cpuMs / lastedMs,
      cpuUsPerCheck: (cpuMs / made) * 1000,
      residentBytes: residentBytesOf(pid),
      failed: (await checks('failed')) + (await checks('timeout')),
    };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

const server = spawn(hackRuntime, ['node', 'test/bench/health-server.ts'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [portText] = (await once(server.stdout, 'data')) as [Buffer];
const interval = `${intervalSeconds}s`;
const kinds: readonly (readonly [string, object | undefined])[] = [
  ['none', undefined],
  ['TCP', { type: 'TCP', interval }],
  ['HTTP', { type: 'HTTP', interval }],
];
const rows: string[][] = [];
try {
  for (const runtime of ['bun', 'node'])
    for (const [kind, active] of kinds) {
      const figures = await measure(runtime, Number(String(portText)), active);
      rows.push([
        runtime === 'bun' ? 'Bun' : 'Node',
        kind,
        figures.checksPerSecond.toFixed(0),
        String(figures.failed),
        `${(figures.cpuShare * 100).toFixed(1)} %`,
        active === undefined ? '' : `${figures.cpuUsPerCheck.toFixed(0)} us`,
        `${(figures.residentBytes / mib).toFixed(0)} MB`,
      ]);
    }
} finally {
  server.kill();
}
const head = ['runtime', 'check', 'a second', 'failed', 'CPU of the main thread', 'a check', 'memory'];
process.stdout.write(`${table(head, rows)}\n`);
