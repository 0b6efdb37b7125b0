// What workers have been told of unwell endpoints, and what they are still to be told.
//
// All of an upstream's unwell endpoints at a time, so that it does not matter what was told before. What came is told before
// workers serve it; what went, once they do not serve it any more: a revision is on its way to them meanwhile.
import type { CheckedGroup } from './checked-group.ts';

/** For each of some upstreams: all of its endpoints that are unwell, as `address port`. */
export type Unwell = readonly (readonly [upstream: string, endpoints: readonly string[]])[];

/** A node that is lost takes many endpoints with it: workers hear of all of them at once. */
const gatherMs = 20;

export class UnwellNews {
  readonly #onUnwell: (changed: Unwell) => void;
  /** By id of the upstream; those that have none were told so, or nothing. */
  readonly #told = new Map<string, readonly string[]>();
  #groups: ReadonlyMap<string, CheckedGroup> = new Map();
  /** Ids of upstreams that are to be told of soon. */
  readonly #changed = new Set<string>();
  /** Ids of those that are gone, or of which something is gone. */
  readonly #left = new Set<string>();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(onUnwell: (changed: Unwell) => void) {
    this.#onUnwell = onUnwell;
  }

  /** `groups`: by id of the upstream, all that there are from now on. */
  update(groups: ReadonlyMap<string, CheckedGroup>): void {
    this.#groups = groups;
    for (const [id, keys] of this.#told) {
      const endpoints = groups.get(id)?.endpoints;
      if (endpoints === undefined || keys.some((key) => !endpoints.has(key))) this.#left.add(id);
      // It was gone, and came back before anybody was told.
      if (keys.some((key) => endpoints?.get(key)?.isWell === true)) this.#changed.add(id);
    }
    // What is known under another id already.
    for (const [id, { unwell }] of groups) {
      const keys = unwell.size === 0 ? [] : (this.#told.get(id) ?? []);
      for (const { key } of unwell) if (!keys.includes(key)) this.#changed.add(id);
    }
    this.#tellChanged();
  }

  /** Some endpoint of it became what it was not. */
  onChange({ upstreams }: CheckedGroup): void {
    for (const { id } of upstreams) this.#changed.add(id);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#tellChanged(), gatherMs);
    this.#timer.unref();
  }

  /** What is gone is not served any more. */
  settle(): void {
    this.#tell(this.#left);
    this.#left.clear();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed.clear();
    this.#left.clear();
  }

  #tellChanged(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tell([...this.#changed].filter((id) => this.#groups.has(id)));
    this.#changed.clear();
  }

  #tell(ids: Iterable<string>): void {
    const news: (readonly [string, readonly string[]])[] = [];
    for (const id of ids) {
      const keys = this.#groups.get(id)?.unwellKeys ?? [];
      const before = this.#told.get(id) ?? [];
      if (keys.length === before.length && keys.every((key, index) => key === before[index])) continue;
      news.push([id, keys]);
      if (keys.length === 0) this.#told.delete(id);
      else this.#told.set(id, keys);
    }
    if (news.length > 0) this.#onUnwell(news);
  }
}
