// The same object with the lists in another order whose order means nothing: filters, and what is in them and in policies.

const unordered = new Set(['filters', 'remove', 'set', 'add', 'allow', 'deny', 'codes', 'expectedStatuses']);

/** `seed` says which order. */
export function shuffledFilters<T>(value: T, seed: number): T {
  let state = seed;
  // A linear congruential generator: the same seed, the same order.
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % bound;
  };
  return shuffled(value, '', below) as T;
}

type Below = (bound: number) => number;

function shuffled(value: unknown, key: string, below: Below): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => shuffled(item, '', below));
    return unordered.has(key) ? inAnotherOrder(items, below) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, shuffled(field, name, below)]),
  );
}

function inAnotherOrder(items: readonly unknown[], below: Below): unknown[] {
  const left = [...items];
  return items.flatMap(() => left.splice(below(left.length), 1));
}
