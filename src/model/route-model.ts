// The contract between operator and data plane: everything a request can depend on, with every default filled in.
//
// No optional fields, no nulls, no Kubernetes types; absence is a variant of a union. The order of `hosts`, `upstreams`
// and `certificates` means nothing; a host's rules stand in the order of their objects' age.
import type { Filter } from './filters.ts';
import type { SecretText } from './secret-text.ts';
import type { OutlierEjection, UpstreamPolicy } from './upstream-policies.ts';

export interface RouteModel {
  readonly settings: Settings;
  /** Where each node stands, for endpoints that are meant for a zone; empty when no endpoint is. */
  readonly zones: readonly NodeZone[];
  readonly hosts: readonly VirtualHost[];
  readonly upstreams: readonly Upstream[];
  readonly certificates: readonly Certificate[];
  /** Empty while no rule needs one. */
  readonly keys: readonly SigningKey[];
}

/** A key by which every data plane knows what any of them has signed. */
export interface SigningKey {
  /** What it is for; unique in the model. */
  readonly id: 'session';
  /** 32 bytes in base64. */
  readonly key: SecretText;
}

export interface NodeZone {
  readonly node: string;
  readonly zone: string;
}

/** What holds for every route alike. Milliseconds; 0 means none. */
export interface Settings {
  readonly connectTimeoutMs: number;
  readonly upstreamIdleTimeoutMs: number;
  readonly clientIdleTimeoutMs: number;
  readonly headTimeoutMs: number;
  /** How many endpoints may be tried for one request, the first one included. */
  readonly attempts: number;
  readonly fallback: Fallback;
  readonly defaultCertificate: DefaultCertificate;
  /** Of upstreams that have no other. */
  readonly outlierEjection: OutlierEjection;
}

/** What clients get that name no host, or one that nobody serves. */
export type DefaultCertificate =
  | { readonly kind: 'None' }
  | { readonly kind: 'Certificate'; readonly certificate: string };

/** What takes a request that no rule takes. */
export type Fallback = { readonly kind: 'NotFound' } | { readonly kind: 'Rule'; readonly rule: Rule };

export type HostPattern =
  | { readonly kind: 'Exact'; readonly name: string }
  /** `suffix` is what follows `*.`; OneLabel is an Ingress's wildcard, AnyDepth an HTTPRoute's. */
  | { readonly kind: 'Wildcard'; readonly suffix: string; readonly depth: 'AnyDepth' | 'OneLabel' }
  | { readonly kind: 'AnyHost' };

export interface VirtualHost {
  readonly pattern: HostPattern;
  readonly pathPolicy: PathPolicy;
  /** Ids of the certificates that this name may be served with, sorted. */
  readonly certificates: readonly string[];
  readonly plaintext: Plaintext;
  readonly tlsMode: TlsMode;
  readonly minTlsVersion: TlsVersion;
  readonly strictTransport: StrictTransport;
  readonly clientValidation: ClientValidation;
  /** Older objects first, then in the order of their list: what decides between matches of equal precision. */
  readonly rules: readonly Rule[];
}

/** What requests without TLS get: what those with it get, a redirect to them, or a refusal. Challenges of ACME are served. */
export type Plaintext = 'Serve' | 'Redirect' | 'Reject';

/** Passthrough: TLS is ended by a backend of the one rule that has no matches, since no request is ever seen. */
export type TlsMode = 'Terminate' | 'Passthrough';

export type TlsVersion = '1.2' | '1.3';

/** What responses with TLS say of this host in Strict-Transport-Security (RFC 6797). */
export type StrictTransport =
  | { readonly kind: 'Unsaid' }
  | {
      readonly kind: 'Said';
      readonly maxAgeSeconds: number;
      readonly includeSubdomains: boolean;
      readonly preload: boolean;
    };

/** Whether clients are asked for a certificate, and what becomes of those without a valid one. */
export type ClientValidation =
  | { readonly kind: 'None' }
  | {
      readonly kind: 'Asked';
      readonly mode: 'AllowValidOnly' | 'AllowInsecureFallback';
      /** PEM: the certificates of all authorities that are believed. */
      readonly authorities: string;
    };

export type DoubtfulPath = 'Reject' | 'Keep' | 'Decode';

export interface PathPolicy {
  readonly encodedSlash: DoubtfulPath;
  readonly mergeSlashes: DoubtfulPath;
  readonly backslash: DoubtfulPath;
}

/** The rule of a user's object, for logs, metrics and explanations. Setting: what whoever runs Flint has decided. */
export interface RuleRef {
  readonly kind: 'IngressRoute' | 'Ingress' | 'Setting';
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
  /** Takes requests only while no other kind of backend of the rule has an endpoint to send them to. */
  | { readonly kind: 'Fallback'; readonly upstream: string; readonly weight: number }
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
  /** `namespace/service:port`, with more behind a space where a route has terms of its own; unique in the model. */
  readonly id: string;
  readonly loadBalancing: LoadBalancing;
  readonly protocol: BackendProtocol;
  readonly tls: BackendTls;
  /** Each kind at most once, in the order of `upstreamPolicyOrder`. */
  readonly policies: readonly UpstreamPolicy[];
  readonly discovery: Discovery;
  /** Sorted by address and port. Empty where the data plane has to find them itself. */
  readonly endpoints: readonly Endpoint[];
  /** Which endpoints each zone should use; empty unless every zone that has nodes has some. Sorted by zone. */
  readonly zoneHints: readonly ZoneHint[];
}

export type BackendProtocol = 'HTTP/1.1' | 'HTTP/2';

/** How endpoints are spoken to: in the clear, or with TLS that proves who they are. */
export type BackendTls =
  | { readonly kind: 'None' }
  | { readonly kind: 'Verified'; readonly serverName: string; readonly authorities: BackendAuthorities };

export type BackendAuthorities = { readonly kind: 'System' } | { readonly kind: 'Pem'; readonly pem: string };

/** Where the endpoints of an upstream come from. */
export type Discovery =
  | { readonly kind: 'Endpoints' }
  /** The addresses of a DNS name, resolved by the data plane: of a Service of type ExternalName. */
  | {
      readonly kind: 'Dns';
      readonly name: string;
      readonly port: number;
      /** Public: answers that are private, link-local, loopback and the like are refused. */
      readonly allowed: 'Public' | 'Any';
    };

export interface ZoneHint {
  readonly zone: string;
  /** Indexes into `endpoints`, ascending. */
  readonly endpoints: readonly number[];
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** Terminating: still serving, taken only when nothing is Ready. */
  readonly state: 'Ready' | 'Terminating';
}

/** A chain and its key, swapped as one value. */
export interface Certificate {
  /** `namespace/secret`, unique in the model. */
  readonly id: string;
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM, PKCS #8. */
  readonly key: SecretText;
  readonly dnsNames: readonly string[];
  /** RFC 3339. */
  readonly notAfter: string;
  /** SHA-256 of the leaf, lower-case hex. */
  readonly fingerprint: string;
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`: how logs and explanations name an endpoint. */
export function endpointText({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What tells the endpoints of an upstream apart, in one thread and between threads. */
export function endpointKey({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return `${address} ${port}`;
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
