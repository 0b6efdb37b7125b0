// What a request allocates: the real proxy on Node's sockets in this process, sampled by V8 while wrk asks for it.
//
//   hack/runtime node test/bench/allocations.ts
//
// Everything is counted, what the collector took back at once as well. Node's own sockets allocate for each read and
// write; the table says what our files do. A promise, a closure or an Error on the way of every request would stand in it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Session } from 'node:inspector/promises';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { IpRanges } from '#http/ip-ranges.ts';
import { defaultSettings } from '#model/default-settings.ts';
import { ProxyContext } from '#proxy/proxy-context.ts';
import { ProxyServer } from '#proxy/proxy-server.ts';
import { compile } from '#route/route-table.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import { nodeTransport } from '#transport/node.ts';
import { Upstream } from '#upstream/upstream.ts';
import { host, upstream } from '../dataplane/models.ts';
import { silentObserver } from '../proxy/silent-observer.ts';

const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);

interface SampledNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly selfSize: number;
  readonly children: readonly SampledNode[];
}

function startBackend(): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '-e',
      `require('node:http').createServer((q, r) => { q.resume(); r.setHeader('content-length', 12); r.end('hello, world'); })
        .listen(0, '127.0.0.1', function () { console.log(this.address().port); })`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  process.on('exit', () => child.kill('SIGKILL'));
  return once(child.stdout, 'data').then(([text]) => Number(String(text)));
}

async function main(): Promise<void> {
  const backendPort = await startBackend();
  let requests = 0;
  const observer = {
    ...silentObserver,
    onExchangeEnd: () => {
      requests++;
    },
  };
  const nobody = new IpRanges([]);
  const server = new ProxyServer(
    new ProxyContext(nodeTransport, new TimerWheel(), defaultParserLimits, observer, nobody, nobody),
  );
  server.serve({
    revision: 1,
    settings: defaultSettings,
    routes: compile([host('127.0.0.1', 'up')]),
    fallback: undefined,
    sessions: undefined,
    selectTls: () => ({ kind: 'UnknownName' }),
    upstreams: new Map([['up', new Upstream(upstream('up', backendPort))]]),
  });
  const port = await server.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  const load = (time: number): Promise<unknown> =>
    once(
      spawn('wrk', ['-t1', '-c16', `-d${time}s`, `http://127.0.0.1:${port}/`], { stdio: 'ignore' }),
      'exit',
    );
  await load(2);

  const session = new Session();
  session.connect();
  requests = 0;
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 512,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await load(seconds);
  const { profile } = await session.post('HeapProfiler.stopSampling');
  print(bytesByFunction(profile.head), requests);
  process.exit(0);
}

function bytesByFunction(head: SampledNode): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  const visit = ({ callFrame, selfSize, children }: SampledNode): void => {
    const [, file] = /\/src\/(.*)$/.exec(callFrame.url) ?? [];
    const name = file === undefined ? 'the runtime' : `${callFrame.functionName} (${file})`;
    bytes.set(name, (bytes.get(name) ?? 0) + selfSize);
    for (const child of children) visit(child);
  };
  visit(head);
  return bytes;
}

function print(bytes: ReadonlyMap<string, number>, count: number): void {
  process.stdout.write(
    `${count} requests sampled on Node ${process.version}\n\n| where | bytes per request |\n|---|---|\n`,
  );
  const rows = [...bytes].sort(([, a], [, b]) => b - a).filter(([, size]) => size / count >= 1);
  for (const [name, size] of rows) process.stdout.write(`| ${name} | ${(size / count).toFixed(0)} |\n`);
}

await main();
