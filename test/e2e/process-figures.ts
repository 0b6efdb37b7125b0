// What a process holds, as the kernel counts it, and a patient look at such figures.
import { readFileSync, readdirSync } from 'node:fs';

export const kib = 1024;
export const mib = 1024 * 1024;

/** The kernel counts memory in pages and CPU time in ticks of 10 ms. */
const pageBytes = 4096;
const tickMs = 10;

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export function residentBytesOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes;
}

/** CPU time spent so far by all threads. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in brackets may hold spaces; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** The limit of this process itself, which Node has already raised as far as it may. */
export function ownDescriptorLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return Number(line?.[1] ?? 0);
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Looks at a figure until it is good, and gives the last one seen when `withinMs` are over. */
export async function eventually<T>(
  read: () => T,
  isGood: (value: T) => boolean,
  withinMs = 10_000,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const value = read();
    if (isGood(value) || performance.now() > endMs) return value;
    await pause(50);
  }
}

/** The figure after it has stood still for `stillMs`. */
export async function settled(read: () => number, stillMs = 500, withinMs = 10_000): Promise<number> {
  const endMs = performance.now() + withinMs;
  // A pause that took longer than it was to take is no stillness: nobody may have had the time to move anything.
  const lookMs = 50;
  let value = read();
  let looks = 0;
  while (looks * lookMs < stillMs && performance.now() < endMs) {
    await pause(lookMs);
    const next = read();
    looks = next === value ? looks + 1 : 0;
    value = next;
  }
  return value;
}
