// A process with all that it has started.
import { readFileSync, readdirSync } from 'node:fs';
import { residentBytesOf } from '../e2e/process-figures.ts';

/** The youngest last. */
export function childrenOf(pid: number): readonly number[] {
  const children: number[] = [];
  for (const entry of readdirSync('/proc'))
    if (/^\d+$/.test(entry) && parentOf(Number(entry)) === pid) children.push(Number(entry));
  return children.sort((a, b) => a - b);
}

export function processTree(pid: number): readonly number[] {
  return [pid, ...childrenOf(pid).flatMap((child) => processTree(child))];
}

/** Pages that they share are counted for each. */
export function residentBytesOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentBytesOrNone(pid), 0);
}

function residentBytesOrNone(pid: number): number {
  try {
    return residentBytesOf(pid);
  } catch {
    return 0;
  }
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
