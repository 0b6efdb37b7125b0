// The sides of a probe: Flint on both runtimes, nginx and haproxy, started with the same pools and told of changes.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilListening } from '../bench/lab.ts';
import { freePort } from '../free-port.ts';
import { deathsEnvironment, killWorker } from '../chaos/worker-deaths.ts';
import type { Cleanup } from '../e2e/backends.ts';
import { runtime, startFlint } from '../e2e/flint-process.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { pause } from '../e2e/process-figures.ts';
import { haproxyText, nginxText } from './peer-configurations.ts';
import { clientIdleSeconds } from './plan.ts';
import type { Plan, Pools } from './plan.ts';
import { childrenOf, processTree } from './process-tree.ts';

/** A proxy that runs. */
export interface Subject {
  readonly port: number;
  readonly isAlive: boolean;
  /** All of its processes, those on their way out included. */
  pids(): readonly number[];
  /** Resolves when it has been told. */
  change(pools: Pools): Promise<void>;
  /** Asks it to end in peace. Resolves when it has. */
  stop(): Promise<void>;
  /** Ends one of its workers as a bug would. */
  killWorker(): Promise<void>;
}

export interface Side {
  readonly name: string;
  readonly start: (context: Cleanup, plan: Plan) => Promise<Subject>;
}

export const drainDelayMs = 1000;
/** haproxy's master hears signals only some time after its first worker listens. */
const settleMs = 500;

export function flintOn(on: string): Side {
  const name = on === 'bun' ? 'Flint on Bun' : 'Flint on Node';
  return { name, start: (context, plan) => startFlintSide(context, plan, on) };
}

/** That of the tests, which run on one runtime at a time. */
export const flintOfTests = flintOn(runtime);

export const nginx: Side = {
  name: 'nginx',
  start: (context, plan) =>
    startPeer(context, plan, {
      text: nginxText,
      command: (file, folder) => ['nginx', '-p', folder, '-c', file],
      reload: 'SIGHUP',
      stop: 'SIGQUIT',
    }),
};

export const haproxy: Side = {
  name: 'haproxy',
  start: (context, plan) =>
    startPeer(context, plan, {
      text: haproxyText,
      command: (file) => ['haproxy', '-W', '-q', '-f', file],
      reload: 'SIGUSR2',
      stop: 'SIGUSR1',
    }),
};

export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

async function startFlintSide(context: Cleanup, plan: Plan, on: string): Promise<Subject> {
  const deathFile = join(tmpdir(), `flint-death-${process.pid}-${Math.random()}`);
  const args = ['--workers', String(plan.workers ?? 1), '--drain-delay', String(drainDelayMs)];
  // Long enough for connections of a probe that takes its time: what they weigh is asked, not when they end.
  args.push('--set', `timeouts.clientIdle=${clientIdleSeconds}s`);
  const floor = plan.bodyBytesPerSecond;
  if (floor !== undefined) args.push('--set', `limits.bodyBytesPerSecond=${floor}`);
  const flint = await startFlint(
    context,
    flintManifests(plan, plan.pools),
    [...args, '--access-log', 'off'],
    {
      on,
      env: deathsEnvironment(on, deathFile),
      ...(plan.descriptorLimit === undefined ? {} : { descriptorLimit: plan.descriptorLimit }),
    },
  );
  return {
    port: flint.httpPort,
    get isAlive() {
      return isAlive(flint.process);
    },
    pids: () => [flint.pid],
    change: async (pools) => flint.writeManifests(flintManifests(plan, pools)),
    stop: async () => void (await flint.stop('SIGTERM')),
    killWorker: async () => void (await killWorker(deathFile)),
  };
}

/** A number of a duration has five digits at most. */
function duration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function flintManifests({ answerMs, idleMs }: Plan, pools: Pools): string {
  const timeouts = {
    ...(answerMs === undefined ? {} : { request: duration(answerMs) }),
    ...(idleMs === undefined ? {} : { idle: duration(idleMs) }),
  };
  const objects = Object.entries(pools).flatMap(([host, ports]) => {
    const name = host.replaceAll('.', '-');
    return [simpleRoute(host, name, { timeouts }), ...service(name, ports)];
  });
  return yaml(...objects);
}

interface Peer {
  readonly text: (plan: Plan, pools: Pools, port: number, folder: string) => string;
  readonly command: (file: string, folder: string) => readonly string[];
  readonly reload: NodeJS.Signals;
  readonly stop: NodeJS.Signals;
}

async function startPeer(context: Cleanup, plan: Plan, peer: Peer): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'flint-probe-'));
  const file = join(folder, 'peer.conf');
  const port = await freePort();
  const write = (pools: Pools): void => writeFileSync(file, peer.text(plan, pools, port, folder));
  write(plan.pools);
  const limit = plan.descriptorLimit === undefined ? '' : `ulimit -n ${plan.descriptorLimit} && `;
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...peer.command(file, folder)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (text: Buffer) => {
    words = (words + text.toString()).slice(-500);
  });
  const pid = child.pid ?? 0;
  context.after(() => {
    // The master's children outlive it otherwise.
    for (const each of processTree(pid)) kill(each, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await untilListening(port, {
    pid,
    child,
    isAlive: () => isAlive(child),
    lastWords: () => words,
    stop: async () => {},
  });
  await pause(settleMs);
  return {
    port,
    get isAlive() {
      return isAlive(child);
    },
    pids: () => processTree(pid),
    change: async (pools) => {
      write(pools);
      kill(pid, peer.reload);
    },
    stop: async () => {
      const exited = once(child, 'exit');
      kill(pid, peer.stop);
      await exited;
    },
    killWorker: async () => kill(childrenOf(pid)[0] ?? 0, 'SIGSEGV'),
  };
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, signal);
  } catch {
    // It has gone by itself.
  }
}
