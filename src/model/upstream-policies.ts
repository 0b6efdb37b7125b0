// What routes ask of the endpoints behind them beyond how they are spoken to: part of the contract of route-model.ts.
//
// An upstream's list holds each kind at most once and in the order of `upstreamPolicyOrder`. Milliseconds.

export type UpstreamPolicy =
  /**
   * Requests with the same value go to the same endpoint; those without one as the upstream's loadBalancing has it.
   * `name`: of the field, cookie or parameter; empty for ClientAddress.
   */
  | { readonly kind: 'ConsistentHash'; readonly source: HashSource; readonly name: string }
  /** An endpoint that is new gets its full share only after this long. */
  | { readonly kind: 'SlowStart'; readonly windowMs: number }
  | ({ readonly kind: 'HealthCheck' } & HealthCheck)
  /** In place of the one of the settings. */
  | ({ readonly kind: 'OutlierEjection' } & OutlierEjection)
  | ({ readonly kind: 'CircuitBreaker' } & CircuitBreaker);

export type UpstreamPolicyKind = UpstreamPolicy['kind'];
export type UpstreamPolicyOf<Kind extends UpstreamPolicyKind> = Extract<
  UpstreamPolicy,
  { readonly kind: Kind }
>;

export const upstreamPolicyOrder: readonly UpstreamPolicyKind[] = [
  'ConsistentHash',
  'SlowStart',
  'HealthCheck',
  'OutlierEjection',
  'CircuitBreaker',
];

export type HashSource = 'Header' | 'Cookie' | 'QueryParam' | 'ClientAddress';

/** Endpoints are asked whether they are well, whatever requests there are. */
export interface HealthCheck {
  readonly probe: HealthProbe;
  /** From the beginning of one check to that of the next, but for a jitter. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many checks in a row have to go well for an endpoint that is not, and the other way round. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

export type HealthProbe =
  /** GET; `statuses`: those that say that it is well; empty: 200 to 399. */
  | {
      readonly kind: 'Http';
      readonly path: string;
      readonly hostname: string;
      readonly statuses: readonly number[];
    }
  /** It accepts a connection, with TLS where the upstream has it. */
  | { readonly kind: 'Tcp' }
  /** grpc.health.v1.Health/Check; `service` empty: the server as a whole. */
  | { readonly kind: 'Grpc'; readonly service: string };

/** Endpoints that fail are left alone for a while: never more than half of them. A count of 0: not for this reason. */
export interface OutlierEjection {
  /** Responses of 500 and above, one after the other. */
  readonly consecutive5xx: number;
  /** Connections that could not be made, one after the other. What breaks later may be the doing of a client. */
  readonly connectFailures: number;
  /** The first time; each further time in a row it is that much longer ... */
  readonly baseEjectionMs: number;
  /** ... and never longer than this. */
  readonly maxEjectionMs: number;
}

/** Of one data-plane process, over all of its workers; 0: no limit, but for `pendingRequests`. */
export interface CircuitBreaker {
  readonly connections: number;
  /** Requests that wait for a connection where no more may be made; 0: none waits. */
  readonly pendingRequests: number;
  readonly activeRequests: number;
  /** Of each endpoint. */
  readonly endpointConnections: number;
  readonly endpointActiveRequests: number;
}
