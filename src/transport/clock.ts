// Monotonic milliseconds, read from the system at most once an event: one turn of work has one time.
//
// Every transport and the timer wheel say when another event begins; without it a request asks the system for the time
// a dozen times (Bun: 45 ns each).

export class Clock {
  #nowMs = 0;
  #isKnown = false;
  #beatMs = 0;
  #settledMs = 0;

  /**
   * Whatever had happened by then has been told. What happened later may wait to be read, for as long as this thread got no
   * time, behind the very event that asks.
   */
  get settledMs(): number {
    return this.#settledMs;
  }

  /** Called by a timer now and then: between two calls the system has been asked for events, and all of them were told. */
  beat(): void {
    this.#settledMs = this.#beatMs;
    this.#beatMs = performance.now();
  }

  now(): number {
    if (!this.#isKnown) {
      this.#nowMs = performance.now();
      this.#isKnown = true;
    }
    return this.#nowMs;
  }

  /** Another event begins. */
  forget(): void {
    this.#isKnown = false;
  }
}

/** Of this thread. */
export const clock = new Clock();
