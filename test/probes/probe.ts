// What a probe is: one fault, the promise about it, and figures of what a proxy made of it.
import type { Cleanup } from '../e2e/backends.ts';
import type { Side } from './side.ts';

/** `Test`: as much as shows whether the promise is kept. `Full`: figures that mean something. */
export type Scale = 'Test' | 'Full';

export interface Outcome {
  /** What was seen, in a few words each. */
  readonly figures: readonly string[];
  /** What of the promise was not kept: the same judgement for every side. Empty: all was. */
  readonly breaches: readonly string[];
}

export interface Probe {
  readonly name: string;
  readonly fault: string;
  readonly promise: string;
  run(side: Side, context: Cleanup, scale: Scale): Promise<Outcome>;
}

/** Those of `checks` that do not hold, in the words beside them. */
export function unless(...checks: readonly (readonly [holds: boolean, breach: string])[]): readonly string[] {
  return checks.filter(([holds]) => !holds).map(([, breach]) => breach);
}

/** `3 of 200, 1 of 502`. */
export function tallied(counts: ReadonlyMap<string | number, number>): string {
  const words = [...counts].toSorted(([a], [b]) => String(a).localeCompare(String(b)));
  return words.map(([what, count]) => `${count} x ${what}`).join(', ') || 'nothing';
}

export function count<K>(counts: Map<K, number>, what: K): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** How many were delivered more than once. */
export function duplicatesIn(deliveries: ReadonlyMap<string, number>): number {
  return [...deliveries.values()].filter((times) => times > 1).length;
}
