// What translation sees: complete collections, read-only, with time and history as data.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Certificate, LoadBalancing, Settings, SigningKey } from '#model/route-model.ts';

export interface ClusterView {
  readonly ingressRoutes: readonly KubernetesObject[];
  readonly ingresses: readonly KubernetesObject[];
  readonly ingressClasses: readonly KubernetesObject[];
  readonly services: readonly KubernetesObject[];
  readonly endpointSlices: readonly KubernetesObject[];
  /** Of type kubernetes.io/tls. */
  readonly secrets: readonly KubernetesObject[];
  readonly nodes: readonly KubernetesObject[];
  /** cert-manager's Certificates: what it says of the Secrets that are still to come. */
  readonly issuedCertificates: readonly KubernetesObject[];
  readonly claims: Claims;
  /** What was served last, by `namespace/secret`: stays when a Secret gets a pair that cannot be served. */
  readonly lastGood: ReadonlyMap<string, Certificate>;
  /** By which data planes know the sessions that they have begun. */
  readonly sessionKey: SigningKey;
  /** RFC 3339. Certificates are judged by its day. */
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
  readonly settings: Omit<Settings, 'fallback' | 'defaultCertificate'>;
  readonly loadBalancing: LoadBalancing;
  /** Whether Services of type ExternalName are served, and whether their names may lead to private addresses. */
  readonly externalNames: 'Refused' | 'Public' | 'Any';
  /** Whether a namespace that owns `*.example.com` also owns the names below it that nobody had before. */
  readonly wildcardsClaimSubdomains: boolean;
  /** The Service that takes what no rule takes; absent: 404. */
  readonly defaultBackend: DefaultBackend | undefined;
  /** The Secret, `namespace/name`, for clients that name no host, or one that nobody serves; absent: they are refused. */
  readonly defaultCertificate: string | undefined;
  /** Of the controller's IngressClass where classes cannot be read; empty: they can. */
  readonly assumedClass: string;
}

export interface DefaultBackend {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}
