// The clocks of an exchange, on one timer: how long an answer may take, how long a body may stand still, and how long it is
// until the next attempt.
//
//   Off -- wait() --> Waiting -- due --> onDeadline           over all attempts of a request, and for each of them
//    |\---- watch() --> Watching -- silent for too long --> onSilence
//    \----- pause() --> Pausing -- over --> goOn               or onDeadline, where the request has no time left
import type { Timeouts } from '#model/route-model.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { ProxyContext } from './proxy-context.ts';

/** Whatever the idle timeout: a client that reads slowly gets this long to take something. */
const slowReaderMs = 30_000;
/** How often it is looked at what has left of a response. */
export const slowReaderCheckMs = 10_000;

export interface ExchangeTimerOwner {
  /** What waits for a client that takes nothing just now; 0: it takes what comes. */
  readonly slowBytes: number;
  /** The client sends, but too little. */
  readonly isTrickling: boolean;
  /** `isOfRequest`: over all attempts, not only of this one. */
  onDeadline(isOfRequest: boolean): void;
  /** The pause is over. */
  goOn(): void;
  onSilence(): void;
}

const Mode = { Waiting: 0, Watching: 1, Pausing: 2 } as const;
type Mode = (typeof Mode)[keyof typeof Mode];

export class ExchangeTimer implements TimerOwner {
  readonly #context: ProxyContext;
  readonly #owner: ExchangeTimerOwner;
  readonly #timer = new Timer(this);
  #mode: Mode = Mode.Waiting;
  #idleMs = 0;
  #checkMs = Infinity;
  #activityMs = 0;
  /** At the last look. */
  #slowBytes = 0;
  /** Of the request; 0 until it has been sent once, Infinity for none. */
  #deadlineMs = 0;
  #attemptDeadlineMs = Infinity;

  constructor(context: ProxyContext, owner: ExchangeTimerOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  begin(nowMs: number): void {
    this.#activityMs = nowMs;
    this.#deadlineMs = 0;
    this.#attemptDeadlineMs = Infinity;
  }

  stop(): void {
    this.#context.timers.clear(this.#timer);
  }

  /** Something moved: only noted, the timer looks at it when it fires and sleeps on for the rest. */
  touch(): void {
    this.#activityMs = this.#context.now();
  }

  /** The request is with a backend; from here its answer is what we wait for. */
  wait({ requestMs, backendRequestMs }: Timeouts): void {
    this.#mode = Mode.Waiting;
    const nowMs = this.#context.now();
    if (this.#deadlineMs === 0) this.#deadlineMs = requestMs === 0 ? Infinity : nowMs + requestMs;
    this.#attemptDeadlineMs = backendRequestMs === 0 ? Infinity : nowMs + backendRequestMs;
    this.#setUntil(Math.min(this.#deadlineMs, this.#attemptDeadlineMs), nowMs);
  }

  /** A request that was sent once already has a deadline, whatever becomes of its next attempt. */
  waitAgain(): void {
    this.#mode = Mode.Waiting;
    // That of the attempt before says nothing about this one.
    this.#attemptDeadlineMs = Infinity;
    this.#setUntil(this.#deadlineMs === 0 ? Infinity : this.#deadlineMs, this.#context.now());
  }

  /** Nothing is under way until `delayMs` are over. */
  pause(delayMs: number): void {
    this.#mode = Mode.Pausing;
    const nowMs = this.#context.now();
    const deadlineMs = this.#deadlineMs === 0 ? Infinity : this.#deadlineMs;
    this.#setUntil(Math.min(nowMs + delayMs, deadlineMs), nowMs);
  }

  /**
   * A body is under way: what counts is that it moves. `idleMs` 0 means for ever; `checkMs`: how often the owner is asked
   * whether it trickles.
   */
  watch(idleMs: number, checkMs = Infinity): void {
    this.#mode = Mode.Watching;
    // It may have waited for room before: how long its body takes is not the backend's.
    this.#deadlineMs = 0;
    this.#idleMs = idleMs;
    this.#checkMs = checkMs;
    this.#slowBytes = 0;
    this.touch();
    this.#sleep(idleMs === 0 ? Infinity : idleMs);
  }

  /** Until silence would be too long, or the next check. */
  #sleep(leftMs: number): void {
    const delayMs = Math.min(leftMs, this.#checkMs);
    if (delayMs === Infinity) this.stop();
    else this.#context.timers.set(this.#timer, delayMs);
  }

  #setUntil(dueMs: number, nowMs: number): void {
    if (dueMs === Infinity) this.stop();
    else this.#context.timers.set(this.#timer, Math.max(0, dueMs - nowMs));
  }

  onTimer(): void {
    if (this.#mode !== Mode.Watching) {
      const isOver = this.#deadlineMs > 0 && this.#context.now() >= this.#deadlineMs;
      const isPausing = this.#mode === Mode.Pausing;
      if (isPausing && !isOver) this.#owner.goOn();
      // Where one attempt has all of the time, its backend is what was too slow.
      else this.#owner.onDeadline(isPausing || (isOver && this.#deadlineMs < this.#attemptDeadlineMs));
      return;
    }
    // The system's buffers hide what a slow client reads: seconds may pass before any of it shows here.
    const { slowBytes } = this.#owner;
    if (slowBytes !== this.#slowBytes && slowBytes > 0) this.touch();
    this.#slowBytes = slowBytes;
    const allowedMs = slowBytes > 0 ? slowReaderMs : this.#idleMs === 0 ? Infinity : this.#idleMs;
    const leftMs = allowedMs - (this.#context.now() - this.#activityMs);
    if (leftMs <= 0 || this.#owner.isTrickling) this.#owner.onSilence();
    else this.#sleep(leftMs);
  }
}
