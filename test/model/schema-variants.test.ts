// Every variant of every union, and every record of a model, in each schema that has it: a generated value passes the
// schema of its chunk, and the same value with a field dropped, misspelt, null or of another type does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ChunkKind } from '#model/chunk.ts';
import { plainBackend, plainTls } from '#model/plain-terms.ts';
import { chunkValidators, newestSchema, schemaNumbers } from '#model/route-model-schema.ts';
import {
  backendAuthorities,
  backends,
  backendTls,
  certificate,
  clientValidations,
  defaultCertificates,
  discoveries,
  fallbacks,
  filters,
  healthProbes,
  hostPatterns,
  hostRewrites,
  methodMatches,
  namedMatches,
  pathMatches,
  pathRewrites,
  routeModel,
  signingKey,
  strictTransports,
  upstreamPolicies,
} from './arbitrary-model.ts';
import { asWritten } from './as-written.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A chunk's content with `value` at the one place that a variant may stand at. */
type Frame = (value: unknown) => unknown;

const timeouts = { requestMs: 0, backendRequestMs: 0, idleMs: 0 };
const ref = { kind: 'IngressRoute', namespace: 'x', name: 'p', rule: 'rules[0]' };
const pathPolicy = { encodedSlash: 'Reject', mergeSlashes: 'Keep', backslash: 'Decode' };
const anyMatch = {
  path: { kind: 'PathPrefix', value: '/' },
  method: { kind: 'AnyMethod' },
  headers: [],
  queryParams: [],
};

const inHost = (fields: Fields): unknown => [
  {
    pattern: { kind: 'AnyHost' },
    pathPolicy,
    certificates: [],
    plaintext: 'Serve',
    ...plainTls,
    rules: [],
    ...fields,
  },
];
const inRule = (fields: Fields): unknown =>
  inHost({ rules: [{ ref, matches: [], filters: [], backends: [], timeouts, ...fields }] });
const inMatch = (fields: Fields): unknown => inRule({ matches: [{ ...anyMatch, ...fields }] });
const inRewrite = (fields: Fields): unknown =>
  inRule({
    filters: [{ kind: 'UrlRewrite', hostname: { kind: 'SameHost' }, path: { kind: 'SamePath' }, ...fields }],
  });
const inUpstream = (fields: Fields): unknown => [
  {
    id: 'x/s:80',
    loadBalancing: 'RoundRobin',
    ...plainBackend,
    discovery: { kind: 'Endpoints' },
    endpoints: [],
    zoneHints: [],
    ...fields,
  },
];
const ejection = { consecutive5xx: 0, connectFailures: 3, baseEjectionMs: 1, maxEjectionMs: 2 };
const inSettings = (fields: Fields): unknown => ({
  connectTimeoutMs: 0,
  upstreamIdleTimeoutMs: 0,
  clientIdleTimeoutMs: 0,
  headTimeoutMs: 0,
  attempts: 1,
  fallback: { kind: 'NotFound' },
  defaultCertificate: { kind: 'None' },
  outlierEjection: ejection,
  ...fields,
});

interface Union {
  readonly name: string;
  /** The first schema that has it. */
  readonly since: number;
  readonly kind: ChunkKind;
  readonly variants: Readonly<Record<string, fc.Arbitrary<object>>>;
  readonly frame: Frame;
}

function union(
  name: string,
  since: number,
  kind: ChunkKind,
  variants: Union['variants'],
  frame: Frame,
): Union {
  return { name, since, kind, variants, frame };
}

const { Fallback, ...olderBackends } = backends;
const { ConcurrentRequests, SessionPersistence, Retry, ...olderFilters } = filters;
const laterFilters = { ConcurrentRequests, SessionPersistence, Retry };
const olderFallbacks = {
  NotFound: fallbacks.NotFound,
  Rule: fallbacks.Rule.map(({ kind, rule }) => ({
    kind,
    rule: {
      ...rule,
      filters: rule.filters.filter((filter) => Object.hasOwn(olderFilters, filter.kind)),
      backends: rule.backends.filter((backend) => Object.hasOwn(olderBackends, backend.kind)),
    },
  })),
};
const healthCheck = {
  kind: 'HealthCheck',
  intervalMs: 2,
  timeoutMs: 1,
  healthyThreshold: 1,
  unhealthyThreshold: 1,
};

