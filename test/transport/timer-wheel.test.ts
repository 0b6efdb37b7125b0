// The timer wheel, driven by a clock of the test's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timer, TimerWheel } from '#transport/timer-wheel.ts';

class Clock {
  ms = 1000;
  readonly wheel = new TimerWheel(() => this.ms);

  advance(ms: number): void {
    this.ms += ms;
    this.wheel.advance();
  }
}

function timerOn(clock: Clock, fired: number[]): Timer {
  return new Timer({ onTimer: () => fired.push(clock.ms) });
}

test('fires once, not early and at most two ticks late', () => {
  const clock = new Clock();
  const fired: number[] = [];
  clock.wheel.set(timerOn(clock, fired), 1000);
  for (let step = 0; step < 300; step++) clock.advance(10);
  assert.equal(fired.length, 1);
  assert.ok(fired[0]! >= 2000 && fired[0]! <= 2110, `fired at ${fired[0]}`);
});

test('a timer that is cleared or set anew does not fire at its old time, and leaves the wheel at once', () => {
  const clock = new Clock();
  const fired: number[] = [];
  const timer = timerOn(clock, fired);
  clock.wheel.set(timer, 100);
  clock.wheel.clear(timer);
  assert.equal(clock.wheel.count, 0);
  clock.wheel.set(timer, 100);
  clock.wheel.set(timer, 5000);
  assert.equal(clock.wheel.count, 1);
  clock.advance(1000);
  assert.deepEqual(fired, []);
  clock.advance(5000);
  clock.advance(50);
  assert.equal(fired.length, 1);
});

test('what became due while the thread got no time has one more look to be answered in', () => {
  const clock = new Clock();
  const fired: number[] = [];
  const [first, answered, silent] = [timerOn(clock, fired), timerOn(clock, fired), timerOn(clock, fired)];
  // Due in the very tick in which the thread stops.
  clock.wheel.set(first, 1);
  clock.wheel.set(answered, 1000);
  clock.wheel.set(silent, 1000);
  clock.advance(5000);
  assert.deepEqual(fired, []);
  clock.wheel.clear(answered);
  clock.advance(50);
  assert.deepEqual(fired, [6050, 6050]);
});

test('delays beyond one turn of the wheel, and pauses longer than it', () => {
  const clock = new Clock();
  const fired: number[] = [];
  clock.wheel.set(timerOn(clock, fired), 120_000);
  clock.advance(100_000);
  assert.deepEqual(fired, []);
  clock.advance(500_000);
  clock.advance(50);
  assert.equal(fired.length, 1);
});

test('an owner may clear and set its neighbours, and itself, while it fires', () => {
  const clock = new Clock();
  const fired: string[] = [];
  const victim = new Timer({ onTimer: () => fired.push('victim') });
  const again: Timer = new Timer({
    onTimer: () => {
      fired.push('again');
      clock.wheel.clear(victim);
      if (fired.length < 3) clock.wheel.set(again, 100);
    },
  });
  clock.wheel.set(victim, 100);
  clock.wheel.set(again, 100);
  for (let step = 0; step < 20; step++) clock.advance(50);
  assert.deepEqual(fired, ['again', 'again', 'again']);
});

test('whatever the delays and steps, every timer fires once and within bounds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }),
      (delays, steps) => {
        const clock = new Clock();
        const start = clock.ms;
        const fired = delays.map(() => [] as number[]);
        delays.forEach((delay, index) => clock.wheel.set(timerOn(clock, fired[index]!), delay));
        const looks: number[] = [];
        for (const step of [...steps, 250_000, 50]) {
          clock.advance(step);
          looks.push(clock.ms);
        }
        delays.forEach((delay, index) => {
          assert.equal(fired[index]!.length, 1);
          assert.ok(fired[index]![0]! >= start + delay);
          // At the first look that finds it due, or at the one after it.
          const due = looks.findIndex((ms) => ms >= start + delay + 50);
          assert.ok(fired[index]![0]! <= looks[Math.min(due + 1, looks.length - 1)]!);
        });
        assert.equal(clock.wheel.count, 0);
      },
    ),
    { numRuns: 300 },
  );
});
