// Writes of one kind that nobody is in a hurry about: a few at a time, none without the lease, and a pause for all of them
// when the API server fails, or thousands of objects would ask it again every second.
import { ApiError } from '#kube/api-client.ts';
import { BackOff } from '#kube/back-off.ts';

export interface WriteLaneOptions {
  readonly parallel: number;
  /** Answers that are no error; absent: that the object is gone, or has changed, and its next version is on its way. */
  readonly expected?: readonly number[];
  readonly isLeading: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** What such an answer says, it says of one object: the next one may fare better. */
const refusals = [400, 404, 409, 413, 422];
const outrun = [404, 409];

export class WriteLane {
  /** Those that took effect. */
  writes = 0;
  readonly #options: WriteLaneOptions;
  readonly #backOff = new BackOff();
  #underWay = 0;
  #openMs = -Infinity;

  constructor(options: WriteLaneOptions) {
    this.#options = options;
  }

  /** Whether one more may begin now. */
  get isOpen(): boolean {
    const { parallel, isLeading, signal } = this.#options;
    return this.#underWay < parallel && performance.now() >= this.#openMs && isLeading() && !signal.aborted;
  }

  /** Whether it took effect; never rejects. To be asked for only while the lane is open. */
  async run(write: () => Promise<void>): Promise<boolean> {
    this.#underWay++;
    try {
      await write();
      this.writes++;
      this.#backOff.reset();
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    } finally {
      this.#underWay--;
    }
  }

  #failed(error: unknown): void {
    const { expected = outrun, onError, signal } = this.#options;
    if (signal.aborted) return;
    const status = error instanceof ApiError ? error.status : 0;
    if (!refusals.includes(status)) {
      const asked = error instanceof ApiError ? error.retryAfterSeconds * 1000 : 0;
      this.#openMs = performance.now() + Math.max(this.#backOff.next(), Math.min(asked, longestPauseMs));
    }
    if (!expected.includes(status)) onError(error);
  }
}

const longestPauseMs = 30_000;
