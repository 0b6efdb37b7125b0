// The keys of one kind of value in a model, and how often something refers to each.
import { TextNumbers, widened } from './text-numbers.ts';

export class KeyIndex {
  readonly #numbers = new TextNumbers();
  /** By the number of the key. */
  #references = new Int32Array(16);

  get size(): number {
    return this.#numbers.size;
  }

  /** Of all keys together, as TextNumbers holds them. */
  get bytes(): number {
    return this.#numbers.bytes;
  }

  has(key: string): boolean {
    return this.#numbers.find(key) >= 0;
  }

  references(key: string): number {
    const number = this.#numbers.find(key);
    return number < 0 ? 0 : this.#references[number]!;
  }

  add(key: string): void {
    const before = this.#numbers.size;
    const number = this.#numbers.add(key);
    if (this.#numbers.size === before) return;
    if (number >= this.#references.length) this.#references = widened(this.#references, number * 2);
    this.#references[number] = 0;
  }

  delete(key: string): void {
    this.#numbers.delete(key);
  }

  /** References to a key that is not there count for nothing. */
  refer(key: string, times: number): void {
    const number = this.#numbers.find(key);
    if (number >= 0) this.#references[number]! += times;
  }
}
