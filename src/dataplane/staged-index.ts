// Where the value of each key stands, in one thread: changes are staged beside what holds, and one number makes all of
// them hold at once.
//
//   stage, stageRemoval ... --> flip --> settle ...
//
// A key remembers the place that holds now, the next one, and from which version on that is the next: a flip of 30,000
// keys is one addition, and no request waits for it.
import { TextNumbers } from '#model/text-numbers.ts';
import type { TextBytes } from '#model/text-numbers.ts';
import { nowhere } from './slabs.ts';
import type { SlabRange, SlabReader } from './slabs.ts';

export interface IndexSize {
  readonly keys: number;
  /** Of all keys together. */
  readonly bytes: number;
}

export class StagedIndex {
  readonly #numbers = new TextNumbers();
  // By the number of the key:
  #now = new Float64Array(64);
  #next = new Float64Array(64);
  /** The version from which on #next holds. */
  #since = new Float64Array(64);
  #version = 0;
  readonly #slabs: SlabReader;
  #goneNext: TextBytes[] = [];
  readonly #gone: TextBytes[] = [];

  constructor(slabs: SlabReader) {
    this.#slabs = slabs;
  }

  /** Keys of values that hold or are staged. */
  get size(): number {
    return this.#numbers.size;
  }

  /** -1 for a key that is not there. The number may stand for another key once the key is gone. */
  find(key: string): number {
    return this.#numbers.find(key);
  }

  /** Names the value and its version: another one, also of the same key, never has the same place. */
  placeOf(number: number): number {
    return this.#since[number]! <= this.#version ? this.#next[number]! : this.#now[number]!;
  }

  textAt(place: number): string {
    return this.#slabs.textAt(place);
  }

  /** Room for a table of this size at once. */
  reserve({ keys, bytes }: IndexSize): void {
    this.#numbers.reserve(keys, bytes);
    if (this.#now.length < keys) this.#widen(keys + (keys >> 3));
  }

  /** Its values hold from the next flip on. */
  stage(range: SlabRange): void {
    this.#slabs.each(range, (place, key) => {
      const known = this.#numbers.size;
      const number = this.#numbers.addBytes(key);
      if (this.#numbers.size > known) this.#clear(number);
      this.#stage(number, place);
    });
  }

  /** Its values are gone from the next flip on, except those that stand in another range by then. */
  stageRemoval(range: SlabRange): void {
    this.#slabs.each(range, (place, key) => {
      const number = this.#numbers.findBytes(key);
      if (number < 0 || this.#next[number] !== place) return;
      this.#stage(number, nowhere);
      this.#goneNext.push({ ...key });
    });
  }

  /** Everything that was staged holds. */
  flip(): void {
    this.#version++;
    for (const key of this.#goneNext) this.#gone.push(key);
    this.#goneNext = [];
  }

  /** Forgets up to `most` keys that are gone. False: there is nothing left to forget. */
  settle(most: number): boolean {
    for (let count = 0; count < most; count++) {
      const key = this.#gone.pop();
      if (key === undefined) return false;
      const number = this.#numbers.findBytes(key);
      // It may have come back, or be about to.
      if (number >= 0 && this.#next[number] === nowhere && this.#since[number]! <= this.#version)
        this.#numbers.deleteBytes(key);
    }
    return this.#gone.length > 0;
  }

  #stage(number: number, place: number): void {
    if (this.#since[number]! <= this.#version) {
      this.#now[number] = this.#next[number]!;
      this.#since[number] = this.#version + 1;
    }
    this.#next[number] = place;
  }

  #clear(number: number): void {
    if (number >= this.#now.length) this.#widen(number * 2);
    this.#next[number] = nowhere;
    this.#since[number] = 0;
  }

  #widen(length: number): void {
    this.#now = widened(this.#now, length);
    this.#next = widened(this.#next, length);
    this.#since = widened(this.#since, length);
  }
}

function widened(array: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(length);
  longer.set(array);
  return longer;
}
