// The pulse of a worker in shared memory: its loop beats, the main thread looks whether it still does.
//
//   [beats | longest lag in microseconds since somebody asked | KiB in use]
//
// Only the worker writes, but for the lag, which whoever reads it sets to zero: one that is lost by that is found again
// by the next beat that is late.

import { bytesInUse } from '#transport/runtime-memory.ts';

/** Short enough to see most of what holds up a loop, long enough to cost nothing: ten timers a second. */
export const beatMs = 100;

const beatsWord = 0;
const lagWord = 1;
const inUseWord = 2;

export function newVitalsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
}

/** In the worker: beats from here on. */
export function startPulse(memory: SharedArrayBuffer): void {
  const words = new Int32Array(memory);
  let beatenMs = performance.now();
  Atomics.add(words, beatsWord, 1);
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const lagUs = Math.round((nowMs - beatenMs - beatMs) * 1000);
    beatenMs = nowMs;
    Atomics.add(words, beatsWord, 1);
    Atomics.store(words, inUseWord, Math.ceil(bytesInUse() / 1024));
    if (lagUs > Atomics.load(words, lagWord)) Atomics.store(words, lagWord, lagUs);
  }, beatMs);
  timer.unref();
}

/** In the main thread. */
export class VitalsReader {
  readonly #words: Int32Array;
  #beats = 0;
  #silentMs = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** `livedMs` have passed since the last look. Returns for how long there has been no beat; 0 before the first one. */
  look(livedMs: number): number {
    const beats = Atomics.load(this.#words, beatsWord);
    this.#silentMs = beats === this.#beats ? this.#silentMs + livedMs : 0;
    this.#beats = beats;
    return beats === 0 ? 0 : this.#silentMs;
  }

  /** Of what the process keeps; see runtime-memory.ts. */
  get bytesInUse(): number {
    return Atomics.load(this.#words, inUseWord) * 1024;
  }

  /** The longest time that its loop was held up since the last call, a present stall included. */
  takeLagSeconds(): number {
    const pastSeconds = Atomics.exchange(this.#words, lagWord, 0) / 1_000_000;
    return Math.max(pastSeconds, (this.#silentMs - beatMs) / 1000, 0);
  }
}
