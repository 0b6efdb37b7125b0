// The clock that nobody can set, set: performance.now() stands still until a test moves it.
import type { TestContext } from 'node:test';

export interface FakeClock {
  advance(ms: number): void;
}

/** For the rest of the test; timers go on as they are. */
export function stopClock(context: TestContext): FakeClock {
  let now = 1_000_000;
  context.mock.method(performance, 'now', () => now);
  return {
    advance(ms) {
      now += ms;
    },
  };
}
