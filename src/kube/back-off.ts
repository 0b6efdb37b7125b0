// Delays that grow with failure and are spread at random, so that a fleet does not come back all at once.

const firstMs = 100;
const lastMs = 10_000;

export class BackOff {
  readonly #random: () => number;
  #ms = firstMs;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Between half of the present bound and all of it; the bound doubles with each call. */
  next(): number {
    const bound = this.#ms;
    this.#ms = Math.min(this.#ms * 2, lastMs);
    return bound / 2 + (this.#random() * bound) / 2;
  }

  reset(): void {
    this.#ms = firstMs;
  }
}
