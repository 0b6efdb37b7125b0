// One rule of one object, ready to serve: its backends with weights summed up.
import { compileFilters } from '#filter/rule-filters.ts';
import type { RuleFilters } from '#filter/rule-filters.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import { secureResponseHeaders } from '#filter/strict-transport.ts';
import type { Backend, Rule, RuleRef, StrictTransport, Timeouts } from '#model/route-model.ts';

const unsaid: StrictTransport = { kind: 'Unsaid' };

export class CompiledRoute {
  readonly ref: RuleRef;
  /** `namespace/name` of the object: the route label of metrics. */
  readonly objectId: string;
  readonly backends: readonly Backend[];
  readonly totalWeight: number;
  readonly timeouts: Timeouts;
  /** Undefined for a rule without any. */
  readonly filters: RuleFilters | undefined;
  /** What is done to the fields of responses with TLS: what the rule does to all, and what the host says of itself. */
  readonly secureResponseHeaders: HeaderChanges | undefined;

  /** `strictTransport`: of its host. */
  constructor(rule: Rule, strictTransport: StrictTransport = unsaid) {
    this.ref = rule.ref;
    this.objectId = `${rule.ref.namespace}/${rule.ref.name}`;
    this.backends = rule.backends;
    this.timeouts = rule.timeouts;
    this.filters = compileFilters(rule.filters);
    this.secureResponseHeaders =
      strictTransport.kind === 'Unsaid'
        ? this.filters?.responseHeaders
        : secureResponseHeaders(rule.filters, strictTransport);
    this.totalWeight = rule.backends.reduce((sum, backend) => sum + backend.weight, 0);
  }

  /** The backend that owns the point `fraction` (0 up to 1) of the summed weights; undefined when all are 0. */
  backendAt(fraction: number): Backend | undefined {
    let left = fraction * this.totalWeight;
    for (const backend of this.backends) {
      left -= backend.weight;
      if (left < 0) return backend;
    }
    return undefined;
  }
}
