// Which route counts in which metric slot. Slots are few, so that labels are bounded; those of gone routes are reused.
import { maxSlots } from './metric-slots.ts';

export interface SlotChange {
  readonly added: readonly (readonly [objectId: string, slot: number])[];
  readonly removed: readonly string[];
}

export class RouteSlots {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #next = 1;

  /** All routes that have a slot of their own. */
  get entries(): ReadonlyMap<string, number> {
    return this.#slots;
  }

  /** Makes the assignment fit the routes of a new table. */
  update(objectIds: ReadonlySet<string>): SlotChange {
    const removed = [...this.#slots.keys()].filter((id) => !objectIds.has(id));
    for (const id of removed) {
      this.#free.push(this.#slots.get(id) ?? 0);
      this.#slots.delete(id);
    }
    const added: [string, number][] = [];
    for (const id of objectIds) {
      if (this.#slots.has(id)) continue;
      // A fresh slot before a used one: late requests of the route that is gone may still count there.
      const slot = this.#next < maxSlots ? this.#next++ : this.#free.shift();
      if (slot === undefined) break;
      this.#slots.set(id, slot);
      added.push([id, slot]);
    }
    return { added, removed };
  }
}
