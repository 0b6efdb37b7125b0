// Gathers changes: acts when they have paused, and never later than a maximum after the first. What acting costs decides
// how soon it may act again: a single change is acted on at once, and a storm of them takes no more than its share.

export interface HoldOffTimes {
  /** Without a further change for this long, it acts. */
  readonly quietMs: number;
  /** From one act to the next, at least. */
  readonly spacingMs: number;
  /** Times what the last act cost, in CPU time: the share of time that acting may take is one in this plus one. */
  readonly restFactor: number;
  /** From a change to its act, however many follow. */
  readonly maximumMs: number;
}

export class HoldOff {
  readonly #times: HoldOffTimes;
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined = undefined;
  /** Of the changes that have not been acted on. */
  #firstMs: number | undefined = undefined;
  #lastMs = 0;
  #freeMs = -Infinity;
  #isActing = false;

  constructor(times: HoldOffTimes, act: () => void) {
    this.#times = times;
    this.#act = act;
  }

  touch(): void {
    const nowMs = performance.now();
    this.#firstMs ??= nowMs;
    this.#lastMs = nowMs;
    this.#schedule(nowMs);
  }

  /** An act begins, whoever asked for it: what changes from here on is held off until it has ended. */
  acting(): void {
    this.cancel();
    this.#isActing = true;
    this.#freeMs = performance.now() + this.#times.spacingMs;
  }

  /** It has ended, and has taken `costMs` of CPU time. */
  acted(costMs: number): void {
    const nowMs = performance.now();
    this.#isActing = false;
    this.#freeMs = Math.max(this.#freeMs, nowMs + costMs * this.#times.restFactor);
    if (this.#firstMs !== undefined) this.#schedule(nowMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firstMs = undefined;
  }

  #schedule(nowMs: number): void {
    if (this.#isActing || this.#firstMs === undefined) return;
    const { quietMs, maximumMs } = this.#times;
    const latestMs = this.#firstMs + maximumMs;
    const dueMs = Math.min(Math.max(this.#lastMs + quietMs, this.#freeMs), latestMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onDue(), Math.max(0, dueMs - nowMs));
  }

  #onDue(): void {
    this.cancel();
    this.#freeMs = performance.now() + this.#times.spacingMs;
    this.#act();
  }
}
