// Generates models of every variant, small and overlapping: few hosts, few path segments, few names and values.
import * as fc from 'fast-check';
import { SecretText } from '#model/secret-text.ts';
import { compareText } from '#model/text-order.ts';
import { filterOrder } from '#model/filters.ts';
import type { Filter, HostRewrite, PathRewrite } from '#model/filters.ts';
import { hostKey } from '#model/route-model.ts';
import type {
  Backend,
  BackendAuthorities,
  BackendTls,
  Certificate,
  ClientValidation,
  DefaultCertificate,
  Discovery,
  Fallback,
  HostPattern,
  Match,
  MethodMatch,
  NamedMatch,
  NodeZone,
  PathMatch,
  RouteModel,
  Rule,
  SigningKey,
  StrictTransport,
  Upstream,
  VirtualHost,
  ZoneHint,
} from '#model/route-model.ts';
import { hasSessions } from '#model/signing-key.ts';
import { upstreamPolicyOrder } from '#model/upstream-policies.ts';
import type { HashSource, HealthProbe, OutlierEjection, UpstreamPolicy } from '#model/upstream-policies.ts';

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(fields, { noNullPrototype: true });
const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const some = <T>(each: fc.Arbitrary<T>, minLength = 0, maxLength = 3): fc.Arbitrary<T[]> =>
  fc.array(each, { minLength, maxLength, size: 'max' });

const mostly = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

const domain = oneOf('test', 'a.test', 'b.a.test', 'c.b.a.test');

export const hostPatterns = {
  Exact: record({ kind: fc.constant('Exact' as const), name: domain }),
  Wildcard: record({
    kind: fc.constant('Wildcard' as const),
    suffix: domain,
    depth: oneOf('AnyDepth' as const, 'OneLabel' as const),
  }),
  AnyHost: fc.constant({ kind: 'AnyHost' as const }),
} satisfies { readonly [K in HostPattern['kind']]: fc.Arbitrary<HostPattern & { kind: K }> };

const segments = some(oneOf('a', 'a', 'b', 'ab'), 0, 3);

/** `/`, `/a`, `/a/b`: no trailing slash, as a prefix is written in a model. */
const prefix = segments.map((parts) => `/${parts.join('/')}`);

export const requestPath = fc
  .tuple(segments, oneOf('', '/'))
  .map(([parts, slash]) => (parts.length === 0 ? '/' : `/${parts.join('/')}${slash}`));

export const pathMatches = {
  Exact: record({ kind: fc.constant('Exact' as const), value: requestPath }),
  PathPrefix: record({ kind: fc.constant('PathPrefix' as const), value: prefix }),
  RegularExpression: record({
    kind: fc.constant('RegularExpression' as const),
    value: oneOf('/', '/a', '/.*', '/[ab]', '/a|/b', '/a/?', '/a/.+', '(/a)+'),
  }),
} satisfies { readonly [K in PathMatch['kind']]: fc.Arbitrary<PathMatch & { kind: K }> };

export const methodMatches = {
  AnyMethod: fc.constant({ kind: 'AnyMethod' as const }),
  Method: record({ kind: fc.constant('Method' as const), method: oneOf('GET', 'POST') }),
} satisfies { readonly [K in MethodMatch['kind']]: fc.Arbitrary<MethodMatch & { kind: K }> };

const name = oneOf('m', 'n');

export const namedMatches = {
  Exact: record({ kind: fc.constant('Exact' as const), name, value: oneOf('1', '2', '') }),
  RegularExpression: record({
    kind: fc.constant('RegularExpression' as const),
    name,
    value: oneOf('1', '[12]', '1?', '.*', '1|12'),
  }),
} satisfies { readonly [K in NamedMatch['kind']]: fc.Arbitrary<NamedMatch & { kind: K }> };

const named = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.uniqueArray(fc.oneof(...Object.values(namedMatches)), {
      maxLength: 2,
      selector: (each) => each.name,
    }),
  },
);

const match: fc.Arbitrary<Match> = record({
  path: fc.oneof(...Object.values(pathMatches)),
  method: fc.oneof(...Object.values(methodMatches)),
  headers: named,
  queryParams: named,
});

