// The two clocks of an exchange, on one timer: how long an answer may take, and how long a body may stand still.
//
//   Off -- wait() --> Waiting -- due --> onDeadline           over all attempts of a request, and for each of them
//    \---- watch() --> Watching -- silent for too long --> onSilence
import type { Timeouts } from '#model/route-model.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { ProxyContext } from './proxy-context.ts';

/** However short the idle timeout: a client that reads slowly gets this long to show it. */
const slowReaderMs = 30_000;

export interface ExchangeTimerOwner {
  /** The client takes nothing just now of what is written to it. */
  readonly isClientSlow: boolean;
  /** The client sends, but too little. */
  readonly isTrickling: boolean;
  onDeadline(): void;
  onSilence(): void;
}

export class ExchangeTimer implements TimerOwner {
  readonly #context: ProxyContext;
  readonly #owner: ExchangeTimerOwner;
  readonly #timer = new Timer(this);
  #isWatching = false;
  #idleMs = 0;
  #checkMs = Infinity;
  #activityMs = 0;
  /** Of the request; 0 until it has been sent once, Infinity for none. */
  #deadlineMs = 0;

  constructor(context: ProxyContext, owner: ExchangeTimerOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  begin(nowMs: number): void {
    this.#activityMs = nowMs;
    this.#deadlineMs = 0;
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
    this.#isWatching = false;
    const nowMs = this.#context.now();
    if (this.#deadlineMs === 0) this.#deadlineMs = requestMs === 0 ? Infinity : nowMs + requestMs;
    const attemptMs = backendRequestMs === 0 ? Infinity : nowMs + backendRequestMs;
    this.#setUntil(Math.min(this.#deadlineMs, attemptMs), nowMs);
  }

  /** A request that was sent once already has a deadline, whatever becomes of its next attempt. */
  waitAgain(): void {
    this.#isWatching = false;
    this.#setUntil(this.#deadlineMs === 0 ? Infinity : this.#deadlineMs, this.#context.now());
  }

  /**
   * A body is under way: what counts is that it moves. `idleMs` 0 means for ever; `checkMs`: how often the owner is asked
   * whether it trickles.
   */
  watch(idleMs: number, checkMs = Infinity): void {
    this.#isWatching = true;
    this.#idleMs = idleMs;
    this.#checkMs = checkMs;
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
    if (!this.#isWatching) {
      this.#owner.onDeadline();
      return;
    }
    // The system's buffers hide what a slow client reads: seconds may pass before any of it shows here.
    const allowedMs = this.#owner.isClientSlow ? Math.max(this.#idleMs, slowReaderMs) : this.#idleMs;
    const leftMs = this.#idleMs === 0 ? Infinity : allowedMs - (this.#context.now() - this.#activityMs);
    if (leftMs <= 0 || this.#owner.isTrickling) this.#owner.onSilence();
    else this.#sleep(leftMs);
  }
}
