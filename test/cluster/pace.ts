// Work at a fixed rate: what is due by the clock is begun, whatever the work before it does, until too much of it is under way.
export interface PaceOptions {
  readonly perSecond: number;
  /** With so much under way nothing is begun: the rate falls, and is reported as it was. */
  readonly most: number;
  readonly work: (number: number) => Promise<void> | void;
}

export interface Paced {
  readonly done: number;
  readonly perSecond: number;
  readonly errors: readonly Error[];
}

/** Timers come no closer than this. */
const tickMs = 2;

export class Pace {
  readonly #options: PaceOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #errors: Error[] = [];
  readonly #startedMs = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  #begun = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#beginDue(), tickMs);
  }

  /** Resolves when all that was begun has ended. */
  async stop(): Promise<Paced> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startedMs) / 1000;
    await Promise.all(this.#underWay);
    return { done: this.#begun, perSecond: this.#begun / seconds, errors: this.#errors };
  }

  #beginDue(): void {
    const { perSecond, most, work } = this.#options;
    const due = Math.floor(((performance.now() - this.#startedMs) / 1000) * perSecond);
    while (this.#begun < due && this.#underWay.size < most) {
      const done = work(this.#begun++);
      if (done === undefined) continue;
      const settled = done
        .catch((error: unknown) => {
          this.#errors.push(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => this.#underWay.delete(settled));
      this.#underWay.add(settled);
    }
  }
}