const weight = oneOf(0, 1, 9);
const upstreamIds = ['x/s:80', 'x/t:80', 'x/t:8080'];

export const backends = {
  Upstream: record({ kind: fc.constant('Upstream' as const), upstream: oneOf(...upstreamIds), weight }),
  Fallback: record({ kind: fc.constant('Fallback' as const), upstream: oneOf(...upstreamIds), weight }),
  Unresolved: record({
    kind: fc.constant('Unresolved' as const),
    status: oneOf(500 as const, 503 as const),
    weight,
  }),
} satisfies { readonly [K in Backend['kind']]: fc.Arbitrary<Backend & { kind: K }> };

export const hostRewrites = {
  SameHost: fc.constant({ kind: 'SameHost' as const }),
  OtherHost: record({ kind: fc.constant('OtherHost' as const), name: domain }),
} satisfies { readonly [K in HostRewrite['kind']]: fc.Arbitrary<HostRewrite & { kind: K }> };

const barePrefix = oneOf('', '/a', '/a/b');

export const pathRewrites = {
  SamePath: fc.constant({ kind: 'SamePath' as const }),
  OtherPath: record({ kind: fc.constant('OtherPath' as const), path: requestPath }),
  OtherPrefix: record({
    kind: fc.constant('OtherPrefix' as const),
    prefix: barePrefix,
    replacement: barePrefix,
  }),
} satisfies { readonly [K in PathRewrite['kind']]: fc.Arbitrary<PathRewrite & { kind: K }> };

const hostRewrite = fc.oneof(...Object.values(hostRewrites));
const pathRewrite = fc.oneof(...Object.values(pathRewrites));
const headerName = oneOf('x-a', 'x-b');
const headerFields = some(record({ name: headerName, value: oneOf('1', 'a b') }), 0, 2);
const changes = { remove: some(headerName, 0, 2), set: headerFields, add: headerFields };
const blocks = some(oneOf('10.0.0.0/8', 'fd00::/8', '192.0.2.1/32'), 0, 2);

export const filters = {
  ClientIp: record({ kind: fc.constant('ClientIp' as const), allow: blocks, deny: blocks }),
  RequestBody: record({ kind: fc.constant('RequestBody' as const), maxBytes: fc.nat() }),
  ConcurrentRequests: record({
    kind: fc.constant('ConcurrentRequests' as const),
    most: fc.integer({ min: 1 }),
  }),
  SessionPersistence: record({
    kind: fc.constant('SessionPersistence' as const),
    source: oneOf('Cookie' as const, 'Header' as const),
    name: oneOf('flint-1', 'x-session'),
    lifetime: oneOf('Session' as const, 'Permanent' as const),
    absoluteMs: fc.nat(),
    idleMs: fc.nat(),
  }),
  Retry: record({
    kind: fc.constant('Retry' as const),
    attempts: fc.integer({ min: 1, max: 10 }),
    codes: some(fc.integer({ min: 400, max: 599 })),
    backoffMs: fc.nat(),
  }),
  RequestRedirect: record({
    kind: fc.constant('RequestRedirect' as const),
    scheme: oneOf('AsRequested' as const, 'http' as const, 'https' as const),
    hostname: hostRewrite,
    port: fc.integer({ min: 0, max: 65_535 }),
    path: pathRewrite,
    status: oneOf(301 as const, 302 as const, 303 as const, 307 as const, 308 as const),
  }),
  DirectResponse: record({
    kind: fc.constant('DirectResponse' as const),
    status: fc.integer({ min: 200, max: 599 }),
    contentType: fc.constant('text/plain'),
    body: oneOf('', 'grüß dich'),
  }),
  UrlRewrite: record({
    kind: fc.constant('UrlRewrite' as const),
    hostname: hostRewrite,
    path: pathRewrite,
  }),
  RequestHeaders: record({ kind: fc.constant('RequestHeaders' as const), ...changes }),
  ResponseHeaders: record({ kind: fc.constant('ResponseHeaders' as const), ...changes }),
} satisfies { readonly [K in Filter['kind']]: fc.Arbitrary<Filter & { kind: K }> };

