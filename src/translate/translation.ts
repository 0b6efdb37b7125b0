// What translation gives.
import type { IssuerRef } from '#api/route-tls.ts';
import type { ObjectRef } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { Claims } from './cluster-view.ts';
import type { Verdict } from './verdict.ts';

export interface Translation {
  readonly model: RouteModel;
  /** One for each IngressRoute and Ingress. */
  readonly verdicts: readonly Verdict[];
  readonly claims: Claims;
  /** Certificates that cert-manager is to be asked for. */
  readonly certificateRequests: readonly CertificateRequest[];
  /** What is wrong with the settings themselves. */
  readonly problems: readonly Problem[];
}

export interface CertificateRequest {
  readonly object: ObjectRef;
  readonly secretName: string;
  readonly issuer: IssuerRef;
  /** The hosts of the object that its namespace owns, sorted. */
  readonly dnsNames: readonly string[];
}
