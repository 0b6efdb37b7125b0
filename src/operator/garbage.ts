// Chunks that no head names any more: kept for a while, for readers that are behind, and then collected.

export class Garbage {
  readonly #retentionMs: number;
  /** Name -> since when nothing names it. */
  readonly #since = new Map<string, number>();

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs;
  }

  /** The names of those that are due, of all that are stored; `named` are those of the present head. */
  due(stored: Iterable<string>, named: ReadonlySet<string>, nowMs: number): readonly string[] {
    const due: string[] = [];
    const unnamed = new Set<string>();
    for (const name of stored) {
      if (named.has(name)) continue;
      unnamed.add(name);
      const since = this.#since.get(name);
      if (since === undefined) this.#since.set(name, nowMs);
      if (nowMs - (since ?? nowMs) >= this.#retentionMs) due.push(name);
    }
    for (const name of this.#since.keys()) if (!unnamed.has(name)) this.#since.delete(name);
    return due;
  }
}
