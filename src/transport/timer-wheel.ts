// Coarse timers for many connections: one clock for all, constant time to set and to clear, nothing per tick for
// those that are not due.
//
// Timeouts here guard against silence, so a tick of 50 ms is fine; an entry that is cancelled leaves the wheel at once
// and holds nothing alive. Time is monotonic: a clock that jumps moves no timeout.
import { clock } from './clock.ts';

const slots = 1024;
const tickMs = 50;

export interface TimerOwner {
  onTimer(): void;
}

/** One deadline of one owner at a time, reused for its whole life. */
export class Timer {
  owner: TimerOwner;
  dueTick = 0;
  next: Timer | undefined = undefined;
  previous: Timer | undefined = undefined;
  isSet = false;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }
}

export class TimerWheel {
  readonly #slots: (Timer | undefined)[] = Array.from({ length: slots }, () => undefined);
  readonly #now: () => number;
  /** Up to this one all that was due has fired. */
  #tick: number;
  /** When it was last looked. */
  #seenTick: number;
  #count = 0;
  #interval: NodeJS.Timeout | undefined = undefined;

  /** `now` gives monotonic milliseconds. */
  constructor(now: () => number = () => clock.now()) {
    this.#now = now;
    this.#tick = Math.floor(now() / tickMs);
    this.#seenTick = this.#tick;
  }

  get count(): number {
    return this.#count;
  }

  /** Sets the timer anew; it fires once, not before `delayMs`, and soon after it while this thread gets its time. */
  set(timer: Timer, delayMs: number): void {
    this.clear(timer);
    if (this.#count === 0) this.#start();
    timer.dueTick = Math.floor((this.#now() + delayMs) / tickMs) + 1;
    const slot = timer.dueTick % slots;
    const first = this.#slots[slot];
    timer.next = first;
    timer.previous = undefined;
    if (first !== undefined) first.previous = timer;
    this.#slots[slot] = timer;
    timer.isSet = true;
    this.#count++;
  }

  /** As set; a delay of 0 means none. */
  restart(timer: Timer, delayMs: number): void {
    if (delayMs > 0) this.set(timer, delayMs);
    else this.clear(timer);
  }

  clear(timer: Timer): void {
    if (!timer.isSet) return;
    if (timer.previous === undefined) this.#slots[timer.dueTick % slots] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    timer.next = undefined;
    timer.previous = undefined;
    timer.isSet = false;
    this.#count--;
  }

  /** Fires what is due. Called by the wheel's own interval; a test may call it instead. */
  advance(): void {
    clock.forget();
    clock.beat();
    const nowTick = Math.floor(this.#now() / tickMs);
    // After a time without time, as under a CPU limit, only what had been due before it fires. What became due in it waits
    // for the next look: what was waited for may have arrived meanwhile, and is read between the two.
    const target = nowTick > this.#seenTick + 1 ? this.#seenTick : nowTick;
    this.#seenTick = nowTick;
    // After a long pause every slot is visited once, not once for every tick that was missed.
    if (target - this.#tick > slots) this.#tick = target - slots;
    while (this.#tick < target) this.#fire(++this.#tick, target);
    if (this.#count === 0) this.#stop();
  }

  #fire(tick: number, target: number): void {
    const due: Timer[] = [];
    for (let timer = this.#slots[tick % slots]; timer !== undefined; timer = timer.next)
      if (timer.dueTick <= target) due.push(timer);
    // An owner may clear or set any timer, its neighbours in this slot included.
    for (const timer of due)
      if (timer.isSet && timer.dueTick <= target) {
        this.clear(timer);
        timer.owner.onTimer();
      }
  }

  /** An idle process does not tick. */
  #start(): void {
    if (this.#interval !== undefined) return;
    this.#tick = Math.floor(this.#now() / tickMs);
    this.#seenTick = this.#tick;
    this.#interval = setInterval(() => this.advance(), tickMs);
    this.#interval.unref();
  }

  #stop(): void {
    clearInterval(this.#interval);
    this.#interval = undefined;
  }
}
