// `make bench`: CPU time per request beside nginx and haproxy, interleaved in one run, each proxy alone on one core.
//
// Load and backend share the other core. What counts is CPU time per request, user and system, as the kernel accounts
// for it; throughput is shown for scale. A run with a single answer other than 200 is thrown out with its reason.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backendConf, haproxyConf, nginxConf } from './peer-conf.ts';

const root = new URL('../../', import.meta.url).pathname;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);
/** Whom the ratios are to. */
const reference = 'nginx';

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  readonly script?: string;
}

const browserHead = [
  'wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"',
  'wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"',
  'wrk.headers["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8"',
  'wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"',
  `wrk.headers["Cookie"] = "${'session=0123456789abcdef; '.repeat(16)}"`,
  'wrk.headers["Sec-Fetch-Mode"] = "navigate"',
  'wrk.headers["Upgrade-Insecure-Requests"] = "1"',
].join('\n');

const workloads: readonly Workload[] = [
  { name: '64 keep-alive connections, tiny', path: '/tiny', connections: 64 },
  { name: 'browser head of 900 bytes', path: '/tiny', connections: 64, script: browserHead },
  { name: '10 KB response', path: '/10k', connections: 64 },
  { name: '1 MB response', path: '/1m', connections: 16 },
  {
    name: 'POST of 10 KB',
    path: '/post',
    connections: 64,
    script: 'wrk.method = "POST"\nwrk.body = string.rep("x", 10240)',
  },
  { name: '1000 busy connections', path: '/tiny', connections: 1000 },
  {
    name: 'a new connection per request',
    path: '/tiny',
    connections: 64,
    script: 'wrk.headers["Connection"] = "close"',
  },
];

