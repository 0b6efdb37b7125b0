// The contract between operator and data plane: everything a request can depend on, with every default filled in.
//
// No optional fields, no nulls, no Kubernetes types; absence is a variant of a union. `hosts` and `upstreams` are
// sorted by key, and a host's rules by age of their object, so that equal models are equal bytes.
import type { Filter } from './filters.ts';

export interface RouteModel {
  readonly settings: Settings;
  readonly hosts: readonly VirtualHost[];
  readonly upstreams: readonly Upstream[];
}

/** What holds for every route alike. Milliseconds; 0 means none. */
export interface Settings {
  readonly connectTimeoutMs: number;
  readonly upstreamIdleTimeoutMs: number;
  readonly clientIdleTimeoutMs: number;
  readonly headTimeoutMs: number;
  /** How many endpoints may be tried for one request, the first one included. */
  readonly attempts: number;
}

export type HostPattern =
  | { readonly kind: 'Exact'; readonly name: string }
  /** `suffix` is what follows `*.`; OneLabel is an Ingress's wildcard, AnyDepth an HTTPRoute's. */
  | { readonly kind: 'Wildcard'; readonly suffix: string; readonly depth: 'AnyDepth' | 'OneLabel' }
  | { readonly kind: 'AnyHost' };

export interface VirtualHost {
  readonly pattern: HostPattern;
  readonly pathPolicy: PathPolicy;
  /** Older objects first, then in the order of their list: what decides between matches of equal precision. */
  readonly rules: readonly Rule[];
}

export type DoubtfulPath = 'Reject' | 'Keep' | 'Decode';

export interface PathPolicy {
  readonly encodedSlash: DoubtfulPath;
  readonly mergeSlashes: DoubtfulPath;
  readonly backslash: DoubtfulPath;
}

/** The rule of a user's object, for logs, metrics and explanations. */
export interface RuleRef {
  readonly kind: 'IngressRoute';
  readonly namespace: string;
  readonly name: string;
  /** The rule's name, or `rules[2]` for one without. */
  readonly rule: string;
}

export interface Rule {
  readonly ref: RuleRef;
  readonly matches: readonly Match[];
  /** Each kind at most once, in the order in which they act. */
  readonly filters: readonly Filter[];
  /** Empty where a filter answers. */
  readonly backends: readonly Backend[];
  readonly timeouts: Timeouts;
}

export interface Match {
  readonly path: PathMatch;
  readonly method: MethodMatch;
  /** Names are lower-case and unique. */
  readonly headers: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
}

/** A PathPrefix has no trailing slash except when it is "/" itself. */
export interface PathMatch {
  readonly kind: 'Exact' | 'PathPrefix' | 'RegularExpression';
  readonly value: string;
}

export type MethodMatch =
  | { readonly kind: 'AnyMethod' }
  | { readonly kind: 'Method'; readonly method: string };

export interface NamedMatch {
  readonly kind: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export type Backend =
  | { readonly kind: 'Upstream'; readonly upstream: string; readonly weight: number }
  /** A reference that leads nowhere: its share of the requests is answered with this status. */
  | { readonly kind: 'Unresolved'; readonly status: 500 | 503; readonly weight: number };

/** Milliseconds; 0 means none. */
export interface Timeouts {
  readonly requestMs: number;
  readonly backendRequestMs: number;
  readonly idleMs: number;
}

export type LoadBalancing = 'RoundRobin' | 'LeastRequests';

export interface Upstream {
  /** `namespace/service:port`, unique in the model. */
  readonly id: string;
  readonly loadBalancing: LoadBalancing;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** Terminating: still serving, taken only when nothing is Ready. */
  readonly state: 'Ready' | 'Terminating';
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`: how logs and explanations name an endpoint. */
export function endpointText({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The identity of a host in a model: what a reader calls it and what buckets hash. */
export function hostKey(pattern: HostPattern): string {
  switch (pattern.kind) {
    case 'Exact':
      return pattern.name;
    case 'Wildcard':
      return pattern.depth === 'AnyDepth' ? `*.${pattern.suffix}` : `+.${pattern.suffix}`;
    case 'AnyHost':
      return '*';
  }
}
