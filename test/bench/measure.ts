// What one run of load cost and gave: CPU time as the kernel accounts for it, answers and latencies as the load saw them.
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HandshakeReport } from './handshakes.ts';
import { loadCore, root } from './lab.ts';
import type { Lab } from './lab.ts';
import type { OpenLoopReport } from './open-loop.ts';
import type { Proxy } from './proxies.ts';
import { hostOf } from './scene.ts';
import type { Load, Workload } from './workloads.ts';
import { wrkScript } from './wrk-scripts.ts';

export interface Sample {
  readonly microsecondsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export type Outcome =
  | { readonly kind: 'Measured'; readonly sample: Sample }
  /** Something was answered that is not 200, or not at all: such a run says nothing. */
  | { readonly kind: 'ThrownOut'; readonly reason: string };

/** What a generator of load counted. */
interface Answers extends Omit<Sample, 'microsecondsPerRequest'> {
  readonly requests: number;
  readonly fault: string | undefined;
}

export async function measure(lab: Lab, proxy: Proxy, workload: Workload, seconds: number): Promise<Outcome> {
  try {
    const before = cpuTimes(proxy.running.pid);
    const { requests, fault, ...answers } = await runLoad(lab, proxy, workload.load, seconds);
    const spent = spentSeconds(before, cpuTimes(proxy.running.pid));
    if (fault !== undefined) return { kind: 'ThrownOut', reason: fault };
    if (requests === 0) {
      const spentMs = (spent * 1000).toFixed(0);
      return {
        kind: 'ThrownOut',
        reason: `nothing was answered in ${seconds} s, for ${spentMs} ms of CPU time of the proxy`,
      };
    }
    return { kind: 'Measured', sample: { microsecondsPerRequest: (spent / requests) * 1e6, ...answers } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      kind: 'ThrownOut',
      reason: proxy.running.isAlive() ? reason : `ended: ${proxy.running.lastWords()}`,
    };
  }
}

type CpuTimes = ReadonlyMap<string, number>;

/**
 * Nanoseconds on a CPU, user and system together, of each thread. /proc/PID/stat has the same time rounded down to ticks
 * of 10 ms, user and system each, which is 1 % of a row; it is the way out for kernels without schedstat. Neither counts
 * threads that ended before the second look; no side has such.
 */
function cpuTimes(pid: number): CpuTimes {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    try {
      times.set(thread, Number(readFileSync(join(folder, 'schedstat'), 'latin1').split(' ')[0]));
    } catch {
      const fields = readFileSync(join(folder, 'stat'), 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      times.set(thread, (Number(fields[11]) + Number(fields[12])) * 1e7);
    }
  }
  return times;
}

function spentSeconds(before: CpuTimes, after: CpuTimes): number {
  let nanoseconds = 0;
  for (const [thread, time] of after) nanoseconds += time - (before.get(thread) ?? 0);
  return nanoseconds / 1e9;
}

export function residentKilobytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
}

export function residentMegabytes(pid: number): number {
  return residentKilobytes(pid) / 1024;
}

function runLoad(lab: Lab, proxy: Proxy, load: Load, seconds: number): Promise<Answers> {
  switch (load.kind) {
    case 'closed':
      return runWrk(lab, proxy, load, seconds);
    case 'streams':
      return runStreams(lab, proxy, load, seconds);
    case 'handshakes':
      return runHandshakes(lab, proxy, load, seconds);
    case 'open':
      return runOpenLoop(lab, proxy.port, load, seconds);
  }
}

/** What the script's last function prints. */
interface WrkReport extends Readonly<Record<'requests' | 'us' | 'p50' | 'p99' | 'p999' | 'max', number>> {
  readonly errors: Readonly<Record<'connect' | 'read' | 'write' | 'status' | 'timeout', number>>;
}

