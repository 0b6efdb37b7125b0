// Turns in proportion to weights: exact over every round, and even within it.
//
// A round has as many turns as the weights add up to, in lowest terms: 90 and 10 have 10. Each turn steps on by about 0.618 of
// the round, which spreads the turns of each weight evenly, and meets every point once, since step and round have no common
// divisor. Where a round begins is left to chance, or the workers of a process would all begin with the same backend.

const goldenShare = 0.618_033_988_749_895;

export class WeightedTurn {
  /** Turns of a round; 0 where there is no weight. */
  readonly round: number;
  readonly #step: number;
  #point: number;

  constructor(weights: readonly number[], random: () => number = Math.random) {
    const divisor = weights.reduce(greatestCommonDivisor, 0);
    this.round = divisor === 0 ? 0 : weights.reduce((sum, weight) => sum + weight, 0) / divisor;
    this.#step = stepOf(this.round);
    this.#point = Math.floor(random() * this.round);
  }

  /** A point of the round, from 0 up to 1. */
  next(): number {
    const point = this.#point;
    this.#point = (point + this.#step) % this.round;
    return (point + 0.5) / this.round;
  }
}

function stepOf(round: number): number {
  let step = Math.max(1, Math.round(round * goldenShare));
  // Of a round without turns every number is a divisor, and none is taken.
  while (greatestCommonDivisor(step, Math.max(1, round)) !== 1) step++;
  return step;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
