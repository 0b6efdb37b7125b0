// Generates models of every variant, small and overlapping: few hosts, few path segments, few names and values.
import * as fc from 'fast-check';
import { compareText } from '#model/bundle.ts';
import { hostKey } from '#model/route-model.ts';
import type {
  Backend,
  HostPattern,
  Match,
  MethodMatch,
  NamedMatch,
  PathMatch,
  RouteModel,
  Rule,
  Upstream,
  VirtualHost,
} from '#model/route-model.ts';

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(fields, { noNullPrototype: true });
const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const some = <T>(each: fc.Arbitrary<T>, minLength = 0, maxLength = 3): fc.Arbitrary<T[]> =>
  fc.array(each, { minLength, maxLength, size: 'max' });

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
  Unresolved: record({
    kind: fc.constant('Unresolved' as const),
    status: oneOf(500 as const, 503 as const),
    weight,
  }),
} satisfies { readonly [K in Backend['kind']]: fc.Arbitrary<Backend & { kind: K }> };

const rule: fc.Arbitrary<Rule> = record({
  ref: record({
    kind: fc.constant('IngressRoute' as const),
    namespace: fc.constant('x'),
    name: oneOf('p', 'q'),
    rule: oneOf('rules[0]', 'rules[1]'),
  }),
  matches: some(match, 1),
  backends: some(fc.oneof(...Object.values(backends)), 1),
  timeouts: record({ requestMs: fc.nat(), backendRequestMs: fc.nat(), idleMs: fc.nat() }),
});

const doubtful = oneOf('Reject' as const, 'Keep' as const, 'Decode' as const);

export const virtualHost: fc.Arbitrary<VirtualHost> = record({
  pattern: fc.oneof(...Object.values(hostPatterns)),
  pathPolicy: record({ encodedSlash: doubtful, mergeSlashes: doubtful, backslash: doubtful }),
  rules: some(rule, 1, 4),
});

export const virtualHosts: fc.Arbitrary<VirtualHost[]> = fc
  .uniqueArray(virtualHost, { maxLength: 6, size: 'max', selector: (host) => hostKey(host.pattern) })
  .map((hosts) => hosts.toSorted((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern))));

const upstreams: fc.Arbitrary<Upstream[]> = fc.tuple(
  ...upstreamIds.map((id) =>
    record({
      id: fc.constant(id),
      loadBalancing: oneOf('RoundRobin' as const, 'LeastRequests' as const),
      endpoints: some(
        record({
          address: oneOf('10.0.0.1', 'fd00::1'),
          port: fc.integer({ min: 1, max: 65_535 }),
          state: oneOf('Ready' as const, 'Terminating' as const),
        }),
      ),
    }),
  ),
);

export const routeModel: fc.Arbitrary<RouteModel> = record({
  schema: fc.constant(1 as const),
  settings: record({
    connectTimeoutMs: fc.nat(),
    upstreamIdleTimeoutMs: fc.nat(),
    clientIdleTimeoutMs: fc.nat(),
    headTimeoutMs: fc.nat(),
    attempts: fc.integer({ min: 1, max: 16 }),
  }),
  hosts: virtualHosts,
  upstreams,
});
