// Time as this thread has lived through it: what passes while it cannot run does not count.
//
// A process that is stopped (SIGSTOP, a debugger, a suspended machine) has lost that time in all of its threads: whoever
// judges others by a clock alone would find them dead, and end them all.

export class LivedTime {
  readonly #mostMs: number;
  readonly #now: () => number;
  #lastMs: number;

  /** One look counts for `mostMs` at most. `now` gives monotonic milliseconds. */
  constructor(mostMs: number, now: () => number = () => performance.now()) {
    this.#mostMs = mostMs;
    this.#now = now;
    this.#lastMs = now();
  }

  /** Since the last call. */
  step(): number {
    const nowMs = this.#now();
    const passedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    return Math.min(passedMs, this.#mostMs);
  }
}
