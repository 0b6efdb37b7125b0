// What an endpoint has done lately, and for how long it is left alone for it.
//
//   In use -- so many failures in a row --> Ejected, base x (times in a row) --> In use
//                                                  a time in use as long as an ejection makes it one fewer
import type { OutlierEjection } from '#model/upstream-policies.ts';

export class Outlier {
  ejectedUntilMs = 0;
  #consecutive5xx = 0;
  #connectFailures = 0;
  /** In a row. */
  #ejections = 0;

  /** Nothing is held against it. */
  get isBlameless(): boolean {
    return this.#consecutive5xx === 0 && this.#connectFailures === 0;
  }

  onAnswer(status: number): void {
    this.#connectFailures = 0;
    this.#consecutive5xx = status >= 500 ? this.#consecutive5xx + 1 : 0;
  }

  onConnectFailure(): void {
    this.#connectFailures++;
  }

  /** Why it is to be ejected; undefined: it is not. */
  reason(terms: OutlierEjection): EjectionReason | undefined {
    if (terms.consecutive5xx > 0 && this.#consecutive5xx >= terms.consecutive5xx) return '5xx';
    if (terms.connectFailures > 0 && this.#connectFailures >= terms.connectFailures) return 'connect';
    return undefined;
  }

  /** From now on, and longer each time that it happens again. */
  eject({ baseEjectionMs, maxEjectionMs }: OutlierEjection, nowMs: number): void {
    const goodForMs = nowMs - this.ejectedUntilMs;
    const forgiven = this.#ejections === 0 ? 0 : Math.floor(goodForMs / baseEjectionMs);
    this.#ejections = Math.max(0, this.#ejections - forgiven) + 1;
    this.ejectedUntilMs = nowMs + Math.min(baseEjectionMs * this.#ejections, maxEjectionMs);
    this.#consecutive5xx = 0;
    this.#connectFailures = 0;
  }
}

export type EjectionReason = '5xx' | 'connect';