async function runWrk(
  lab: Lab,
  proxy: Proxy,
  load: Extract<Load, { kind: 'closed' }>,
  seconds: number,
): Promise<Answers> {
  const script = lab.writeFile('wrk.lua', wrkScript(load.script));
  // wrk sends the host of the URL as the name of its ClientHello; the script says where that is.
  const origin = proxy.isSecure ? `https://${hostOf(0)}` : 'http://127.0.0.1';
  const url = `${origin}:${proxy.port}${load.path}`;
  const shape = ['-t1', `-c${load.connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url];
  const text = await run('wrk', shape);
  const line = /^report (.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error(`wrk says nothing: ${text.slice(0, 200)}`);
  const { requests, us, p50, p99, p999, max, errors } = JSON.parse(line) as WrkReport;
  const faults = Object.entries(errors).filter(([, count]) => count > 0);
  return {
    requests,
    requestsPerSecond: requests / (us / 1e6),
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    p999Ms: p999 / 1000,
    maxMs: max / 1000,
    fault:
      faults.length === 0
        ? undefined
        : `of ${requests} requests: ${faults.map(([kind, count]) => `${count} ${faultNames[kind] ?? kind}`).join(', ')}`,
  };
}

/** Five bytes that say how long it is, and a short message. */
const grpcMessage = Buffer.from('\0\0\0\0\x0chello, world');

async function runStreams(
  lab: Lab,
  proxy: Proxy,
  load: Extract<Load, { kind: 'streams' }>,
  seconds: number,
): Promise<Answers> {
  const log = join(lab.folder, 'h2load.log');
  rmSync(log, { force: true });
  const message = lab.writeFile('message', grpcMessage.toString('latin1'));
  const grpc = ['-d', message, '-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  const text = await run('h2load', [
    '-t1',
    `-c${load.connections}`,
    `-m${load.streams}`,
    `-D${seconds}`,
    `--log-file=${log}`,
    ...(load.isGrpc ? grpc : []),
    `--connect-to=127.0.0.1:${proxy.port}`,
    `http://${hostOf(0)}:${proxy.port}${load.path}`,
  ]);
  // Time of the start, status, microseconds: one line for each request.
  const lines = readFileSync(log, 'latin1').trimEnd().split('\n');
  const answers = lines.map((line) => line.split('\t').map(Number));
  const bad = answers.filter(([, status]) => status !== 200).length;
  const micros = Float64Array.from(answers, ([, , us]) => us ?? 0).sort();
  const at = (share: number): number => (micros[Math.floor(micros.length * share)] ?? 0) / 1000;
  const failed = /, (\d+) failed, (\d+) errored/.exec(text);
  const faults = bad + Number(failed?.[1] ?? 1);
  return {
    requests: micros.length,
    requestsPerSecond: micros.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: (micros.at(-1) ?? 0) / 1000,
    fault: faults === 0 ? undefined : `of ${micros.length} requests ${faults} failed`,
  };
}

const faultNames: Readonly<Record<string, string>> = {
  connect: 'failed connects',
  read: 'broken off while reading',
  write: 'broken off while writing',
  status: 'answered with an error status',
  timeout: 'unanswered for 10 s',
};

async function runHandshakes(
  lab: Lab,
  { port }: Proxy,
  { path, connections }: Extract<Load, { kind: 'handshakes' }>,
  seconds: number,
): Promise<Answers> {
  const program = join(root, 'test/bench/handshakes.ts');
  const text = await run(lab.binary('node'), [program, JSON.stringify({ port, seconds, connections, path })]);
  const { answered, faults, ...times } = JSON.parse(text) as HandshakeReport;
  const fault = faults === 0 ? undefined : `of ${answered + faults} requests ${faults} failed`;
  return { requests: answered, fault, ...times };
}

/** Exported for the swaps, which put their own kind of proxy under the same load. */
export async function runOpenLoop(
  lab: Lab,
  port: number,
  load: Extract<Load, { kind: 'open' }>,
  seconds: number,
): Promise<Answers> {
  const options = { port, seconds, ...load };
  const program = join(root, 'test/bench/open-loop.ts');
  const text = await run(lab.binary('bun'), [program, JSON.stringify(options)]);
  const { answered, requestsPerSecond, faults, p50Ms, p99Ms, p999Ms, maxMs, lateP99Ms } = JSON.parse(
    text,
  ) as OpenLoopReport;
  const kinds = Object.entries(faults).map(([kind, count]) => `${count} ${kind}`);
  // Late sending counts as the proxy's latency, so a generator that falls behind must not go unnoticed.
  if (lateP99Ms > 5) kinds.push(`the generator itself sent ${lateP99Ms.toFixed(1)} ms late (p99)`);
  const fault = kinds.length === 0 ? undefined : `of ${load.rate * seconds} requests: ${kinds.join(', ')}`;
  return { requests: answered, requestsPerSecond, p50Ms, p99Ms, p999Ms, maxMs, fault };
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('taskset', ['-c', String(loadCore), command, ...args], { cwd: root }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`${command}: ${err.trim().split('\n').at(-1) ?? error.message}`));
    });
  });
}
