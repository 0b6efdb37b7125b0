// The status of an IngressRoute, as the API server stores it, and what of it users read.

export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

export type ConditionType = 'Accepted' | 'ResolvedRefs' | 'Programmed' | 'Ready' | 'Reconciling' | 'Stalled';

export interface RouteStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  readonly dataPlane: { readonly summary: string };
}

/** A stored status as far as it is one of ours; undefined when it has no conditions. */
export function readStatus(value: unknown): RouteStatus | undefined {
  const status = (value ?? {}) as Partial<RouteStatus>;
  if (!Array.isArray(status.conditions) || status.conditions.length === 0) return undefined;
  return {
    observedGeneration: status.observedGeneration ?? 0,
    conditions: status.conditions as readonly Condition[],
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