const filter: fc.Arbitrary<Filter> = fc.oneof<fc.Arbitrary<Filter>[]>(...Object.values(filters));

/** Most rules have none. */
const filterList: fc.Arbitrary<Filter[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Filter[]>([]) },
  {
    weight: 1,
    arbitrary: fc
      .uniqueArray(filter, { maxLength: 4, selector: ({ kind }) => kind })
      .map((list) => list.toSorted((a, b) => filterOrder.indexOf(a.kind) - filterOrder.indexOf(b.kind))),
  },
);

export const rule: fc.Arbitrary<Rule> = record({
  ref: record({
    kind: oneOf('IngressRoute' as const, 'IngressRoute' as const, 'Ingress' as const, 'Setting' as const),
    namespace: fc.constant('x'),
    name: oneOf('p', 'q'),
    rule: oneOf('rules[0]', 'rules[1]'),
  }),
  matches: some(match, 1),
  filters: filterList,
  backends: some(fc.oneof(...Object.values(backends)), 1),
  timeouts: record({ requestMs: fc.nat(), backendRequestMs: fc.nat(), idleMs: fc.nat() }),
});

const doubtful = oneOf('Reject' as const, 'Keep' as const, 'Decode' as const);

const certificateIds = ['x/c', 'x/d'];

export const strictTransports = {
  Unsaid: fc.constant({ kind: 'Unsaid' as const }),
  Said: record({
    kind: fc.constant('Said' as const),
    maxAgeSeconds: fc.nat(),
    includeSubdomains: fc.boolean(),
    preload: fc.boolean(),
  }),
} satisfies { readonly [K in StrictTransport['kind']]: fc.Arbitrary<StrictTransport & { kind: K }> };

const authoritiesPem = oneOf('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', 'authorities');

export const clientValidations = {
  None: fc.constant({ kind: 'None' as const }),
  Asked: record({
    kind: fc.constant('Asked' as const),
    mode: oneOf('AllowValidOnly' as const, 'AllowInsecureFallback' as const),
    authorities: authoritiesPem,
  }),
} satisfies { readonly [K in ClientValidation['kind']]: fc.Arbitrary<ClientValidation & { kind: K }> };

export const virtualHost: fc.Arbitrary<VirtualHost> = record({
  pattern: fc.oneof(...Object.values(hostPatterns)),
  pathPolicy: record({ encodedSlash: doubtful, mergeSlashes: doubtful, backslash: doubtful }),
  certificates: fc.oneof(
    { weight: 2, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.subarray(certificateIds) },
  ),
  plaintext: oneOf('Serve' as const, 'Redirect' as const, 'Reject' as const),
  tlsMode: mostly('Terminate' as const, fc.constant('Passthrough' as const)),
  minTlsVersion: mostly('1.2' as const, fc.constant('1.3' as const)),
  strictTransport: fc.oneof(...Object.values(strictTransports)),
  clientValidation: mostly({ kind: 'None' as const }, fc.oneof(...Object.values(clientValidations))),
  rules: some(rule, 1, 4),
});

export const virtualHosts: fc.Arbitrary<VirtualHost[]> = fc
  .uniqueArray(virtualHost, { maxLength: 6, size: 'max', selector: (host) => hostKey(host.pattern) })
  .map((hosts) => hosts.toSorted((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern))));

export const discoveries = {
  Endpoints: fc.constant({ kind: 'Endpoints' as const }),
  Dns: record({
    kind: fc.constant('Dns' as const),
    name: domain,
    port: fc.integer({ min: 1, max: 65_535 }),
    allowed: oneOf('Public' as const, 'Any' as const),
  }),
} satisfies { readonly [K in Discovery['kind']]: fc.Arbitrary<Discovery & { kind: K }> };

export const backendAuthorities = {
  System: fc.constant({ kind: 'System' as const }),
  Pem: record({ kind: fc.constant('Pem' as const), pem: authoritiesPem }),
} satisfies { readonly [K in BackendAuthorities['kind']]: fc.Arbitrary<BackendAuthorities & { kind: K }> };

