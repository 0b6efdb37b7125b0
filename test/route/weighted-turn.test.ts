// Turns by weight: exact over a round, and even within it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Backend } from '#model/route-model.ts';
import { CompiledRoute } from '#route/compiled-route.ts';
import { WeightedTurn } from '#route/weighted-turn.ts';

function routeOf(weights: readonly number[], fallbacks: readonly number[] = []): CompiledRoute {
  const backends = [
    ...weights.map((weight, index): Backend => ({ kind: 'Upstream', upstream: `x/${index}:80`, weight })),
    ...fallbacks.map((weight, index): Backend => ({ kind: 'Fallback', upstream: `x/f${index}:80`, weight })),
  ];
  return new CompiledRoute({
    ref: { kind: 'IngressRoute', namespace: 'x', name: 'p', rule: 'rules[0]' },
    matches: [],
    filters: [],
    backends,
    timeouts: { requestMs: 0, backendRequestMs: 0, idleMs: 0 },
  });
}

function counts(route: CompiledRoute, turns: number): readonly number[] {
  const found = route.backends.map(() => 0);
  for (let turn = 0; turn < turns; turn++) found[route.backends.indexOf(route.nextBackend()!)]!++;
  return found;
}

test('ten requests with weights of 90 and 10: nine and one, wherever they begin', () => {
  for (let run = 0; run < 100; run++) {
    const route = routeOf([90, 10]);
    for (let round = 0; round < 20; round++) assert.deepEqual(counts(route, 10), [9, 1]);
  }
});

test('any weights are exact over each round', () => {
  const weights = fc
    .array(fc.nat(50), { minLength: 1, maxLength: 8 })
    .filter((list) => list.some((weight) => weight > 0));
  fc.assert(
    fc.property(weights, (list) => {
      const route = routeOf(list);
      const total = list.reduce((sum, weight) => sum + weight, 0);
      counts(route, 3);
      assert.deepEqual(counts(route, total), list);
    }),
  );
});

test('within a round nobody is more than two turns ahead of its share', () => {
  const list = [50, 30, 20, 7];
  const turn = new WeightedTurn(list, () => 0);
  const seen = list.map(() => 0);
  const total = 107;
  for (let count = 1; count <= total; count++) {
    let left = turn.next() * total;
    const index = list.findIndex((weight) => (left -= weight) < 0);
    seen[index]!++;
    for (const [each, weight] of list.entries())
      assert.ok(Math.abs(seen[each]! - (count * weight) / total) < 2, `${count}: ${seen.join(' ')}`);
  }
});

test('the largest weights there are', () => {
  const route = routeOf([1_000_000, 999_999]);
  const [first = 0, second = 0] = counts(route, 10_000);
  assert.ok(Math.abs(first - second) <= 16, `${first} ${second}`);
});

test('a fallback has no share, and stands in when nobody else can serve', () => {
  const route = routeOf([1, 1], [1, 3]);
  assert.deepEqual(counts(route, 10), [5, 5]);
  const able = (...ids: readonly string[]): string | undefined =>
    route.standIn((id) => ids.includes(id), 12_345)?.upstream;
  assert.equal(able('x/1:80', 'x/f0:80'), 'x/1:80');
  assert.equal(able('x/f1:80'), 'x/f1:80');
  assert.equal(able(), undefined);
  const shares = { 'x/f0:80': 0, 'x/f1:80': 0 };
  for (let key = 0; key < 4000; key++)
    shares[route.standIn((id) => id.includes('f'), key * 104_729)!.upstream as keyof typeof shares]++;
  assert.ok(Math.abs(shares['x/f1:80'] - 3000) < 200, JSON.stringify(shares));
});
