// What every part of a run stands on: a folder for files, two cores, the backends, and an end for every process.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backendAuthority, backendAuthorityFile, backendPair, backendPairFile } from './backend-pair.ts';
import { backendConf } from './peer-conf.ts';
import type { Scene } from './scene.ts';
import { freePort } from '../free-port.ts';

export const root = new URL('../../', import.meta.url).pathname;
export type Runtime = 'node' | 'bun';

/** The proxy under test has this core to itself... */
export const proxyCore = 0;
/** ...and load, backends and this program share that one. */
export const loadCore = 1;

/** A process of the lab. Its standard error is kept, to tell why it ended. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly isAlive: () => boolean;
  readonly lastWords: () => string;
  readonly stop: () => Promise<void>;
}

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'flint-bench-'));
  readonly #running = new Set<Running>();
  readonly #binaries = new Map<Runtime, string>();
  backends: readonly number[] = [];
  /** Of gRPC: they speak HTTP/2 by prior knowledge. */
  #http2Backends: readonly number[] = [];
  /** Those that come with TLS. */
  #secureBackends: readonly number[] = [];

  static async open(): Promise<Lab> {
    const lab = new Lab();
    execFileSync('taskset', ['-a', '-p', '-c', String(loadCore), String(process.pid)], { stdio: 'ignore' });
    // A run that is broken off must not leave processes behind that spoil the next one.
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        lab.close();
        process.exit(1);
      });
    mkdirSync(join(lab.folder, 'files'));
    const sizes = { '10k': 10_240, '1m': 1_048_576, chunked: 102_400 };
    for (const [name, bytes] of Object.entries(sizes))
      writeFileSync(join(lab.folder, 'files', name), Buffer.alloc(bytes, 'x'));
    lab.backends = [await freePort(), await freePort()];
    lab.#http2Backends = [await freePort(), await freePort()];
    lab.#secureBackends = [await freePort(), await freePort()];
    lab.writeFile(backendPairFile, backendPair);
    lab.writeFile(backendAuthorityFile, backendAuthority);
    const ports = [...lab.backends, ...lab.#secureBackends];
    const conf = lab.writeFile('backend.conf', backendConf(lab.folder, lab.backends, lab.#secureBackends));
    const backend = lab.start(loadCore, 'nginx', ['-p', lab.folder, '-c', conf]);
    for (const port of ports) await untilListening(port, backend);
    const program = [join(root, 'test/bench/grpc-backend.ts'), ...lab.#http2Backends.map(String)];
    const grpcBackend = lab.start(loadCore, lab.binary('bun'), program);
    for (const port of lab.#http2Backends) await untilListening(port, grpcBackend);
    return lab;
  }

  backendsOf(scene: Scene): readonly number[] {
    if (scene.hasSecureBackends) return this.#secureBackends;
    return scene.http2 === 'gRPC' ? this.#http2Backends : this.backends;
  }

  /** Resolves the wrapper once: what it does at every start is not the runtime's own time. */
  binary(runtime: Runtime): string {
    const known = this.#binaries.get(runtime);
    if (known !== undefined) return known;
    const found = execFileSync(
      'hack/runtime',
      [runtime, '-e', 'process.stdout.write(String(process.execPath))'],
      { cwd: root, encoding: 'utf8' },
    );
    this.#binaries.set(runtime, found);
    return found;
  }

  writeFile(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  start(core: number, command: string, args: readonly string[], withPipes = false): Running {
    const words = join(this.folder, `stderr-${this.#running.size}-${Date.now()}`);
    const stderr = openSync(words, 'w');
    const pipe = withPipes ? 'pipe' : 'ignore';
    const child = spawn('taskset', ['-c', String(core), command, ...args], {
      cwd: root,
      stdio: [pipe, pipe, stderr],
    });
    closeSync(stderr);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const running: Running = {
      pid: child.pid ?? 0,
      child,
      isAlive: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
      lastWords: () => {
        const line = readFileSync(words, 'utf8').trim().split('\n').at(-1) ?? '';
        const end = child.signalCode ?? (child.exitCode === null ? '' : `exit code ${child.exitCode}`);
        return `${end} ${line.slice(0, 300)}`.trim();
      },
      stop: async () => {
        child.kill('SIGKILL');
        await exited;
        this.#running.delete(running);
      },
    };
    this.#running.add(running);
    return running;
  }

  close(): void {
    for (const { child } of this.#running) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Says which of the programs is missing that a run needs, or nothing. */
export function missingTool(): string | undefined {
  return ['nginx', 'haproxy', 'wrk', 'h2load', 'taskset'].find(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
}

/** Resolves to the milliseconds until a connection was accepted, to about one; rejects when the process ends. */
export async function untilListening(port: number, running: Running): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < 60_000) {
    if (await isListening(port)) return performance.now() - startedMs;
    if (!running.isAlive()) throw new Error(`ended at its start: ${running.lastWords()}`);
    await pause(1);
  }
  throw new Error(`does not listen after a minute: ${running.lastWords()}`);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
