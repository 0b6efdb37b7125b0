// What has come and gone between one list of values and the next, by identity. Lists of a cluster's objects are long and
// change in few places: where the order stayed, finding those costs one comparison a value.

export interface Difference<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
}

const none: Difference<never> = { added: [], removed: [] };

export class ListDifference<T extends object> {
  #list: readonly T[] = [];

  /** The difference to the list of the last call; of the first call, everything. */
  update(next: readonly T[]): Difference<T> {
    const before = this.#list;
    if (next === before) return none;
    this.#list = next;
    return inPlace(before, next) ?? anywhere(before, next);
  }
}

/** Few values replaced, left out or put in, the others in their order; undefined when the lists differ in another way. */
function inPlace<T>(before: readonly T[], next: readonly T[]): Difference<T> | undefined {
  const added: T[] = [];
  const removed: T[] = [];
  const most = 64;
  let [from, to] = [0, 0];
  while (from < before.length && to < next.length) {
    const [was, is] = [before[from] as T, next[to] as T];
    if (was === is) {
      from++;
      to++;
      continue;
    }
    if (added.length + removed.length > most) return undefined;
    const isLeftOut = before[from + 1] === is;
    const isPutIn = next[to + 1] === was;
    if (!isPutIn || isLeftOut) {
      removed.push(was);
      from++;
    }
    if (!isLeftOut) {
      added.push(is);
      to++;
    }
  }
  for (; from < before.length; from++) removed.push(before[from] as T);
  for (; to < next.length; to++) added.push(next[to] as T);
  // A value that has only moved has not changed.
  const shorter = removed.length < added.length ? removed : added;
  if (shorter.length > most) return undefined;
  const others = new Set(shorter === removed ? added : removed);
  return shorter.some((value) => others.has(value)) ? undefined : { added, removed };
}

function anywhere<T extends object>(before: readonly T[], next: readonly T[]): Difference<T> {
  const known = new Set(before);
  const present = new Set(next);
  return {
    added: [...present].filter((value) => !known.has(value)),
    removed: [...known].filter((value) => !present.has(value)),
  };
}
