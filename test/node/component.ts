// One long-running program of the harness: started with its log in a file, watched, ended; and the tails of such logs.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

export class Component {
  readonly name: string;
  readonly #log: string;
  readonly #child: ChildProcess;

  /** The log is `<logs>/<name>.log`; a component that starts again writes on. */
  constructor(name: string, logs: string, command: readonly [string, ...string[]]) {
    this.name = name;
    this.#log = join(logs, `${name}.log`);
    const log = openSync(this.#log, 'a');
    const [program, ...args] = command;
    this.#child = spawn(program, args, { stdio: ['ignore', log, log], env: environment() });
    closeSync(log);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#child.pid;
  }

  /** Throws with the last words of a component that has ended by itself. */
  assertAlive(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${this.name} ended (${exitCode ?? signalCode}):\n${tailOf(this.#log, 15)}`);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Debian keeps iptables, nft and ip where an ordinary PATH does not look. */
export function environment(): NodeJS.ProcessEnv {
  const path = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
  return { PATH: path, HOME: process.env['HOME'], LANG: 'C.UTF-8' };
}

/** Runs a command to its end; rejects with what it said when it fails. */
export async function run(command: readonly [string, ...string[]], input = ''): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program, args, { env: environment() });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  // Who has ended before it read its input says why by its status.
  child.stdin.on('error', () => undefined).end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${command.join(' ')}: ${code ?? signal}: ${errors}${output}`);
  return output;
}

/** The last lines of every log of a folder. */
export function logTails(logs: string, lines = 30): string {
  const files = readdirSync(logs, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.log'),
  );
  return files
    .sort((a, b) => a.localeCompare(b))
    .map((file) => `---- ${file}\n${tailOf(join(logs, file), lines)}`)
    .join('\n');
}

function tailOf(file: string, lines: number): string {
  const text = readFileSync(file, 'utf8').trimEnd();
  return text === '' ? `(${basename(file)} is empty)` : text.split('\n').slice(-lines).join('\n');
}
