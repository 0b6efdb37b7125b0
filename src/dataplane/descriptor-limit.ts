// How many connections the system lets this process hold.
import { readFileSync } from 'node:fs';

/** For the program itself, its threads, listeners, logs and watches. */
const reserved = 100;

/** Infinity where the system does not say. */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}

const fewestChecks = 16;
/** Enough for 10,000 endpoints every 10 s that take a quarter of a second each. */
const mostChecks = 256;

/** Health checks at a time: each has a descriptor. */
export function checksAtOnce(descriptors: number): number {
  return Math.min(Math.max(fewestChecks, Math.floor(descriptors / 16)), mostChecks);
}

/** Client connections per worker: each may need a second descriptor, towards a backend. */
export function connectionsPerWorker(descriptors: number, workers: number): number {
  return Math.max(1, Math.floor((descriptors - reserved - checksAtOnce(descriptors)) / 2 / workers));
}
