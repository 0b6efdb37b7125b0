// `flint run` as a user starts it: a process with files, ports and signals.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kube/until.ts';
import type { Cleanup } from './backends.ts';

const root = new URL('../../', import.meta.url).pathname;

/** What the data plane runs on: the end-to-end tests pass on both. */
export const runtime = process.env['FLINT_RUNTIME'] ?? 'bun';

export interface AccessLine {
  readonly [field: string]: unknown;
  readonly path: string;
  readonly status: number;
  readonly fault: string;
}

/** Options of whoever listens: any free ports of loopback. */
export const anyPorts = ['http', 'https', 'admin'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);

export class FlintProcess {
  httpPort = 0;
  httpsPort = 0;
  adminPort = 0;
  /** Messages of the log on standard error, parsed. */
  readonly log: Readonly<Record<string, unknown>>[] = [];
  readonly accessLog: AccessLine[] = [];
  readonly process: ChildProcess;
  readonly folder: string;
  #listeners: (() => void)[] = [];

  constructor(process: ChildProcess, folder: string) {
    this.process = process;
    this.folder = folder;
    onLines(process.stderr, (line) => {
      this.log.push(JSON.parse(line) as Record<string, unknown>);
      this.#wake();
    });
    onLines(process.stdout, (line) => {
      this.accessLog.push(JSON.parse(line) as AccessLine);
      this.#wake();
    });
    process.on('exit', () => this.#wake());
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Resolves as soon as `condition` holds; it is looked at again after every line that the process prints. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { exitCode, signalCode } = this.process;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`flint exited with ${exitCode ?? signalCode}: ${JSON.stringify(this.log)}`);
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
      });
    }
  }

  said(text: string): boolean {
    return this.log.some(({ msg }) => typeof msg === 'string' && msg.includes(text));
  }

  /** Replaces the manifests in one step, as a careful editor does, without waiting for the effect. */
  writeManifests(text: string): void {
    const hidden = join(this.folder, '.next');
    writeFileSync(hidden, text);
    renameSync(hidden, join(this.folder, 'manifests.yaml'));
  }

  /** Replaces the manifests and resolves when every worker serves them. They must change something. */
  async apply(text: string): Promise<void> {
    const { sequence } = await this.revision();
    this.writeManifests(text);
    for (;;) if ((await this.revision(sequence, 10_000)).sequence > sequence) return;
  }

  async revision(after?: number, waitMs = 0): Promise<{ sequence: number; digest: string; workers: number }> {
    const query = after === undefined ? '' : `?after=${after}&waitMs=${waitMs}`;
    return (await (await this.admin(`/revision${query}`)).json()) as never;
  }

  admin(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.adminPort}${path}`);
  }

  /** The value of one series of /metrics; 0 when it is not there. */
  async metric(series: string): Promise<number> {
    const text = await (await this.admin('/metrics')).text();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** Resolves when a series of /metrics has the value: an answer may overtake its own counting. */
  counted(series: string, value: number): Promise<void> {
    return until(`${series} is ${value}`, async () => (await this.metric(series)) === value);
  }

  /** Resolves to the exit code. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    const exited = once(this.process, 'exit');
    this.process.kill(signal);
    await exited;
    return this.process.exitCode;
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

function onLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  });
}

export interface Start {
  /** What `ulimit -n` says to it. */
  readonly descriptorLimit?: number;
  /** What is started; one that behaves badly in a way that no user can bring about. */
  readonly entry?: string;
  /** On top of that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Another runtime than that of this run. */
  readonly on?: string;
}

/** Starts Flint on free ports and resolves when it listens. It is killed when the test or the suite ends, its folder removed. */
export async function startFlint(
  context: Cleanup,
  manifests: string,
  args: readonly string[] = [],
  { descriptorLimit, entry = 'src/main.ts', env = {}, on = runtime }: Start = {},
): Promise<FlintProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'flint-e2e-'));
  writeFileSync(join(folder, 'manifests.yaml'), manifests);
  const options = ['-f', folder, ...anyPorts, ...args];
  const command = [join(root, 'hack/runtime'), on, entry, 'run', ...options];
  // Both limits, soft and hard: the runtimes raise the soft one by themselves.
  const limit = descriptorLimit === undefined ? '' : `ulimit -n ${descriptorLimit} && `;
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const flint = new FlintProcess(child, folder);
  context.after(() => {
    if (child.exitCode === null) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await flint.until(() => flint.said('listening'));
  const listening = flint.log.find(({ msg }) => msg === 'listening');
  flint.httpPort = Number(listening?.['http']);
  flint.httpsPort = Number(listening?.['https']);
  flint.adminPort = Number(listening?.['admin']);
  return flint;
}
