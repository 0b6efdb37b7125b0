// What translation thought of each object: the material of its status.
import type { ObjectRef } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';

export type Verdict =
  /** Served, on these hosts; problems say what is not as written. */
  | {
      readonly kind: 'Accepted';
      readonly object: ObjectRef;
      readonly hosts: readonly string[];
      readonly certificates: readonly ServedCertificate[];
      readonly problems: readonly Problem[];
    }
  /** Nothing of it is served, and it claims nothing. */
  | { readonly kind: 'Rejected'; readonly object: ObjectRef; readonly problems: readonly Problem[] }
  /** Another controller's, by its IngressClass. */
  | { readonly kind: 'NotOurs'; readonly object: ObjectRef; readonly message: string };

export interface ServedCertificate {
  readonly secretName: string;
  /** RFC 3339. */
  readonly notAfter: string;
  readonly dnsNames: readonly string[];
}
