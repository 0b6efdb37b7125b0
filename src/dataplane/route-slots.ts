// Which route counts in which metric slot. Slots are few, so that labels are bounded; those of gone routes are reused.
import { KeyIndex } from '#model/key-index.ts';
import { maxSlots } from './metric-slots.ts';

/** Ids of objects, `namespace/name`, one for each chunk that has rules of it. */
export interface RouteChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface SlotChange {
  readonly added: readonly (readonly [objectId: string, slot: number])[];
  readonly removed: readonly string[];
}

/** So many objects wait for a slot to be free; the others count in slot 0 until they change. */
const mostWaiting = 1024;

export class RouteSlots {
  /** How often each object was added. */
  readonly #counts = new KeyIndex();
  readonly #slots = new Map<string, number>();
  /** Objects for which there was no slot, the oldest first. */
  readonly #waiting = new Set<string>();
  readonly #free: number[] = [];
  #next = 1;

  /** All routes that have a slot of their own. */
  get entries(): ReadonlyMap<string, number> {
    return this.#slots;
  }

  /** Makes the assignment fit the routes of a new table. */
  update(change: RouteChange): SlotChange {
    // Additions first: what only moved from one chunk to another keeps its slot.
    for (const id of change.added) this.#add(id);
    const removed = change.removed.filter((id) => this.#remove(id));
    const added: [string, number][] = [];
    for (const id of this.#waiting) {
      // A fresh slot before a used one: late requests of the route that is gone may still count there.
      const slot = this.#next < maxSlots ? this.#next++ : this.#free.shift();
      if (slot === undefined) break;
      this.#waiting.delete(id);
      this.#slots.set(id, slot);
      added.push([id, slot]);
    }
    return { added, removed };
  }

  #add(id: string): void {
    const isNew = !this.#counts.has(id);
    this.#counts.add(id);
    this.#counts.refer(id, 1);
    if (isNew && this.#waiting.size < maxSlots + mostWaiting) this.#waiting.add(id);
  }

  /** Whether it had a slot and has none now. */
  #remove(id: string): boolean {
    this.#counts.refer(id, -1);
    if (this.#counts.references(id) > 0) return false;
    this.#counts.delete(id);
    this.#waiting.delete(id);
    const slot = this.#slots.get(id);
    if (slot === undefined) return false;
    this.#slots.delete(id);
    this.#free.push(slot);
    return true;
  }
}
