// The upstreams that some surviving rule can reach: one that nobody uses would cost a write at each of its changes.
import type { Problem } from '#api/problem.ts';
import type { Fallback, Rule, Upstream } from '#model/route-model.ts';
import type { HostGroup } from './host-group.ts';
import type { ServiceIndex } from './service-index.ts';

export class UpstreamSet {
  /** The same list for as long as it holds the same. */
  list: readonly Upstream[] = [];
  /** Some endpoint is meant for a zone. */
  hasHints = false;
  /** Of all of them. */
  endpoints = 0;
  readonly #services: ServiceIndex;
  /** How many rules use each. */
  readonly #counts = new Map<string, number>();
  readonly #upstreams = new Map<string, Upstream>();
  readonly #problems = new Map<string, Omit<Problem, 'at'>>();
  #fallback: Fallback = { kind: 'NotFound' };

  constructor(services: ServiceIndex) {
    this.#services = services;
  }

  problem(id: string): Omit<Problem, 'at'> | undefined {
    return this.#problems.get(id);
  }

  /**
   * `changed`: the groups that are others now, as they were before; `stale`: upstreams whose endpoints may have changed.
   * Returns those of which something else is wrong than before.
   */
  update(
    changed: ReadonlyMap<string, HostGroup | undefined>,
    groups: ReadonlyMap<string, HostGroup>,
    fallback: Fallback,
    stale: ReadonlySet<string>,
  ): ReadonlySet<string> {
    const due = new Set<string>();
    const count = (rules: Iterable<Rule>, by: number): void => {
      for (const { backends } of rules)
        for (const backend of backends) {
          if (backend.kind === 'Unresolved') continue;
          this.#counts.set(backend.upstream, (this.#counts.get(backend.upstream) ?? 0) + by);
          due.add(backend.upstream);
        }
    };
    for (const [hostname, before] of changed) {
      count(rulesOf(groups.get(hostname)), 1);
      count(rulesOf(before), -1);
    }
    if (fallback !== this.#fallback) {
      if (fallback.kind === 'Rule') count([fallback.rule], 1);
      if (this.#fallback.kind === 'Rule') count([this.#fallback.rule], -1);
      this.#fallback = fallback;
    }
    for (const id of stale) if (this.#counts.has(id)) due.add(id);
    const otherProblems = new Set<string>();
    let hasChanged = false;
    for (const id of due) if (this.#resolve(id, otherProblems)) hasChanged = true;
    if (hasChanged) {
      this.list = [...this.#upstreams.values()];
      this.hasHints = this.list.some(({ zoneHints }) => zoneHints.length > 0);
    }
    return otherProblems;
  }

  /** Whether it is another one than before. */
  #resolve(id: string, otherProblems: Set<string>): boolean {
    const isUsed = (this.#counts.get(id) ?? 0) > 0;
    if (!isUsed) {
      this.#counts.delete(id);
      this.#services.forget(id);
    }
    const resolved = isUsed ? this.#services.upstream(id) : undefined;
    const problem = resolved?.problem;
    if (problem?.message !== this.#problems.get(id)?.message) otherProblems.add(id);
    if (problem === undefined) this.#problems.delete(id);
    else this.#problems.set(id, problem);
    const upstream = resolved?.upstream;
    const before = this.#upstreams.get(id);
    if (upstream === before) return false;
    this.endpoints += (upstream?.endpoints.length ?? 0) - (before?.endpoints.length ?? 0);
    if (upstream === undefined) this.#upstreams.delete(id);
    else this.#upstreams.set(id, upstream);
    return true;
  }
}

function* rulesOf(group: HostGroup | undefined): Generator<Rule> {
  for (const host of group?.hosts ?? []) yield* host.rules;
}
