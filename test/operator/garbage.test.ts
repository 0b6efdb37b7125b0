// Chunks that no head names are due after their time, counted from when they were last named, and never those in use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Garbage } from '#operator/garbage.ts';

const retentionMs = 1000;

test('what nothing names is due when it has been so for the whole time', () => {
  const garbage = new Garbage(retentionMs);
  const due = (nowMs: number): readonly string[] => garbage.due(['a', 'b'], new Set(['a']), nowMs);
  assert.deepEqual(due(5), []);
  assert.deepEqual(due(5 + retentionMs - 1), []);
  assert.deepEqual(due(5 + retentionMs), ['b']);
  assert.deepEqual(due(5 + 9 * retentionMs), ['b'], 'and stays due while it is there');
});

test('what is named again starts anew', () => {
  const garbage = new Garbage(retentionMs);
  assert.deepEqual(garbage.due(['a'], new Set(), 0), []);
  assert.deepEqual(garbage.due(['a'], new Set(['a']), 900), []);
  assert.deepEqual(garbage.due(['a'], new Set(), 1000), []);
  assert.deepEqual(garbage.due(['a'], new Set(), 1999), []);
  assert.deepEqual(garbage.due(['a'], new Set(), 2000), ['a']);
});

test('what has gone and comes back starts anew', () => {
  const garbage = new Garbage(retentionMs);
  garbage.due(['a'], new Set(), 0);
  garbage.due([], new Set(), 500);
  assert.deepEqual(garbage.due(['a'], new Set(), 1000), []);
  assert.deepEqual(garbage.due(['a'], new Set(), 2000), ['a']);
});

test('each has its own time', () => {
  const garbage = new Garbage(retentionMs);
  garbage.due(['a'], new Set(), 0);
  garbage.due(['a', 'b'], new Set(), 600);
  assert.deepEqual(garbage.due(['a', 'b'], new Set(), 1000), ['a']);
  assert.deepEqual(garbage.due(['b'], new Set(), 1600), ['b']);
});

test('without a retention what nothing names is due at once', () => {
  assert.deepEqual(new Garbage(0).due(['a', 'b'], new Set(['b']), 7), ['a']);
});

test('what is named is never due, whatever came before', () => {
  const names = fc.subarray(['a', 'b', 'c', 'd']);
  fc.assert(
    fc.property(fc.array(fc.tuple(names, names, fc.nat(600)), { maxLength: 20 }), (steps) => {
      const garbage = new Garbage(retentionMs);
      const unnamedSince = new Map<string, number>();
      let nowMs = 0;
      for (const [stored, named, passedMs] of steps) {
        nowMs += passedMs;
        const unnamed = stored.filter((name) => !named.includes(name));
        for (const name of unnamedSince.keys()) if (!unnamed.includes(name)) unnamedSince.delete(name);
        for (const name of unnamed) unnamedSince.set(name, unnamedSince.get(name) ?? nowMs);
        const expected = unnamed.filter((name) => nowMs - (unnamedSince.get(name) ?? nowMs) >= retentionMs);
        assert.deepEqual(garbage.due(stored, new Set(named), nowMs), expected);
      }
    }),
  );
});