export const backendTls = {
  None: fc.constant({ kind: 'None' as const }),
  Verified: record({
    kind: fc.constant('Verified' as const),
    serverName: domain,
    authorities: fc.oneof<fc.Arbitrary<BackendAuthorities>[]>(...Object.values(backendAuthorities)),
  }),
} satisfies { readonly [K in BackendTls['kind']]: fc.Arbitrary<BackendTls & { kind: K }> };

export const healthProbes = {
  Http: record({
    kind: fc.constant('Http' as const),
    path: oneOf('/', '/healthz'),
    hostname: domain,
    statuses: some(fc.integer({ min: 100, max: 599 })),
  }),
  Tcp: fc.constant({ kind: 'Tcp' as const }),
  Grpc: record({ kind: fc.constant('Grpc' as const), service: oneOf('', 'shop.v1.Shop') }),
} satisfies { readonly [K in HealthProbe['kind']]: fc.Arbitrary<HealthProbe & { kind: K }> };

const positive = fc.integer({ min: 1 });
export const outlierEjection: fc.Arbitrary<OutlierEjection> = record({
  consecutive5xx: fc.nat(),
  connectFailures: fc.nat(),
  baseEjectionMs: positive,
  maxEjectionMs: positive,
});

export const upstreamPolicies = {
  ConsistentHash: record({
    kind: fc.constant('ConsistentHash' as const),
    source: oneOf<HashSource>('Header', 'Cookie', 'QueryParam', 'ClientAddress'),
    name,
  }),
  SlowStart: record({ kind: fc.constant('SlowStart' as const), windowMs: positive }),
  HealthCheck: record({
    kind: fc.constant('HealthCheck' as const),
    probe: fc.oneof<fc.Arbitrary<HealthProbe>[]>(...Object.values(healthProbes)),
    intervalMs: positive,
    timeoutMs: positive,
    healthyThreshold: positive,
    unhealthyThreshold: positive,
  }),
  OutlierEjection: outlierEjection.map((ejection) => ({ kind: 'OutlierEjection' as const, ...ejection })),
  CircuitBreaker: record({
    kind: fc.constant('CircuitBreaker' as const),
    connections: fc.nat(),
    pendingRequests: fc.nat(),
    activeRequests: fc.nat(),
    endpointConnections: fc.nat(),
    endpointActiveRequests: fc.nat(),
  }),
} satisfies { readonly [K in UpstreamPolicy['kind']]: fc.Arbitrary<UpstreamPolicy & { kind: K }> };

/** Most upstreams have none. */
const policyList: fc.Arbitrary<UpstreamPolicy[]> = mostly<UpstreamPolicy[]>(
  [],
  fc
    .uniqueArray(fc.oneof<fc.Arbitrary<UpstreamPolicy>[]>(...Object.values(upstreamPolicies)), {
      selector: ({ kind }) => kind,
    })
    .map((list) =>
      list.toSorted((a, b) => upstreamPolicyOrder.indexOf(a.kind) - upstreamPolicyOrder.indexOf(b.kind)),
    ),
);

export const signingKey: fc.Arbitrary<SigningKey> = record({
  id: fc.constant('session' as const),
  key: fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => new SecretText(Buffer.from(bytes).toString('base64'))),
});

const zoneNames = ['zone-a', 'zone-b'];

const zones: fc.Arbitrary<NodeZone[]> = fc
  .uniqueArray(record({ node: oneOf('node-1', 'node-2', 'node-3'), zone: oneOf(...zoneNames) }), {
    maxLength: 3,
    selector: ({ node }) => node,
  })
  .map((list) => list.toSorted((a, b) => compareText(a.node, b.node)));

const endpoints = some(
  record({
    address: oneOf('10.0.0.1', 'fd00::1'),
    port: fc.integer({ min: 1, max: 65_535 }),
    state: oneOf('Ready' as const, 'Terminating' as const),
  }),
);

