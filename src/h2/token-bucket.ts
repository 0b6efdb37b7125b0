// How often a peer may do what costs us more than it: a burst at once, then so many a second, and more for useful work.

export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #most: number;
  #tokens: number;
  #sinceMs = 0;

  /** `most`: how many useful work may save up; at least the burst. */
  constructor(burst: number, perSecond: number, most = burst) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#most = most;
    this.#tokens = burst;
  }

  /** False: it is spent. */
  take(nowMs: number): boolean {
    if (this.#tokens < this.#burst) {
      const gained = ((nowMs - this.#sinceMs) * this.#perSecond) / 1000;
      this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, gained));
    }
    this.#sinceMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  earn(tokens: number): void {
    this.#tokens = Math.min(this.#most, this.#tokens + tokens);
  }
}
