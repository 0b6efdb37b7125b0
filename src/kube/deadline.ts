// Signals with a time limit: what waits for an API server that hangs must end by itself.

/** A signal that aborts with its parent, or when nobody has extended it for `ms`. `end` it, or its timer stays. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #ms: number;
  readonly #reason: string;
  #timer: NodeJS.Timeout;

  /** `reason` is the message of the error that the signal aborts with. */
  constructor(parent: AbortSignal, ms: number, reason: string) {
    this.#parent = parent;
    this.#ms = ms;
    this.#reason = reason;
    this.#timer = this.#start();
    parent.addEventListener('abort', this.#onParent);
    if (parent.aborted) this.#onParent();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  extend(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** From now on only the parent aborts it. */
  lift(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#onParent);
    this.#controller.abort();
  }

  readonly #onParent = (): void => this.#controller.abort(this.#parent.reason);

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(new Error(`${this.#reason} (${this.#ms} ms)`)), this.#ms);
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
