// How fast a request body comes, on average.

/** How often it is looked at, and how long a body may come slower than it should. */
export const paceCheckMs = 5000;

export class BodyPace {
  #sinceMs = 0;
  #bytesBefore = 0;

  /** From here on; `bytes` have come so far. */
  begin(nowMs: number, bytes: number): void {
    this.#sinceMs = nowMs;
    this.#bytesBefore = bytes;
  }

  isBelow(bytesPerSecond: number, nowMs: number, bytes: number): boolean {
    const measuredMs = nowMs - this.#sinceMs;
    return measuredMs >= paceCheckMs && (bytes - this.#bytesBefore) * 1000 < measuredMs * bytesPerSecond;
  }
}
