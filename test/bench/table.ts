// Samples to Markdown: a row for each workload and proxy, medians of the rounds, ratios to the reference.
import type { Outcome, Sample } from './measure.ts';
import { reference } from './settings.ts';

/** What one proxy gave under one workload, round by round. */
export interface Row {
  readonly proxy: string;
  readonly outcomes: readonly Outcome[];
}

export const workloadHead = [
  '| workload | proxy | CPU us/request | ratio to nginx | requests/s | p50 | p99 | p99.9 | max |',
  '|---|---|---|---|---|---|---|---|---|',
].join('\n');

export function workloadRows(workload: string, rows: readonly Row[]): readonly string[] {
  const referenceCost = costOf(rows.find(({ proxy }) => proxy === reference));
  return rows.map((row, index) => {
    const start = `| ${index === 0 ? workload : ''} | ${row.proxy}`;
    const reason = thrownOut(row);
    if (reason !== undefined) return `${start} | thrown out: ${cell(reason)} | | | | | | |`;
    const cost = costOf(row);
    const cells = [
      cost.toFixed(1),
      Number.isNaN(referenceCost) ? '-' : (cost / referenceCost).toFixed(2),
      medianOf(row, ({ requestsPerSecond }) => requestsPerSecond).toFixed(0),
      milliseconds(medianOf(row, ({ p50Ms }) => p50Ms)),
      milliseconds(medianOf(row, ({ p99Ms }) => p99Ms)),
      milliseconds(medianOf(row, ({ p999Ms }) => p999Ms)),
      milliseconds(medianOf(row, ({ maxMs }) => maxMs)),
    ];
    return `${start} | ${cells.join(' | ')} |`;
  });
}

/** One bad round throws out them all, and each kind of badness is named once. */
function thrownOut({ outcomes }: Row): string | undefined {
  const reasons = outcomes.flatMap((outcome) => (outcome.kind === 'ThrownOut' ? [outcome.reason] : []));
  const [first] = reasons;
  if (first === undefined) return outcomes.length === 0 ? 'no round was run' : undefined;
  return `${reasons.length} of ${outcomes.length} rounds, such as ${first}`;
}

function costOf(row: Row | undefined): number {
  if (row === undefined || thrownOut(row) !== undefined) return Number.NaN;
  return medianOf(row, ({ microsecondsPerRequest }) => microsecondsPerRequest);
}

function medianOf({ outcomes }: Row, pick: (sample: Sample) => number): number {
  return median(outcomes.flatMap((outcome) => (outcome.kind === 'Measured' ? [pick(outcome.sample)] : [])));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}

export function megabytes(value: number): string {
  return `${value.toFixed(1)} MB`;
}

/** Any text as the content of one cell. */
export function cell(text: string): string {
  return text.replaceAll('|', '/').replaceAll(/\s+/g, ' ');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return lines.join('\n');
}
