// Whether memory stays where it was when everything had been used once.

/** What the end may have more than the early window. */
const allowedGrowth = 1.15;
/** Runtimes grow to their working size in the first minutes: the early window is around this time, ... */
const earlyMs = 300_000;
/** ... or, in a run that is too short for that, around this share of it. */
const earlyShare = 0.4;
/** Of single samples some are of a moment before, some of a moment after a collection: medians of a tenth are compared. */
const windowShare = 0.1;
/** A shorter run says nothing about growth: its figures are reported alone. */
const leastJudgedSeconds = 300;

interface Sample {
  readonly atMs: number;
  readonly megabytes: number;
}

export class SoakMemory {
  readonly #seconds: number;
  readonly #samples: Sample[] = [];

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  get last(): number {
    return this.#samples.at(-1)?.megabytes ?? Number.NaN;
  }

  add(atMs: number, megabytes: number): void {
    this.#samples.push({ atMs, megabytes });
  }

  faults(say: (line: string) => void): readonly string[] {
    const totalMs = this.#seconds * 1000;
    const at = Math.min(earlyMs, earlyShare * totalMs);
    const half = (windowShare * totalMs) / 2;
    const early = this.#median(at - half, at + half);
    // The last sample may be a little late.
    const late = this.#median(totalMs - 2 * half, Infinity);
    const growth = `${early.toFixed(1)} MB at ${(at / 60_000).toFixed(1)} min, ${late.toFixed(1)} MB at the end`;
    const isJudged = this.#seconds >= leastJudgedSeconds;
    say(`\nmemory: ${growth}; allowed: ${allowedGrowth} of it${isJudged ? '' : ', in longer runs'}`);
    return isJudged && late > early * allowedGrowth ? [`memory grew: ${growth}`] : [];
  }

  #median(fromMs: number, toMs: number): number {
    const values = this.#samples
      .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
      .map(({ megabytes }) => megabytes)
      .sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  }
}
