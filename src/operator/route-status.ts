// The status of an IngressRoute, as the API server stores it, and what of it users read.

export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

const conditionTypes = ['Accepted', 'ResolvedRefs', 'Programmed', 'Ready', 'Reconciling', 'Stalled'] as const;
export type ConditionType = (typeof conditionTypes)[number];

export interface RouteStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  readonly dataPlane: { readonly summary: string };
}

/** A stored status as far as it is ours; undefined when no condition of it is. Others may add conditions of their own. */
export function readStatus(value: unknown): RouteStatus | undefined {
  const status = (value ?? {}) as Partial<RouteStatus>;
  if (!Array.isArray(status.conditions)) return undefined;
  const conditions = (status.conditions as readonly Condition[]).filter(({ type }) =>
    conditionTypes.includes(type),
  );
  if (conditions.length === 0) return undefined;
  return {
    observedGeneration: status.observedGeneration ?? 0,
    conditions,
    dataPlane: { summary: status.dataPlane?.summary ?? '' },
  };
}

export function conditionOf(status: RouteStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions.find((condition) => condition.type === type);
}

/** Whether two statuses say the same; when they began to say so does not matter. */
export function isSameStatus(a: RouteStatus | undefined, b: RouteStatus | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && withoutTimes(a) === withoutTimes(b));
}

function withoutTimes(status: RouteStatus): string {
  const conditions = status.conditions
    .map(({ type, status: value, reason, message, observedGeneration }) =>
      JSON.stringify([type, value, reason, message, observedGeneration]),
    )
    .sort();
  return JSON.stringify([status.observedGeneration, status.dataPlane.summary, conditions]);
}
