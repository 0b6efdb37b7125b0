// Shares of backends: by weight, exactly, and never none while any has a weight.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Backend } from '#model/route-model.ts';
import { CompiledRoute } from '#route/compiled-route.ts';

const largestFraction = 1 - 2 ** -53;

function routeOf(weights: readonly number[]): CompiledRoute {
  const backends = weights.map((weight, index): Backend => ({
    kind: 'Upstream',
    upstream: `x/${index}:80`,
    weight,
  }));
  return new CompiledRoute({
    ref: { kind: 'IngressRoute', namespace: 'x', name: 'p', rule: 'rules[0]' },
    matches: [],
    filters: [],
    backends,
    timeouts: { requestMs: 0, backendRequestMs: 0, idleMs: 0 },
  });
}

function indexAt(route: CompiledRoute, fraction: number): number | undefined {
  const backend = route.backendAt(fraction);
  return backend === undefined ? undefined : route.backends.indexOf(backend);
}

/** How often each backend is taken when every point of the summed weights comes once. */
function shares(weights: readonly number[]): readonly number[] {
  const route = routeOf(weights);
  const counts = weights.map(() => 0);
  for (let point = 0; point < route.totalWeight; point++)
    counts[indexAt(route, (point + 0.5) / route.totalWeight) ?? -1]!++;
  return counts;
}

test('every backend has the share of its weight', () => {
  for (const weights of [[1], [1, 1], [90, 10], [0, 3, 0, 7, 0], [1, 2, 3, 4, 5, 6, 7], [1000, 1]])
    assert.deepEqual(shares(weights), weights);
});

test('shares lie in the order of the list', () => {
  const route = routeOf([1, 0, 2, 1]);
  assert.deepEqual(
    [0, 0.24, 0.25, 0.74, 0.75, 0.99].map((fraction) => indexAt(route, fraction)),
    [0, 0, 2, 2, 3, 3],
  );
});

test('without any weight there is none', () => {
  for (const weights of [[], [0], [0, 0, 0]])
    for (const fraction of [0, 0.5, largestFraction])
      assert.equal(routeOf(weights).backendAt(fraction), undefined);
});

test('with any weight there is always one, and it has a weight', () => {
  const weights = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1_000_000 })), {
    minLength: 1,
    maxLength: 16,
  });
  const fraction = fc.oneof(
    fc.constantFrom(0, largestFraction),
    fc.double({ min: 0, max: largestFraction, noNaN: true }),
  );
  fc.assert(
    fc.property(weights, fraction, (list, point) => {
      const route = routeOf(list);
      if (route.totalWeight > 0) assert.ok((route.backendAt(point)?.weight ?? 0) > 0);
    }),
    { numRuns: 2000 },
  );
});

test('the first and the last backend with a weight own the ends', () => {
  const route = routeOf([0, 5, 1_000_000, 7, 0]);
  assert.equal(indexAt(route, 0), 1);
  assert.equal(indexAt(route, largestFraction), 3);
});

test('it is named after its object', () => {
  assert.equal(routeOf([1]).objectId, 'x/p');
});
