// Gathers changes: acts when they have paused, and under a steady stream never later than a maximum after the first.

export class HoldOff {
  readonly #quietMs: number;
  readonly #maximumMs: number;
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined = undefined;
  #firstMs = 0;

  constructor(quietMs: number, maximumMs: number, act: () => void) {
    this.#quietMs = quietMs;
    this.#maximumMs = maximumMs;
    this.#act = act;
  }

  touch(): void {
    const now = performance.now();
    if (this.#timer === undefined) this.#firstMs = now;
    else clearTimeout(this.#timer);
    const leftMs = this.#firstMs + this.#maximumMs - now;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#act();
      },
      Math.max(0, Math.min(this.#quietMs, leftMs)),
    );
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
