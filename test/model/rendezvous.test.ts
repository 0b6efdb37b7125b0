// Who owns which key: in proportion, and nobody moves who need not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hashText, highest, highestByWeight, mix } from '#model/rendezvous.ts';

const users = 100_000;
const keys = Array.from({ length: users }, (_, index) => hashText(`user-${index}`));

const named = (count: number): { readonly name: string; readonly seed: number }[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `10.0.0.${index} 8080`,
    seed: hashText(`10.0.0.${index} 8080`),
  }));

/** Five standard deviations of a count of so many draws: a right split is outside of it once in a million runs. */
function tolerance(share: number): number {
  return 5 * Math.sqrt(users * share * (1 - share));
}

test('keys are spread evenly', () => {
  for (const count of [1, 2, 3, 10, 50]) {
    const endpoints = named(count);
    const counts = new Map(endpoints.map(({ name }) => [name, 0]));
    for (const key of keys) {
      const { name } = highest(endpoints, key);
      counts.set(name, counts.get(name)! + 1);
    }
    for (const [name, found] of counts)
      assert.ok(Math.abs(found - users / count) <= tolerance(1 / count), `${name} of ${count}: ${found}`);
  }
});

test('an endpoint that goes takes its own keys along and no others; one that comes takes its share', () => {
  const before = named(10);
  const gone = before[3]!;
  const after = before.filter((each) => each !== gone);
  let moved = 0;
  for (const key of keys) {
    const owner = highest(before, key);
    const next = highest(after, key);
    if (owner === gone) moved++;
    else assert.equal(next, owner);
  }
  assert.ok(Math.abs(moved - users / 10) <= tolerance(0.1), String(moved));
});

test('of ten backends that are changed in any way only the keys move that have to', () => {
  const weights = fc.array(fc.nat(100), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(weights, fc.nat(9), fc.nat(100), (list, at, next) => {
      const index = at % list.length;
      const weigh = (each: readonly number[]): { seed: number; weight: number }[] =>
        each.map((weight, place) => ({ seed: hashText(`x/${place}:80`), weight }));
      const before = weigh(list);
      const after = weigh(list.with(index, next));
      const grows = next > list[index]!;
      for (const key of keys.slice(0, 500)) {
        const owner = highestByWeight(before, key);
        const now = highestByWeight(after, key);
        // To the one that grows, or from the one that shrinks.
        if (now !== owner) assert.equal(grows ? now : owner, index);
      }
    }),
  );
});

test('a canary that goes from 10 to 20 percent: 100,000 users, of whom a tenth move, all of them to it', () => {
  const stable = hashText('shop/stable:80');
  const canary = hashText('shop/canary:80');
  const split = (percent: number): { seed: number; weight: number }[] => [
    { seed: stable, weight: 100 - percent },
    { seed: canary, weight: percent },
  ];
  let [at10, at20, back] = [0, 0, 0];
  for (const key of keys) {
    const before = highestByWeight(split(10), key);
    const after = highestByWeight(split(20), key);
    at10 += before;
    at20 += after;
    if (before === 1 && after === 0) back++;
  }
  assert.ok(Math.abs(at10 - users * 0.1) <= tolerance(0.1), String(at10));
  assert.ok(Math.abs(at20 - users * 0.2) <= tolerance(0.2), String(at20));
  assert.equal(back, 0, 'nobody leaves the canary');
});

test('without any weight nobody owns anything', () => {
  assert.equal(highestByWeight([], 1), -1);
  assert.equal(highestByWeight([{ seed: 1, weight: 0 }], 1), -1);
});

test('hashes have 32 bits, and each of the key changes half of them', () => {
  let changed = 0;
  for (let bit = 0; bit < 32; bit++)
    for (let key = 0; key < 100; key++) {
      const difference = mix(key * 7919, 5) ^ mix((key * 7919) ^ (1 << bit), 5);
      for (let rest = difference >>> 0; rest > 0; rest = (rest & (rest - 1)) >>> 0) changed++;
    }
  assert.ok(Math.abs(changed / 3200 - 16) < 0.5, String(changed / 3200));
  fc.assert(fc.property(fc.string(), (text) => hashText(text) >= 0 && hashText(text) <= 0xffff_ffff));
});
