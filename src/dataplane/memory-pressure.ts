// How short memory is, judged by the main thread and told to the workers by one word in shared memory.
//
//   None --80 %--> Ending --90 %--> Refusing --95 %--> Shedding       and back, each 5 % of the limit lower
//
// What each level means is said in proxy/memory-level.ts. Memory that was freed and that the process keeps counts as free:
// the allocator uses it before it asks for more. How much that is nobody says, but threads say how much they have let go of,
// and the kernel how much of it was given back.
import { MemoryLevel } from '#proxy/memory-level.ts';
import type { MemoryGauge } from './memory-gauge.ts';

/** Where each level begins, as a share of the limit; the first is None. */
const thresholds = [0, 0.8, 0.9, 0.95] as const;
const hysteresis = 0.05;
/** From here on it is looked at more often: a flood can fill 100 MB in a few of these. */
const alertShare = 0.7;
/** A process that has held no more than ever before, but for so much of the limit, for so long, does not grow. */
const growthShare = 0.005;
const stillMs = 5000;
const calmMs = 250;
const alertMs = 50;
/** How often threads collect garbage, by level: it costs tens of milliseconds, and what is freed has to show. */
const reliefMs = [Infinity, 10_000, 1000, 250] as const;

export interface MemoryPressureOptions {
  readonly gauge: MemoryGauge;
  /** What threads have in use of what the process keeps; see runtime-memory.ts. */
  readonly bytesInUse: () => number;
  /** Threads are to collect garbage, and to give up streams that hold `bytes`, if that is more than none. */
  readonly onRelief: (bytes: number) => void;
  readonly onLevel: (level: MemoryLevel, usedBytes: number) => void;
}

export function newPressureMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export class MemoryPressure {
  usedBytes = 0;
  readonly #options: MemoryPressureOptions;
  readonly #word: Int32Array;
  #relievedMs = -Infinity;
  #mostHeldBytes = 0;
  #mostInUse = 0;
  #grownMs = -Infinity;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** `memory` is where workers read the level. */
  constructor(memory: SharedArrayBuffer, options: MemoryPressureOptions) {
    this.#word = new Int32Array(memory);
    this.#options = options;
  }

  get level(): MemoryLevel {
    return this.#word[0]! as MemoryLevel;
  }

  get limitBytes(): number {
    return this.#options.gauge.limitBytes;
  }

  start(): void {
    this.look(performance.now());
    const delayMs = this.usedBytes > this.limitBytes * alertShare ? alertMs : calmMs;
    this.#timer = setTimeout(() => this.start(), delayMs);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** One look. */
  look(nowMs: number): void {
    const { gauge, onLevel, onRelief } = this.#options;
    const heldBytes = gauge.read();
    // A figure that cannot be read says nothing: what was known stays.
    if (Number.isNaN(heldBytes)) return;
    this.usedBytes = heldBytes - this.#reusable(heldBytes, nowMs);
    const before = this.level;
    const level = levelOf(this.usedBytes / this.limitBytes, before);
    if (level !== before) {
      Atomics.store(this.#word, 0, level);
      onLevel(level, this.usedBytes);
    }
    if (level <= before && nowMs - this.#relievedMs < reliefMs[level]) return;
    if (level === MemoryLevel.None) return;
    this.#relievedMs = nowMs;
    // Down to where shedding ends, not one stream further.
    const spareBytes = this.limitBytes * (thresholds[MemoryLevel.Shedding] - hysteresis);
    onRelief(level === MemoryLevel.Shedding ? Math.max(1, this.usedBytes - spareBytes) : 0);
  }

  /** Nothing while the process grows: then what was freed is not what is needed. */
  #reusable(heldBytes: number, nowMs: number): number {
    const inUse = this.#options.bytesInUse();
    this.#mostInUse = Math.max(this.#mostInUse, inUse);
    if (heldBytes > this.#mostHeldBytes + this.limitBytes * growthShare) {
      this.#mostHeldBytes = heldBytes;
      this.#grownMs = nowMs;
    }
    if (nowMs - this.#grownMs < stillMs) return 0;
    const letGo = this.#mostInUse - inUse;
    const givenBack = this.#mostHeldBytes - heldBytes;
    return Math.max(0, letGo - givenBack);
  }
}

function levelOf(share: number, before: MemoryLevel): MemoryLevel {
  let level: MemoryLevel = MemoryLevel.None;
  for (const each of [MemoryLevel.Ending, MemoryLevel.Refusing, MemoryLevel.Shedding]) {
    const threshold = each <= before ? thresholds[each] - hysteresis : thresholds[each];
    if (share >= threshold) level = each;
  }
  return level;
}
