// One rule of one object, ready to serve: its backends with weights summed up.
import { compileFilters } from '#filter/rule-filters.ts';
import type { RuleFilters } from '#filter/rule-filters.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import { secureResponseHeaders } from '#filter/strict-transport.ts';
import { hashText, highestByWeight } from '#model/rendezvous.ts';
import type { Backend, Rule, RuleRef, StrictTransport, Timeouts } from '#model/route-model.ts';
import { WeightedTurn } from './weighted-turn.ts';

const unsaid: StrictTransport = { kind: 'Unsaid' };

type Fallback = Extract<Backend, { readonly kind: 'Fallback' }>;
type UpstreamBackend = Exclude<Backend, { readonly kind: 'Unresolved' }>;

interface Candidate {
  readonly seed: number;
  readonly weight: number;
}

export class CompiledRoute {
  readonly ref: RuleRef;
  /** `namespace/name` of the object: the route label of metrics. */
  readonly objectId: string;
  /** Without fallbacks. */
  readonly backends: readonly Exclude<Backend, Fallback>[];
  /** For when no other backend can serve. */
  readonly fallbacks: readonly Fallback[];
  readonly totalWeight: number;
  readonly timeouts: Timeouts;
  /** Undefined for a rule without any. */
  readonly filters: RuleFilters | undefined;
  /** What is done to the fields of responses with TLS: what the rule does to all, and what the host says of itself. */
  readonly secureResponseHeaders: HeaderChanges | undefined;
  readonly #turn: WeightedTurn;
  /** Of the backends, when a key decides. */
  #candidates: readonly Candidate[] | undefined = undefined;

  /** `strictTransport`: of its host. */
  constructor(rule: Rule, strictTransport: StrictTransport = unsaid) {
    this.ref = rule.ref;
    this.objectId = `${rule.ref.namespace}/${rule.ref.name}`;
    this.backends = rule.backends.filter((backend) => backend.kind !== 'Fallback');
    this.fallbacks = rule.backends.filter((backend) => backend.kind === 'Fallback');
    this.timeouts = rule.timeouts;
    this.filters = compileFilters(rule.filters);
    this.secureResponseHeaders =
      strictTransport.kind === 'Unsaid'
        ? this.filters?.responseHeaders
        : secureResponseHeaders(rule.filters, strictTransport);
    const weights = this.backends.map(({ weight }) => weight);
    this.totalWeight = weights.reduce((sum, weight) => sum + weight, 0);
    this.#turn = new WeightedTurn(weights);
  }

  /** The backend whose turn it is; undefined when all weights are 0. */
  nextBackend(): Exclude<Backend, Fallback> | undefined {
    if (this.backends.length === 1) return this.totalWeight === 0 ? undefined : this.backends[0];
    return this.totalWeight === 0 ? undefined : this.backendAt(this.#turn.next());
  }

  /** The backend that owns a key: the same one as long as its weight does not fall, or another's grow. */
  backendOf(key: number): Exclude<Backend, Fallback> | undefined {
    this.#candidates ??= candidatesOf(this.backends);
    return this.backends[highestByWeight(this.#candidates, key)];
  }

  /** One that can serve in place of a backend that cannot: of the others, then of the fallbacks. `key` decides. */
  standIn(canServe: (upstream: string) => boolean, key: number): UpstreamBackend | undefined {
    const others = this.backends.filter((each) => each.kind === 'Upstream');
    for (const list of [others, this.fallbacks]) {
      const able = list.filter(({ upstream }) => canServe(upstream));
      const found = able[highestByWeight(candidatesOf(able), key)];
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The backend that owns the point `fraction` (0 up to 1) of the summed weights; undefined when all are 0. */
  backendAt(fraction: number): Exclude<Backend, Fallback> | undefined {
    let left = fraction * this.totalWeight;
    for (const backend of this.backends) {
      left -= backend.weight;
      if (left < 0) return backend;
    }
    return undefined;
  }
}

/** Named after the Service port alone: other terms of it move nobody. The same one twice is told apart by its place. */
function candidatesOf(backends: readonly Backend[]): readonly Candidate[] {
  const seen = new Map<string, number>();
  return backends.map((backend) => {
    const name = backend.kind === 'Unresolved' ? 'unresolved' : (backend.upstream.split(' ', 1)[0] ?? '');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return { seed: hashText(times === 0 ? name : `${name} ${times}`), weight: backend.weight };
  });
}
