// How many requests to one upstream may be repeated: a fifth of them, and a few in any case. When most of them fail, repeating
// all would be the load that keeps their backend down.

const share = 0.2;
/** What a quiet upstream may do at once. */
const reserve = 10;

export class RetryBudget {
  #tokens = reserve;

  /** A request that is no repetition. */
  deposit(): void {
    if (this.#tokens < reserve) this.#tokens = Math.min(reserve, this.#tokens + share);
  }

  /** False: no repetition now. */
  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
