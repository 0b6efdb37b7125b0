// What is wrong with a user's object: a value that reaches status, never an exception.

export const problemReasons = [
  'Invalid',
  'HostnameConflict',
  'RouteConflict',
  'PathPolicyConflict',
  'PlaintextConflict',
  'TlsConflict',
  'HostTooLarge',
  'ModelTooLarge',
  'BackendNotFound',
  'PortNotFound',
  'SecretNotFound',
  'SecretInvalid',
  'CertificatePending',
  'TooManyEndpoints',
  'EndpointsUnusable',
] as const;

/** Why an object, or a part of it, is not served as written. Users see these words in `status` and logs. */
export type ProblemReason = (typeof problemReasons)[number];

export interface Problem {
  readonly reason: ProblemReason;
  /** The field, as `spec.rules[2].matches[0].path.value`. */
  readonly at: string;
  readonly message: string;
}
