// What a proxy is configured to route: the same hosts, paths and rules for all sides.

/** How the rules of a host tell requests apart. */
export type RuleKind = 'everything' | 'filtered' | 'path' | 'header' | 'expression';

export interface Scene {
  readonly name: string;
  readonly rules: RuleKind;
  readonly hosts: number;
  readonly rulesPerHost: number;
  /** Clients come with TLS. */
  readonly isSecure?: true;
  /** Backends come with TLS, and are verified by name and authority. */
  readonly hasSecureBackends?: true;
  /** Clients speak HTTP/2 by prior knowledge; with gRPC so do the backends. */
  readonly http2?: 'clients' | 'gRPC';
}

export const scenes = {
  one: { name: '1 route', rules: 'everything', hosts: 1, rulesPerHost: 1 },
  secure: { name: '1 route with TLS', rules: 'everything', hosts: 1, rulesPerHost: 1, isSecure: true },
  reencrypted: {
    name: '1 route, TLS to backends',
    rules: 'everything',
    hosts: 1,
    rulesPerHost: 1,
    hasSecureBackends: true,
  },
  http2: { name: '1 route, HTTP/2', rules: 'everything', hosts: 1, rulesPerHost: 1, http2: 'clients' },
  grpc: { name: '1 route, gRPC', rules: 'everything', hosts: 1, rulesPerHost: 1, http2: 'gRPC' },
  filtered: { name: 'a rule with filters', rules: 'filtered', hosts: 1, rulesPerHost: 1 },
  ten: { name: '10 routes', rules: 'path', hosts: 1, rulesPerHost: 10 },
  thousand: { name: '1000 routes', rules: 'everything', hosts: 1000, rulesPerHost: 1 },
  tenThousand: { name: '10,000 routes', rules: 'path', hosts: 1000, rulesPerHost: 10 },
  headers: { name: '10 rules by header', rules: 'header', hosts: 1, rulesPerHost: 10 },
  expressions: { name: '10 rules by regular expression', rules: 'expression', hosts: 1, rulesPerHost: 10 },
} as const satisfies Readonly<Record<string, Scene>>;

export type SceneName = keyof typeof scenes;

/** The header that the rules of kind `header` look at; rule N wants the value `tN`. */
export const tenantHeader = 'X-Tenant';

export function hostOf(number: number): string {
  return `host-${number}.test`;
}

export function hostsOf(scene: Scene): readonly string[] {
  return Array.from({ length: scene.hosts }, (_, number) => hostOf(number));
}

export function ruleNumbers(scene: Scene): readonly number[] {
  return Array.from({ length: scene.rulesPerHost }, (_, number) => number);
}

/** What rule N of kind `path` takes, with everything below it. */
export function prefixOf(number: number): string {
  return `/tiny/r${number}`;
}

/** What rule N of kind `expression` takes: the whole path must fit. */
export function expressionOf(number: number): string {
  return `/tiny/[0-9]+/r${number}`;
}
