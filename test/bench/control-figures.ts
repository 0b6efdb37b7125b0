// Figures of processes as the kernel counts them, and of samples.
import { readFileSync, readdirSync } from 'node:fs';
import { cpuMsOf, mib } from '../e2e/process-figures.ts';

/** Of the whole machine, in ticks of 10 ms: user, nice, system. The interrupts are mostly those of our own loopback. */
const busyFields = [0, 1, 2];
const tickMs = 10;

/** CPU time since a moment, process by process, and of everyone else on the machine. */
export class CpuWatch {
  readonly #startedMs = performance.now();
  readonly #pids: ReadonlyMap<string, number>;
  readonly #before: ReadonlyMap<string, number>;
  readonly #machineBefore = machineBusyMs();
  readonly #ownBefore = ownNamespaceMs();

  constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
    this.#before = new Map([...pids].map(([name, pid]) => [name, cpuMsOf(pid)]));
  }

  /** So far, in milliseconds. */
  spentMs(name: string): number {
    const pid = this.#pids.get(name);
    return pid === undefined ? Number.NaN : cpuMsOf(pid) - (this.#before.get(name) ?? 0);
  }

  percent(name: string): number {
    return (this.spentMs(name) / this.#elapsedMs) * 100;
  }

  /** What ran on this machine that was no part of the run: above a few percent of a core, figures mean little. */
  get othersPercent(): number {
    const othersMs = machineBusyMs() - this.#machineBefore - (ownNamespaceMs() - this.#ownBefore);
    return Math.max(0, (othersMs / this.#elapsedMs) * 100);
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}

/** The first process of this name: in a private network a run sees its own processes alone. */
export function pidOf(name: string): number {
  const [pid] = ofProcesses((each) => {
    const isIt = readFileSync(`/proc/${each}/comm`, 'utf8').trim() === name.slice(0, 15);
    return isIt ? [each] : [];
  }).flat();
  if (pid === undefined) throw new Error(`there is no process ${name}`);
  return pid;
}

/** As it is, and at its highest since the process began. */
export function residentMegabytes(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytesOf = (field: string): number =>
    Number(new RegExp(`${field}:\\s+([0-9]+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return { now: bytesOf('VmRSS') / mib, peak: bytesOf('VmHWM') / mib };
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

/** `p50 12, p90 20, p99 30, max 31 ms`. */
export function spread(values: readonly number[], percents: readonly number[] = [50, 90, 99]): string {
  const shares = percents.map((percent) => `p${percent} ${whole(percentile(values, percent))}`);
  return `${[...shares, `max ${whole(percentile(values, 100))}`].join(', ')} ms`;
}

export function whole(value: number): string {
  return Number.isFinite(value) ? value.toFixed(0) : '-';
}

export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

export function megabytesText(value: number): string {
  return `${value.toFixed(0)} MB`;
}

export function kibibytesText(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function machineBusyMs(): number {
  const [, ...fields] = (/^cpu .*/.exec(readFileSync('/proc/stat', 'latin1'))?.[0] ?? '').split(/ +/);
  return busyFields.reduce((sum, field) => sum + Number(fields[field] ?? 0), 0) * tickMs;
}

function ownNamespaceMs(): number {
  return ofProcesses(cpuMsOf).reduce((sum, spentMs) => sum + spentMs, 0);
}

/** Of each process that is still there when it is looked at. */
function ofProcesses<T>(read: (pid: number) => T): readonly T[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^[0-9]+$/.test(entry)) return [];
    try {
      return [read(Number(entry))];
    } catch {
      return [];
    }
  });
}