interface Proxy {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

interface Sample {
  readonly microsecondsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** User and system time of a process and all its threads, in seconds. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function untilAnswering(name: string, port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/tiny`, { headers: { host: 'shop.test' } });
      await response.arrayBuffer();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`${name} does not answer on port ${port}`);
}

function measure(proxy: Proxy, workload: Workload, folder: string): Sample {
  const script = join(folder, 'wrk.lua');
  writeFileSync(script, `wrk.headers["Host"] = "shop.test"\n${workload.script ?? ''}\n`);
  const before = cpuSeconds(proxy.pid);
  const wrk = spawnSync(
    'taskset',
    [
      '-c',
      '1',
      'wrk',
      '-t1',
      `-c${workload.connections}`,
      `-d${seconds}s`,
      '--timeout',
      '10s',
      '--latency',
      '-s',
      script,
    ].concat(`http://127.0.0.1:${proxy.port}${workload.path}`),
    { encoding: 'utf8' },
  );
  const spent = cpuSeconds(proxy.pid) - before;
  const text = wrk.stdout;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const bad = /Non-2xx or 3xx responses: \d+/.exec(text)?.[0] ?? /Socket errors: .*[1-9].*/.exec(text)?.[0];
  if (requests === 0 || bad !== undefined)
    throw new Error(`${proxy.name}, ${workload.name}: ${bad ?? wrk.stderr}`);
  return {
    microsecondsPerRequest: (spent / requests) * 1e6,
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50Ms: milliseconds(/50%\s+(\S+)/.exec(text)?.[1] ?? ''),
    p99Ms: milliseconds(/99%\s+(\S+)/.exec(text)?.[1] ?? ''),
  };
}

/** `1.23ms`, `456.00us`, `1.20s`. */
function milliseconds(text: string): number {
  const [, number = 'NaN', unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(number) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN);
}

function versions(): readonly string[] {
  const first = (command: string, ...args: readonly string[]): string => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: root });
    return (stdout || stderr).split('\n')[0] ?? '';
  };
  return [
    first('nginx', '-v').replace('nginx version: ', ''),
    first('haproxy', '-v').replace(/ \d{4}\/.*/, ''),
    `Bun ${first('hack/runtime', 'bun', '--version')}`,
    `Node ${process.version}`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function requireTools(): void {
  for (const tool of ['nginx', 'haproxy', 'wrk', 'taskset'])
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
      throw new Error(`${tool} is missing; on Debian: apt-get install nginx-light haproxy wrk util-linux`);
}

async function main(): Promise<void> {
  requireTools();
  const folder = mkdtempSync(join(tmpdir(), 'flint-bench-'));
  const children: ChildProcess[] = [];
  const start = (core: number, command: string, args: readonly string[]): ChildProcess => {
    const child = spawn('taskset', ['-c', String(core), command, ...args], { cwd: root, stdio: 'ignore' });
    children.push(child);
    return child;
  };
  try {
    mkdirSync(join(folder, 'files'));
    writeFileSync(join(folder, 'files', '10k'), Buffer.alloc(10_240, 'x'));
    writeFileSync(join(folder, 'files', '1m'), Buffer.alloc(1_048_576, 'x'));
    const backends = [await freePort(), await freePort()];
    writeFileSync(join(folder, 'backend.conf'), backendConf(folder, backends));
    start(1, 'nginx', ['-p', folder, '-c', join(folder, 'backend.conf')]);
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const nginx = (port: number, buffers: 'default' | '64k'): ChildProcess =>
      start(0, 'nginx', [
        '-p',
        folder,
        '-c',
        write(`nginx-${buffers}.conf`, nginxConf(folder, port, backends, buffers)),
      ]);
    const serving = ['run', '--workers', '1', '--access-log', 'off', '--log-level', 'error'];
    const routed = ['--route', `shop.test/=${backends.map((backend) => `127.0.0.1:${backend}`).join()}`];
    const flint = (runtime: string, port: number): ChildProcess => {
      const listening = ['--http', `127.0.0.1:${port}`, '--admin', '127.0.0.1:0'];
      return start(0, 'hack/runtime', [runtime, 'src/main.ts', ...serving, ...listening, ...routed]);
    };
    const starts: readonly (readonly [name: string, start: (port: number) => ChildProcess])[] = [
      [reference, (port) => nginx(port, 'default')],
      ['nginx, 64 KB buffers', (port) => nginx(port, '64k')],
      [
        'haproxy',
        (port) => start(0, 'haproxy', ['-q', '-f', write('haproxy.cfg', haproxyConf(port, backends))]),
      ],
      ['Flint on Bun', (port) => flint('bun', port)],
      ['Flint on Node', (port) => flint('node', port)],
    ];
    const proxies: Proxy[] = [];
    for (const [name, startProxy] of starts) {
      const port = await freePort();
      proxies.push({ name, port, pid: startProxy(port).pid ?? 0 });
      await untilAnswering(name, port);
    }

    say(`${versions().join(', ')}; ${rounds} rounds of ${seconds} s, interleaved, medians\n`);
    say('| workload | proxy | CPU us/request | ratio to nginx | requests/s | p50 | p99 |');
    say('|---|---|---|---|---|---|---|');
    for (const workload of workloads) {
      const samples = new Map<string, Sample[]>(proxies.map(({ name }) => [name, []]));
      for (const proxy of proxies) measure(proxy, workload, folder);
      for (let round = 0; round < rounds; round++)
        for (const proxy of proxies) samples.get(proxy.name)?.push(measure(proxy, workload, folder));
      const of = (name: string, pick: (sample: Sample) => number): number =>
        median((samples.get(name) ?? []).map(pick));
      const cost = (name: string): number => of(name, (sample) => sample.microsecondsPerRequest);
      for (const { name } of proxies)
        say(
          `| ${name === reference ? workload.name : ''} | ${name} | ${cost(name).toFixed(1)} | ` +
            `${(cost(name) / cost(reference)).toFixed(2)} | ` +
            `${of(name, (sample) => sample.requestsPerSecond).toFixed(0)} | ` +
            `${of(name, (sample) => sample.p50Ms).toFixed(2)} ms | ${of(name, (sample) => sample.p99Ms).toFixed(2)} ms |`,
        );
    }
    say('\n| resident memory after it all | |\n|---|---|');
    for (const { name, pid } of proxies) say(`| ${name} | ${residentMegabytes(pid).toFixed(0)} MB |`);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
