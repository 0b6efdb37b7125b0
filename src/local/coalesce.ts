// Runs a job again whenever it is asked for: never twice at once, and once more for all that was asked meanwhile.

export class Coalesce {
  readonly #job: () => Promise<void>;
  #running: Promise<void> | undefined = undefined;
  #isAskedAgain = false;

  constructor(job: () => Promise<void>) {
    this.#job = job;
  }

  /** Resolves when a run that began after this call has ended; rejects with what that job threw. */
  async run(): Promise<void> {
    if (this.#running !== undefined) {
      this.#isAskedAgain = true;
      await this.#running.catch(() => {});
      // Of all who waited, the first one runs, and the others find its run.
      if (this.#isAskedAgain) {
        this.#isAskedAgain = false;
        await this.run();
      } else await this.#running;
      return;
    }
    this.#running = this.#job().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }
}