const unions: readonly Union[] = [
  union('HostPattern', 1, 'hosts', hostPatterns, (pattern) => inHost({ pattern })),
  union('PathMatch', 1, 'hosts', pathMatches, (path) => inMatch({ path })),
  union('MethodMatch', 1, 'hosts', methodMatches, (method) => inMatch({ method })),
  union('header NamedMatch', 1, 'hosts', namedMatches, (header) => inMatch({ headers: [header] })),
  union('query NamedMatch', 1, 'hosts', namedMatches, (param) => inMatch({ queryParams: [param] })),
  union('Backend', 1, 'hosts', olderBackends, (backend) => inRule({ backends: [backend] })),
  union('Filter', 2, 'hosts', olderFilters, (filter) => inRule({ filters: [filter] })),
  union('HostRewrite', 2, 'hosts', hostRewrites, (hostname) => inRewrite({ hostname })),
  union('PathRewrite', 2, 'hosts', pathRewrites, (path) => inRewrite({ path })),
  union('Discovery', 3, 'upstreams', discoveries, (discovery) => inUpstream({ discovery })),
  union('Fallback', 3, 'settings', olderFallbacks, (fallback) => inSettings({ fallback })),
  union('StrictTransport', 4, 'hosts', strictTransports, (strictTransport) => inHost({ strictTransport })),
  union('ClientValidation', 4, 'hosts', clientValidations, (clientValidation) =>
    inHost({ clientValidation }),
  ),
  union('BackendTls', 4, 'upstreams', backendTls, (tls) => inUpstream({ tls })),
  union('BackendAuthorities', 4, 'upstreams', backendAuthorities, (authorities) =>
    inUpstream({ tls: { kind: 'Verified', serverName: 'test', authorities } }),
  ),
  union('DefaultCertificate', 4, 'settings', defaultCertificates, (defaultCertificate) =>
    inSettings({ defaultCertificate }),
  ),
  union('later Backend', 5, 'hosts', { Fallback }, (backend) => inRule({ backends: [backend] })),
  union('later Filter', 5, 'hosts', laterFilters, (filter) => inRule({ filters: [filter] })),
  union('later Fallback', 5, 'settings', { Rule: fallbacks.Rule }, (fallback) => inSettings({ fallback })),
  union('UpstreamPolicy', 5, 'upstreams', upstreamPolicies, (policy) => inUpstream({ policies: [policy] })),
  union('HealthProbe', 5, 'upstreams', healthProbes, (probe) =>
    inUpstream({ policies: [{ ...healthCheck, probe }] }),
  ),
];

function assertFits(kind: ChunkKind, content: unknown, schema = newestSchema): void {
  const validate = chunkValidators.get(schema)!.get(kind)!;
  assert.ok(validate(content), JSON.stringify([content, validate.errors]));
}

function assertUnfit(kind: ChunkKind, content: unknown, schema = newestSchema): void {
  assert.ok(!chunkValidators.get(schema)!.get(kind)!(content), JSON.stringify(content));
}

/** The same fields without `key`, with its name misspelt, and with other values in its place. */
function spoilt(value: object, key: string): readonly Fields[] {
  const { [key]: field, ...rest } = value as Fields;
  const others = [null, {}, true, -1, 0.5, `${String(field)}x`, ...(Array.isArray(field) ? [] : [[]])];
  return [
    rest,
    { ...rest, [`${key}x`]: field },
    { ...rest, [key.toUpperCase()]: field },
    // Any text is a text, any whole number a number: only another type is wrong there.
    ...others
      .filter((other) => !(typeof other === 'string' && typeof field === 'string' && key !== 'kind'))
      .filter((other) => !(typeof other === 'boolean' && typeof field === 'boolean'))
      .map((other) => ({ ...rest, [key]: other })),
  ];
}

for (const { name, since, kind: chunkKind, variants, frame } of unions)
  for (const [kind, variant] of Object.entries(variants))
    for (const schema of schemaNumbers.filter((number) => number >= since))
      test(`${name} ${kind} in schema ${schema}`, () => {
        fc.assert(
          fc.property(variant, (value) => {
            assertFits(chunkKind, frame(value), schema);
            assertFits(chunkKind, frame({ ...value, ofANewerWriter: [1] }), schema);
            for (const key of Object.keys(value))
              for (const other of spoilt(value, key)) assertUnfit(chunkKind, frame(other), schema);
          }),
          { numRuns: 20 },
        );
      });

