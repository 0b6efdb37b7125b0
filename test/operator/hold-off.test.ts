// Changes are gathered: acted on when they pause, and under a steady stream never later than the maximum after the first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { HoldOff } from '#operator/hold-off.ts';

const quietMs = 50;
const spacingMs = 120;
const maximumMs = 400;
const times = { quietMs, spacingMs, restFactor: 3, maximumMs };

interface Held {
  readonly holdOff: HoldOff;
  /** The times at which it acted, from the start of the test. */
  readonly acts: readonly number[];
  readonly tick: (ms: number) => void;
}

function held(context: TestContext, onAct: () => void = () => {}): Held {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
  context.mock.method(performance, 'now', () => Date.now());
  const acts: number[] = [];
  const holdOff = new HoldOff(times, () => {
    acts.push(Date.now());
    onAct();
  });
  return { holdOff, acts, tick: (ms) => context.mock.timers.tick(ms) };
}

test('one change is acted on once, when it has been quiet for a while', (context) => {
  const { holdOff, acts, tick } = held(context);
  holdOff.touch();
  tick(quietMs - 1);
  assert.deepEqual(acts, []);
  tick(1);
  assert.deepEqual(acts, [quietMs]);
  tick(10 * maximumMs);
  assert.deepEqual(acts, [quietMs]);
});

test('changes that follow each other closely are one act, a quiet time after the last', (context) => {
  const { holdOff, acts, tick } = held(context);
  for (let change = 0; change < 5; change++) {
    holdOff.touch();
    tick(quietMs - 10);
  }
  assert.deepEqual(acts, []);
  tick(10);
  assert.deepEqual(acts, [4 * (quietMs - 10) + quietMs]);
});

test('a steady stream is acted on each time that the maximum is over, counted from its first change', (context) => {
  const { holdOff, acts, tick } = held(context);
  for (let ms = 0; ms < 3 * maximumMs; ms += 10) {
    holdOff.touch();
    tick(10);
  }
  const [first = 0, second = 0] = acts;
  assert.equal(first, maximumMs);
  assert.equal(acts.length, 3);
  assert.ok(second - first <= maximumMs + 10);
});

test('changes after an act begin anew', (context) => {
  const { holdOff, acts, tick } = held(context);
  holdOff.touch();
  tick(quietMs);
  tick(1000);
  holdOff.touch();
  tick(quietMs);
  assert.deepEqual(acts, [quietMs, quietMs + 1000 + quietMs]);
});

test('a change within the act is held off for itself', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 });
  context.mock.method(performance, 'now', () => Date.now());
  const acts: number[] = [];
  const holdOff: HoldOff = new HoldOff(times, () => {
    acts.push(Date.now());
    if (acts.length === 1) holdOff.touch();
  });
  holdOff.touch();
  context.mock.timers.tick(quietMs);
  assert.deepEqual(acts, [quietMs]);
  context.mock.timers.tick(spacingMs);
  assert.deepEqual(acts, [quietMs, quietMs + spacingMs]);
});

test('what is cancelled is not acted on, and may be touched again', (context) => {
  const { holdOff, acts, tick } = held(context);
  holdOff.cancel();
  holdOff.touch();
  tick(quietMs - 1);
  holdOff.cancel();
  tick(10 * maximumMs);
  assert.deepEqual(acts, []);
  holdOff.touch();
  tick(quietMs);
  assert.equal(acts.length, 1);
});

test('single changes in quick succession are acted on in steps, the first of them at once', (context) => {
  const { holdOff, acts, tick } = held(context);
  for (let change = 0; change < 6; change++) {
    holdOff.touch();
    tick(quietMs + 10);
  }
  tick(maximumMs);
  const [first = 0, ...later] = acts;
  // The mocked clock moves in steps of a tick.
  assert.ok(first >= quietMs && first <= quietMs + 10);
  assert.ok(later.length > 1);
  for (const [index, at] of later.entries()) assert.ok(at - (acts[index] ?? 0) >= spacingMs);
});

/** As a cycle does: each act takes `costMs`, and changes go on meanwhile, one every so often. */
function underStorm(context: TestContext, everyMs: number, costMs: number, ms: number): readonly number[] {
  const { holdOff, acts, tick } = held(context, () => {
    holdOff.acting();
    setTimeout(() => holdOff.acted(costMs), costMs);
  });
  for (let at = 0; at < ms; at += 5) {
    if (at % everyMs === 0) holdOff.touch();
    tick(5);
  }
  holdOff.cancel();
  return acts;
}

test('under a storm acting takes its share of time and no more', (context) => {
  // They pause for long enough to be acted on, each of them.
  const acts = underStorm(context, quietMs + 5, 60, 10_000);
  const share = (acts.length * 60) / 10_000;
  assert.ok(share <= 0.26, `${acts.length} acts of 60 ms in 10 s`);
  assert.ok(share >= 0.15, `${acts.length} acts of 60 ms in 10 s`);
});

test('an act that costs much does not make a change wait longer than the maximum', (context) => {
  const acts = underStorm(context, 5, 300, 10_000);
  for (const [index, at] of acts.slice(1).entries())
    assert.ok(at - (acts[index] ?? 0) <= 300 + maximumMs + 10, `${at} after ${acts[index]}`);
  assert.ok(acts.length >= 10);
});

test('what changes during an act is acted on after it, and never at the same time', (context) => {
  let isActing = false;
  const { holdOff, acts, tick } = held(context, () => {
    assert.equal(isActing, false);
    isActing = true;
    holdOff.acting();
    setTimeout(() => {
      isActing = false;
      holdOff.acted(1000);
    }, 1000);
  });
  holdOff.touch();
  tick(quietMs);
  holdOff.touch();
  tick(999);
  assert.equal(acts.length, 1);
  tick(1);
  // It has waited for longer than the maximum.
  tick(1);
  assert.equal(acts.length, 2);
});

test('a cheap act leaves the spacing to the next one as it is', (context) => {
  const { holdOff, acts, tick } = held(context, () => {
    holdOff.acting();
    holdOff.acted(1);
  });
  for (let at = 0; at < 2000; at += 5) {
    holdOff.touch();
    tick(quietMs + 5);
  }
  for (const [index, at] of acts.slice(1).entries()) assert.ok(at - (acts[index] ?? 0) >= spacingMs);
});

test('a change that an act which nobody was asked for takes in, asks for no other one', (context) => {
  const { holdOff, acts, tick } = held(context);
  holdOff.touch();
  tick(1);
  holdOff.acting();
  tick(10);
  holdOff.acted(10);
  tick(10 * maximumMs);
  assert.deepEqual(acts, []);
});
