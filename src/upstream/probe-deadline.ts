// How long a check may take. A thread that stood still meanwhile has not heard what has come: it listens once more before
// anybody is said to be late.
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { UpstreamContext } from './upstream-connection.ts';

/** A wheel that turns is not later than this. */
const mostLateMs = 200;
/** A turn of the loop and more. */
const listenMs = 50;

export class ProbeDeadline implements TimerOwner {
  readonly #context: Pick<UpstreamContext, 'timers' | 'now'>;
  readonly #timer = new Timer(this);
  readonly #onLate: () => void;
  #dueMs: number;

  constructor(context: Pick<UpstreamContext, 'timers' | 'now'>, timeoutMs: number, onLate: () => void) {
    this.#context = context;
    this.#onLate = onLate;
    this.#dueMs = context.now() + timeoutMs;
    context.timers.set(this.#timer, timeoutMs);
  }

  onTimer(): void {
    if (this.#context.now() - this.#dueMs > mostLateMs) {
      this.#dueMs = Infinity;
      this.#context.timers.set(this.#timer, listenMs);
    } else this.#onLate();
  }

  clear(): void {
    this.#context.timers.clear(this.#timer);
  }
}
