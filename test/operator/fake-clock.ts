// The clock that nobody can set, set: performance.now() stands still until a test moves it.
import type { TestContext } from 'node:test';

export interface FakeClock {
  advance(ms: number): void;
}

const realNow = performance.now.bind(performance);

/** For the rest of the test; timers go on as they are. A mock would remember each of millions of looks at it. */
export function stopClock(context: TestContext): FakeClock {
  let now = 1_000_000;
  performance.now = () => now;
  context.after(() => {
    performance.now = realNow;
  });
  return {
    advance(ms) {
      now += ms;
    },
  };
}
