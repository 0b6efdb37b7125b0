// The status of an IngressRoute, as the API server stores it, and what of it users read.
import type { ServedCertificate } from '#translate/verdict.ts';
import type { Address } from './addresses.ts';

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
  readonly addresses?: readonly Address[];
  readonly certificates?: readonly ServedCertificate[];
}

/** What stands in a status beside the judgement. */
export interface Details {
  readonly addresses: readonly Address[];
  readonly certificates: readonly ServedCertificate[];
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
    addresses: listOf(status.addresses) as readonly Address[],
    certificates: listOf(status.certificates) as readonly ServedCertificate[],
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Whether only the details differ: they can wait, and are the same for many. */
export function isSameJudgement(a: RouteStatus | undefined, b: RouteStatus | undefined): boolean {
  return isSameStatus(a && withDetails(a, noDetails), b && withDetails(b, noDetails));
}

const noDetails: Details = { addresses: [], certificates: [] };

/** Lists that are empty are not written. */
export function withDetails(status: RouteStatus, { addresses, certificates }: Details): RouteStatus {
  const { observedGeneration, conditions, dataPlane } = status;
  return {
    observedGeneration,
    conditions,
    dataPlane,
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(certificates.length === 0 ? {} : { certificates }),
  };
}

export function conditionOf(status: RouteStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions.find((condition) => condition.type === type);
}

/** Whether two statuses say the same; when they began to say so does not matter. */
export function isSameStatus(a: RouteStatus | undefined, b: RouteStatus | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && withoutTimes(a) === withoutTimes(b));
}

/** Whether two judgements differ at most in their words, which may count pods. */
export function isSameOutcome(a: RouteStatus, b: RouteStatus | undefined): boolean {
  const outcomeOf = ({ observedGeneration, conditions }: RouteStatus): string =>
    JSON.stringify([
      observedGeneration,
      conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`).sort(),
    ]);
  return b !== undefined && outcomeOf(a) === outcomeOf(b);
}

function withoutTimes(status: RouteStatus): string {
  const conditions = status.conditions
    .map(({ type, status: value, reason, message, observedGeneration }) =>
      JSON.stringify([type, value, reason, message, observedGeneration]),
    )
    .sort();
  const addresses = (status.addresses ?? []).map(({ type, value }) => [type, value]);
  const certificates = (status.certificates ?? []).map(({ secretName, notAfter, dnsNames }) => [
    secretName,
    notAfter,
    dnsNames,
  ]);
  const { observedGeneration, dataPlane } = status;
  return JSON.stringify([observedGeneration, dataPlane.summary, conditions, addresses, certificates]);
}