test('a certificate', () => {
  fc.assert(
    fc.property(certificate, ({ key, ...rest }) => {
      const value = { ...rest, key: key.reveal() };
      assertFits('certificates', [value]);
      assertFits('certificates', [{ ...value, ofANewerWriter: [1] }]);
      for (const field of Object.keys(value))
        for (const other of spoilt(value, field)) assertUnfit('certificates', [other]);
    }),
    { numRuns: 20 },
  );
});

test('a key', () => {
  fc.assert(
    fc.property(signingKey, ({ id, key }) => {
      const value = { id, key: key.reveal() };
      assertFits('keys', [value]);
      assertFits('keys', [{ ...value, ofANewerWriter: [1] }]);
      for (const field of Object.keys(value))
        for (const other of spoilt(value, field)) assertUnfit('keys', [other]);
      for (const text of [
        '',
        value.key.slice(1),
        `A${value.key}`,
        value.key.replace('=', 'A'),
        `${value.key}\n`,
      ])
        assertUnfit('keys', [{ id, key: text }]);
      assertUnfit('keys', [{ ...value, id: 'Session' }]);
    }),
    { numRuns: 20 },
  );
});

test('what came with schema 5 is unknown to those before', () => {
  for (const [kind, variant] of Object.entries({ ...laterFilters, Fallback }))
    fc.assert(
      fc.property(variant as fc.Arbitrary<object>, (value) => {
        const content = inRule(kind === 'Fallback' ? { backends: [value] } : { filters: [value] });
        // Schema 1 has no filters at all: whatever stands there is not looked at.
        for (const schema of kind === 'Fallback' ? [1, 2, 3, 4] : [2, 3, 4])
          assertUnfit('hosts', content, schema);
      }),
      { numRuns: 5 },
    );
});

test('what a schema does not have is unknown to it: kinds of chunks, and writers of rules', () => {
  for (const schema of [1, 2])
    assert.deepEqual([...chunkValidators.get(schema)!.keys()].sort(), ['hosts', 'settings', 'upstreams']);
  for (const kind of ['Ingress', 'Setting']) {
    const content = inRule({ ref: { ...ref, kind } });
    for (const schema of [1, 2]) assertUnfit('hosts', content, schema);
    assertFits('hosts', content);
  }
  assertUnfit('hosts', inRule({ ref: { ...ref, kind: 'HTTPRoute' } }));
});

test('a variant does not take the fields of its sibling for its own', () => {
  assertUnfit('hosts', inHost({ pattern: { kind: 'Exact', suffix: 'test', depth: 'AnyDepth' } }));
  assertUnfit('hosts', inHost({ pattern: { kind: 'Wildcard', name: 'test' } }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Upstream', status: 503, weight: 1 }] }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Unresolved', upstream: 'x/s:80', weight: 1 }] }));
  assertUnfit('settings', inSettings({ fallback: { kind: 'Rule' } }));
  assertUnfit('upstreams', inUpstream({ discovery: { kind: 'Dns' } }));
});

