// Tallies by revision: the same value for as long as it says the same, so that thousands of objects that wait for one
// revision can see at a glance that nothing has happened.
import type { Acknowledgements, Tally } from './acknowledgements.ts';

interface Known {
  readonly tally: Tally;
  round: number;
}

/** More than anybody waits for at once; those that nobody asks for any more go with the rest. */
const mostKnown = 1000;

export class Tallies {
  readonly #acknowledgements: Pick<Acknowledgements, 'tally'>;
  readonly #known = new Map<number, Known>();
  #round = 0;

  constructor(acknowledgements: Pick<Acknowledgements, 'tally'>) {
    this.#acknowledgements = acknowledgements;
  }

  /** Some pod may have said something. */
  renew(): void {
    this.#round++;
    if (this.#known.size > mostKnown) this.#known.clear();
  }

  of(sequence: number): Tally {
    const known = this.#known.get(sequence);
    if (known?.round === this.#round) return known.tally;
    const fresh = this.#acknowledgements.tally(sequence);
    const tally = known !== undefined && isSame(known.tally, fresh) ? known.tally : fresh;
    this.#known.set(sequence, { tally, round: this.#round });
    return tally;
  }
}

function isSame(a: Tally, b: Tally): boolean {
  return (
    a.total === b.total &&
    a.serving === b.serving &&
    a.laggards.length === b.laggards.length &&
    a.laggards.every((text, index) => text === b.laggards[index])
  );
}
