// Change under load: all 10,000 routes replaced every second, beside the same load without it, on both runtimes.
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { proxyCore, root } from './lab.ts';
import type { Lab, Running, Runtime } from './lab.ts';
import { runOpenLoop } from './measure.ts';
import { isProxyWanted, rounds, seconds } from './settings.ts';
import type { SwapNews, SwapOptions } from './swap-server.ts';
import { cell, median, milliseconds, table } from './table.ts';

const everyMs = 1000;
/** A swap needs some seconds to show in a p99. */
const loadSeconds = Math.max(seconds, 4);
const load = { kind: 'open', rate: 5000, connections: 64, hosts: 1000, path: '/tiny/r', paths: 10 } as const;

interface Result {
  readonly isSwapping: boolean;
  readonly requests: number;
  readonly fault: string | undefined;
  readonly servedMs: readonly number[];
  readonly latencies: readonly number[];
}

export async function measureSwaps(lab: Lab, say: (line: string) => void): Promise<void> {
  say(
    `\nAll 10,000 routes replaced every second at ${load.rate} requests/s to 1000 hosts; the thread that takes the new ` +
      'routes and the one that serves share one core:\n',
  );
  const sides: readonly (readonly [string, Runtime])[] = [
    ['Flint on Bun', 'bun'],
    ['Flint on Node', 'node'],
  ];
  const rows: string[][] = [];
  for (const [name, runtime] of sides) {
    if (!isProxyWanted(name)) continue;
    const results: Result[] = [];
    for (let round = 0; round < rounds; round++)
      for (const isSwapping of [false, true]) results.push(await measureOnce(lab, runtime, isSwapping));
    for (const isSwapping of [false, true])
      rows.push([
        isSwapping ? '' : name,
        ...cellsOf(results.filter((result) => result.isSwapping === isSwapping)),
      ]);
  }
  const latencies = ['p50', 'p99', 'p99.9', 'max'];
  say(table(['proxy', 'swaps', 'requests', 'failed', ...latencies, 'a swap takes'], rows));
}

function cellsOf(results: readonly Result[]): readonly string[] {
  const swaps = results.reduce((sum, { servedMs }) => sum + servedMs.length, 0);
  const requests = results.reduce((sum, result) => sum + result.requests, 0);
  const fault = results.find((result) => result.fault !== undefined)?.fault;
  const latencies = [0, 1, 2, 3].map((which) =>
    milliseconds(median(results.map((result) => result.latencies[which] ?? Number.NaN))),
  );
  const took = swaps === 0 ? '' : milliseconds(median(results.flatMap(({ servedMs }) => servedMs)));
  return [String(swaps), String(requests), cell(fault ?? '0'), ...latencies, took];
}

/** A process of its own each time: neither run inherits the other's heap. */
async function measureOnce(lab: Lab, runtime: Runtime, isSwapping: boolean): Promise<Result> {
  const port = await freePort();
  // One more than the load needs: a table that runs out would be a load without swaps.
  const swaps = Math.ceil((loadSeconds * 1000) / everyMs) + 1;
  const options: SwapOptions = { port, backends: lab.backends, swaps, everyMs };
  const program = join(root, 'test/bench/swap-server.ts');
  const running = lab.start(proxyCore, lab.binary(runtime), [program, JSON.stringify(options)], true);
  const servedMs: number[] = [];
  const refusals: string[] = [];
  try {
    await untilReady(running, (news) => {
      if (news.kind === 'Swapped') servedMs.push(news.servedMs);
      if (news.kind === 'Refused') refusals.push(news.message);
    });
    await runOpenLoop(lab, port, load, 2);
    if (isSwapping) running.child.stdin?.write('go\n');
    const answers = await runOpenLoop(lab, port, load, loadSeconds);
    const { requests, p50Ms, p99Ms, p999Ms, maxMs } = answers;
    const latencies = [p50Ms, p99Ms, p999Ms, maxMs];
    const silence = isSwapping && servedMs.length === 0 ? 'no swap was served' : undefined;
    return {
      isSwapping,
      requests,
      fault: refusals[0] ?? answers.fault ?? silence,
      servedMs: [...servedMs],
      latencies,
    };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { isSwapping, requests: 0, fault, servedMs: [...servedMs], latencies: [] };
  } finally {
    await running.stop();
  }
}

function untilReady(running: Running, onNews: (news: SwapNews) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stdout } = running.child;
    if (stdout === null) throw new Error('there is no standard output');
    createInterface({ input: stdout }).on('line', (line) => {
      const news = JSON.parse(line) as SwapNews;
      if (news.kind === 'Ready') resolve();
      onNews(news);
    });
    running.child.once('exit', () => reject(new Error(`ended: ${running.lastWords()}`)));
  });
}
