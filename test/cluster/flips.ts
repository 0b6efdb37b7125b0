// How old a table gets: an endpoint moves to a new address at every flip, each data plane is asked all the time which one
// it sends requests to, and from a flip that was made until an answer shows it, or a later one, that data plane is stale.
import { Prober } from './prober.ts';
import type { ProxyPod } from './test-cluster.ts';

interface Flip {
  readonly address: string;
  /** Not before the change was accepted. */
  madeMs: number;
  readonly seenMs: number[];
}

const addresses = 250;
/** Whoever shows nothing new for so long will not. */
const patienceMs = 120_000;

export class Flips {
  readonly #flips: Flip[] = [];
  readonly #probers: readonly Prober[];
  readonly #watching: Promise<unknown>;
  readonly #host: string;
  #isEnding = false;

  /** The route of `host` leads to one endpoint, which is at `addressAt(0)` now. */
  constructor(pods: readonly ProxyPod[], host: string, pauseMs: number) {
    this.#host = host;
    this.#flips.push({ address: Flips.addressAt(0), madeMs: 0, seenMs: pods.map(() => 0) });
    this.#probers = pods.map(({ http }) => new Prober(http, pauseMs));
    this.#watching = Promise.all(this.#probers.map((prober, index) => this.#watch(prober, index)));
    // Told when the flips end.
    this.#watching.catch(() => {});
  }

  static addressAt(number: number): string {
    return `10.213.3.${1 + (number % addresses)}`;
  }

  /** `move` brings the endpoint to an address, and resolves when that was accepted. */
  async flip(move: (address: string) => Promise<void> | void): Promise<void> {
    const address = Flips.addressAt(this.#flips.length);
    const flip: Flip = { address, madeMs: 0, seenMs: [] };
    this.#flips.push(flip);
    await move(address);
    flip.madeMs = performance.now();
  }

  /** Milliseconds, one for each flip and data plane; rejects when one never shows the last flip. */
  async end(): Promise<readonly number[]> {
    this.#isEnding = true;
    await this.#watching;
    for (const prober of this.#probers) prober.close();
    // An answer may overtake that of the API server.
    return this.#flips
      .slice(1)
      .flatMap(({ madeMs, seenMs }) => seenMs.map((seen) => Math.max(0, seen - madeMs)));
  }

  async #watch(prober: Prober, index: number): Promise<void> {
    let next = 1;
    while (!this.#isEnding || next < this.#flips.length) {
      let found = 0;
      const seenMs = await prober.until(
        this.#host,
        '/',
        ({ body }) => {
          found = this.#flips.findLastIndex(({ address }, number) => number >= next && address === body);
          return found > 0 || (this.#isEnding && next >= this.#flips.length);
        },
        patienceMs,
      );
      for (; next <= found; next++) {
        const flip = this.#flips[next];
        if (flip !== undefined) flip.seenMs[index] = seenMs;
      }
    }
  }
}