/** Of every zone or of none, each with some of `length` endpoints. */
function zoneHintsFor(length: number): fc.Arbitrary<ZoneHint[]> {
  if (length === 0) return fc.constant([]);
  const indexes = Array.from({ length }, (_, index) => index);
  const hints = zoneNames.map((zone) =>
    record({ zone: fc.constant(zone), endpoints: fc.subarray(indexes, { minLength: 1 }) }),
  );
  return fc.oneof(fc.constant<ZoneHint[]>([]), fc.tuple(...hints));
}

/** What a data plane looks up itself has neither endpoints nor hints. */
const addresses = fc.oneof(
  {
    weight: 3,
    arbitrary: endpoints.chain((list) =>
      record({
        discovery: discoveries.Endpoints,
        endpoints: fc.constant(list),
        zoneHints: zoneHintsFor(list.length),
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: record({
      discovery: discoveries.Dns,
      endpoints: fc.constant([]),
      zoneHints: fc.constant([]),
    }),
  },
);

const upstreams: fc.Arbitrary<Upstream[]> = fc.tuple(
  ...upstreamIds.map((id) =>
    fc
      .tuple(
        addresses,
        record({
          loadBalancing: oneOf('RoundRobin' as const, 'LeastRequests' as const),
          protocol: mostly('HTTP/1.1' as const, fc.constant('HTTP/2' as const)),
          tls: mostly<BackendTls>({ kind: 'None' }, fc.oneof(...Object.values(backendTls))),
          policies: policyList,
        }),
      )
      .map(([rest, terms]): Upstream => ({ id, ...terms, ...rest })),
  ),
);

const hexDigit = oneOf(...Array.from('0123456789abcdef'));

export const certificate: fc.Arbitrary<Certificate> = record({
  id: oneOf(...certificateIds),
  chain: oneOf('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', 'chain'),
  key: oneOf('-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n', 'key "1"').map(
    (text) => new SecretText(text),
  ),
  dnsNames: some(domain, 1, 2),
  notAfter: oneOf('2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z'),
  fingerprint: fc.array(hexDigit, { minLength: 64, maxLength: 64 }).map((digits) => digits.join('')),
});

const certificates: fc.Arbitrary<Certificate[]> = fc.tuple(
  ...certificateIds.map((id) => certificate.map((each) => ({ ...each, id }))),
);

export const fallbacks = {
  NotFound: fc.constant({ kind: 'NotFound' as const }),
  Rule: record({ kind: fc.constant('Rule' as const), rule }),
} satisfies { readonly [K in Fallback['kind']]: fc.Arbitrary<Fallback & { kind: K }> };

export const defaultCertificates = {
  None: fc.constant({ kind: 'None' as const }),
  Certificate: record({ kind: fc.constant('Certificate' as const), certificate: oneOf(...certificateIds) }),
} satisfies { readonly [K in DefaultCertificate['kind']]: fc.Arbitrary<DefaultCertificate & { kind: K }> };

const anyModel: fc.Arbitrary<RouteModel> = record({
  settings: record({
    connectTimeoutMs: fc.nat(),
    upstreamIdleTimeoutMs: fc.nat(),
    clientIdleTimeoutMs: fc.nat(),
    headTimeoutMs: fc.nat(),
    attempts: fc.integer({ min: 1, max: 16 }),
    fallback: fc.oneof<fc.Arbitrary<Fallback>[]>(...Object.values(fallbacks)),
    defaultCertificate: fc.oneof<fc.Arbitrary<DefaultCertificate>[]>(...Object.values(defaultCertificates)),
    outlierEjection,
  }),
  zones,
  hosts: virtualHosts,
  upstreams,
  certificates,
  keys: fc.array(signingKey, { minLength: 1, maxLength: 1 }),
});

/** Where no rule has sessions, every other one has no key. */
export const routeModel: fc.Arbitrary<RouteModel> = fc
  .tuple(anyModel, fc.boolean())
  .map(([model, isBare]) => (isBare && !rulesOf(model).some(hasSessions) ? { ...model, keys: [] } : model));

function rulesOf({ settings: { fallback }, hosts: all }: RouteModel): readonly Rule[] {
  return [...all.flatMap(({ rules }) => rules), ...(fallback.kind === 'Rule' ? [fallback.rule] : [])];
}
