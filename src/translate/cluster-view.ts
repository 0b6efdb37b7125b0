// What translation sees: complete collections, read-only, with time and history as data.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { LoadBalancing, Settings } from '#model/route-model.ts';

export interface ClusterView {
  readonly ingressRoutes: readonly KubernetesObject[];
  readonly ingressClasses: readonly KubernetesObject[];
  readonly services: readonly KubernetesObject[];
  readonly endpointSlices: readonly KubernetesObject[];
  readonly claims: Claims;
  /** RFC 3339. */
  readonly now: string;
}

/** Host -> the namespace that owns it. A ledger: it cannot be derived from objects alone. */
export type Claims = ReadonlyMap<string, Claim>;

export interface Claim {
  readonly namespace: string;
  /** RFC 3339. */
  readonly since: string;
}

/** What whoever runs Flint decides for every route alike. */
export interface TranslateSettings {
  readonly settings: Settings;
  readonly loadBalancing: LoadBalancing;
}
