// Gathers changes: acts when they have paused, not again at once, and never later than a maximum after the first.

export interface HoldOffTimes {
  /** Without a further change for this long, it acts. */
  readonly quietMs: number;
  /** From one act to the next: a single change is acted on at once, a stream of them in steps. */
  readonly spacingMs: number;
  /** From a change to its act, however many follow; above spacingMs. */
  readonly maximumMs: number;
}

export class HoldOff {
  readonly #times: HoldOffTimes;
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined = undefined;
  #firstMs = 0;
  #actedMs = -Infinity;

  constructor(times: HoldOffTimes, act: () => void) {
    this.#times = times;
    this.#act = act;
  }

  touch(): void {
    const { quietMs, spacingMs, maximumMs } = this.#times;
    const nowMs = performance.now();
    if (this.#timer === undefined) this.#firstMs = nowMs;
    else clearTimeout(this.#timer);
    const dueMs = Math.min(nowMs + quietMs, this.#firstMs + maximumMs);
    const waitMs = Math.max(dueMs, this.#actedMs + spacingMs) - nowMs;
    this.#timer = setTimeout(() => this.#onDue(), Math.max(0, waitMs));
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #onDue(): void {
    this.#timer = undefined;
    this.#actedMs = performance.now();
    this.#act();
  }
}
