// How many requests each rule has under way in this worker, of those that allow only so many. Counted by the name of the rule:
// the same one goes on through revisions.
import type { CompiledRoute } from '#route/compiled-route.ts';

export class ConcurrentRequests {
  readonly #workers: number;
  readonly #counts = new Map<string, number>();

  /** `workers`: how many share each limit. */
  constructor(workers: number) {
    this.#workers = workers;
  }

  /** What to leave by when the request has ended, empty where nobody counts; undefined: there is no room for it. */
  enter({ objectId, ref }: CompiledRoute, most: number): string | undefined {
    if (most === Infinity) return '';
    const key = `${ref.kind} ${objectId} ${ref.rule}`;
    const count = this.#counts.get(key) ?? 0;
    if (count >= Math.ceil(most / this.#workers)) return undefined;
    this.#counts.set(key, count + 1);
    return key;
  }

  leave(key: string): void {
    if (key === '') return;
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }
}
