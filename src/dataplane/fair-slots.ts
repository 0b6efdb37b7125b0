// A bound on how much is done at a time, shared fairly: lanes take turns, and one whose work hangs holds up no other.
//
// Half of all slots are for whoever comes. Of the other half each lane has only a few: so it takes many lanes that hang, not
// one with many endpoints, until somebody waits.

export interface FairSlotsOptions<T> {
  /** How much is done at a time. */
  readonly slots: number;
  readonly start: (item: T) => void;
}

/** What one lane has to do, and how much of it is being done. */
export class Lane<T> {
  readonly waiting = new Set<T>();
  running = 0;
}

/** Of the slots: what a lane may hold in any case. */
const lanesShare = 1 / 8;

export class FairSlots<T> {
  readonly #options: FairSlotsOptions<T>;
  /** Those in which something waits; the one whose turn is next first. */
  readonly #lanes = new Set<Lane<T>>();
  #running = 0;

  constructor(options: FairSlotsOptions<T>) {
    this.#options = options;
  }

  /** `item` has to be done; it starts now if it may. */
  add(lane: Lane<T>, item: T): void {
    lane.waiting.add(item);
    this.#lanes.add(lane);
    this.#fill();
  }

  /** It need not be done any more, and has not started. */
  remove(lane: Lane<T>, item: T): void {
    lane.waiting.delete(item);
    if (lane.waiting.size === 0) this.#lanes.delete(lane);
  }

  /** Something that was started is over. */
  release(lane: Lane<T>): void {
    lane.running--;
    this.#running--;
    this.#fill();
  }

  #fill(): void {
    const { slots, start } = this.#options;
    // A lane that had its turn comes again at the end; one that may not take one is looked at once.
    for (const lane of this.#lanes) {
      if (this.#running >= slots) return;
      if (lane.running >= slots * lanesShare && this.#running >= slots / 2) continue;
      this.#lanes.delete(lane);
      const [item] = lane.waiting as Iterable<T> as [T];
      lane.waiting.delete(item);
      if (lane.waiting.size > 0) this.#lanes.add(lane);
      lane.running++;
      this.#running++;
      start(item);
    }
  }
}