test('words are of their lists', () => {
  for (const word of ['', 'reject', 'Rejected', 'Keep '])
    for (const key of Object.keys(pathPolicy))
      assertUnfit('hosts', inHost({ pathPolicy: { ...pathPolicy, [key]: word } }));
  assertUnfit('hosts', inHost({ pattern: { kind: 'Wildcard', suffix: 'test', depth: 'TwoLabels' } }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Unresolved', status: 404, weight: 1 }] }));
  assertUnfit('hosts', inMatch({ path: { kind: 'PathPrefix', value: '' } }));
  assertUnfit('hosts', inHost({ tlsMode: 'passthrough' }));
  for (const minTlsVersion of ['1.1', '1.20', 1.2]) assertUnfit('hosts', inHost({ minTlsVersion }));
  assertUnfit('hosts', inHost({ clientValidation: { kind: 'Asked', mode: 'Allow', authorities: '' } }));
  assertUnfit('upstreams', inUpstream({ protocol: 'HTTP/3' }));
  assertUnfit(
    'upstreams',
    inUpstream({ tls: { kind: 'Verified', serverName: '', authorities: { kind: 'System' } } }),
  );
  assertUnfit('upstreams', inUpstream({ loadBalancing: 'Random' }));
  const probing = (probe: Fields): unknown => inUpstream({ policies: [{ ...healthCheck, probe }] });
  const http = { kind: 'Http', path: '/', hostname: 'test', statuses: [] };
  assertFits('upstreams', probing(http));
  for (const path of ['', 'a', '/ ', '/\r\nX: y', '/\u00fc'])
    assertUnfit('upstreams', probing({ ...http, path }));
  for (const hostname of ['', 'a b', 'a\r\n', 'a/b'])
    assertUnfit('upstreams', probing({ ...http, hostname }));
  for (const status of [99, 600, '200']) assertUnfit('upstreams', probing({ ...http, statuses: [status] }));
  assertUnfit('upstreams', probing({ kind: 'Grpc', service: 'a b' }));
  const session = { kind: 'SessionPersistence', source: 'Cookie', name: 's', absoluteMs: 0, idleMs: 0 };
  for (const name of ['', 'a b', 'a=', 'a;', 'a\r\n'])
    assertUnfit('hosts', inRule({ filters: [{ ...session, lifetime: 'Session', name }] }));
  assertUnfit('hosts', inRule({ filters: [{ ...session, lifetime: 'Forever' }] }));
  for (const code of [399, 600, 0])
    assertUnfit('hosts', inRule({ filters: [{ kind: 'Retry', attempts: 1, codes: [code], backoffMs: 0 }] }));
  for (const endpoint of [
    { address: '', port: 1, state: 'Ready' },
    { address: 'a', port: 0, state: 'Ready' },
    { address: 'a', port: 65_536, state: 'Ready' },
    { address: 'a', port: 1, state: 'Serving' },
  ])
    assertUnfit('upstreams', inUpstream({ endpoints: [endpoint] }), 2);
  for (const endpoint of ['10.0.0.1:80', '[fd00::1]:65535 Terminating'])
    assertFits('upstreams', inUpstream({ endpoints: [endpoint] }));
  for (const endpoint of [
    '',
    'a',
    'a:',
    ':1',
    '[]:1',
    'fd00::1:1',
    'a:1 Serving',
    'a:1 terminating',
    'a:1  Terminating',
    'a:1\n',
    'a b:1',
    'a:-1',
    'a:000001',
    { address: 'a', port: 1, state: 'Ready' },
  ])
    assertUnfit('upstreams', inUpstream({ endpoints: [endpoint] }));
  const dns = { kind: 'Dns', name: 'backend.example.net', port: 443, allowed: 'Any' };
  assertFits('upstreams', inUpstream({ discovery: dns }));
  for (const wrong of [
    { name: '' },
    { name: 'a b' },
    { name: 'a/b' },
    { name: 'a'.repeat(254) },
    { port: 0 },
    { port: 65_536 },
    { allowed: 'Private' },
  ])
    assertUnfit('upstreams', inUpstream({ discovery: { ...dns, ...wrong } }));
  for (const hint of [
    { zone: 'zone-a', endpoints: [-1] },
    { zone: 'zone-a', endpoints: ['0'] },
  ])
    assertUnfit('upstreams', inUpstream({ zoneHints: [hint] }));
});

interface Place {
  readonly value: Fields;
  /** The whole content with another value at this place. */
  readonly replaced: (value: unknown) => unknown;
}

/** Every record inside `content`, the innermost too. */
function* recordsIn(content: unknown, rebuild: (value: unknown) => unknown): Generator<Place> {
  if (typeof content !== 'object' || content === null) return;
  if (Array.isArray(content)) {
    for (const [index, each] of content.entries())
      yield* recordsIn(each, (value) => rebuild(content.with(index, value)));
    return;
  }
  yield { value: content as Fields, replaced: rebuild };
  for (const [key, field] of Object.entries(content))
    yield* recordsIn(field, (value) => rebuild({ ...content, [key]: value }));
}

for (const schema of schemaNumbers)
  test(`no field of any record of any model of schema ${schema} may be missing, misspelt or null`, () => {
    fc.assert(
      fc.property(routeModel, (model) => {
        for (const [kind, content] of Object.entries(asWritten(model, schema))) {
          assertFits(kind as ChunkKind, content, schema);
          for (const { value, replaced } of recordsIn(content, (each) => each))
            for (const key of Object.keys(value)) {
              const { [key]: field, ...rest } = value;
              for (const other of [rest, { ...rest, [`${key}s`]: field }, { ...rest, [key]: null }])
                assertUnfit(kind as ChunkKind, replaced(other), schema);
            }
        }
      }),
      { numRuns: 30 },
    );
  });
