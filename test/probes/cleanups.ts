// What a probe has opened, closed in the end, the last first.
import type { Cleanup } from '../e2e/backends.ts';

export class Cleanups implements Cleanup {
  readonly #closes: (() => void)[] = [];

  after(close: () => void): void {
    this.#closes.push(close);
  }

  run(): void {
    for (const close of this.#closes.splice(0).toReversed()) close();
  }
}
