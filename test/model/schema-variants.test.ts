// Every variant of every union, and every record of a model: a generated value passes the schema of its chunk, and
// the same value with a field dropped, misspelt, null or of another type does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ChunkKind } from '#model/bundle.ts';
import { chunkValidators } from '#model/route-model-schema.ts';
import {
  backends,
  filters,
  hostPatterns,
  hostRewrites,
  methodMatches,
  namedMatches,
  pathMatches,
  pathRewrites,
  routeModel,
} from './arbitrary-model.ts';

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
  { pattern: { kind: 'AnyHost' }, pathPolicy, rules: [], ...fields },
];
const inRule = (fields: Fields): unknown =>
  inHost({ rules: [{ ref, matches: [], filters: [], backends: [], timeouts, ...fields }] });
const inMatch = (fields: Fields): unknown => inRule({ matches: [{ ...anyMatch, ...fields }] });
const inRewrite = (fields: Fields): unknown =>
  inRule({
    filters: [{ kind: 'UrlRewrite', hostname: { kind: 'SameHost' }, path: { kind: 'SamePath' }, ...fields }],
  });
const inUpstream = (fields: Fields): unknown => [
  { id: 'x/s:80', loadBalancing: 'RoundRobin', endpoints: [], ...fields },
];

const unions: readonly (readonly [string, Readonly<Record<string, fc.Arbitrary<object>>>, Frame])[] = [
  ['HostPattern', hostPatterns, (pattern) => inHost({ pattern })],
  ['PathMatch', pathMatches, (path) => inMatch({ path })],
  ['MethodMatch', methodMatches, (method) => inMatch({ method })],
  ['header NamedMatch', namedMatches, (header) => inMatch({ headers: [header] })],
  ['query NamedMatch', namedMatches, (param) => inMatch({ queryParams: [param] })],
  ['Backend', backends, (backend) => inRule({ backends: [backend] })],
  ['Filter', filters, (filter) => inRule({ filters: [filter] })],
  ['HostRewrite', hostRewrites, (hostname) => inRewrite({ hostname })],
  ['PathRewrite', pathRewrites, (path) => inRewrite({ path })],
];

function assertFits(kind: ChunkKind, content: unknown): void {
  const validate = chunkValidators.get(2)!.get(kind)!;
  assert.ok(validate(content), JSON.stringify([content, validate.errors]));
}

function assertUnfit(kind: ChunkKind, content: unknown): void {
  assert.ok(!chunkValidators.get(2)!.get(kind)!(content), JSON.stringify(content));
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
      .map((other) => ({ ...rest, [key]: other })),
  ];
}

for (const [union, variants, frame] of unions)
  for (const [kind, variant] of Object.entries(variants))
    test(`${union} ${kind}`, () => {
      fc.assert(
        fc.property(variant, (value) => {
          assertFits('hosts', frame(value));
          assertFits('hosts', frame({ ...value, ofANewerWriter: [1] }));
          for (const key of Object.keys(value))
            for (const other of spoilt(value, key)) assertUnfit('hosts', frame(other));
        }),
        { numRuns: 20 },
      );
    });

test('a variant does not take the fields of its sibling for its own', () => {
  assertUnfit('hosts', inHost({ pattern: { kind: 'Exact', suffix: 'test', depth: 'AnyDepth' } }));
  assertUnfit('hosts', inHost({ pattern: { kind: 'Wildcard', name: 'test' } }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Upstream', status: 503, weight: 1 }] }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Unresolved', upstream: 'x/s:80', weight: 1 }] }));
});

test('words are of their lists', () => {
  for (const word of ['', 'reject', 'Rejected', 'Keep '])
    for (const key of Object.keys(pathPolicy))
      assertUnfit('hosts', inHost({ pathPolicy: { ...pathPolicy, [key]: word } }));
  assertUnfit('hosts', inHost({ pattern: { kind: 'Wildcard', suffix: 'test', depth: 'TwoLabels' } }));
  assertUnfit('hosts', inRule({ backends: [{ kind: 'Unresolved', status: 404, weight: 1 }] }));
  assertUnfit('hosts', inMatch({ path: { kind: 'PathPrefix', value: '' } }));
  assertUnfit('upstreams', inUpstream({ loadBalancing: 'Random' }));
  for (const endpoint of [
    { address: '', port: 1, state: 'Ready' },
    { address: 'a', port: 0, state: 'Ready' },
    { address: 'a', port: 65_536, state: 'Ready' },
    { address: 'a', port: 1, state: 'Serving' },
  ])
    assertUnfit('upstreams', inUpstream({ endpoints: [endpoint] }));
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

test('no field of any record of any model may be missing, misspelt or null', () => {
  fc.assert(
    fc.property(routeModel, ({ settings, hosts, upstreams }) => {
      for (const [kind, content] of Object.entries({ settings, hosts, upstreams })) {
        assertFits(kind as ChunkKind, content);
        for (const { value, replaced } of recordsIn(content, (each) => each))
          for (const key of Object.keys(value)) {
            const { [key]: field, ...rest } = value;
            assertUnfit(kind as ChunkKind, replaced(rest));
            assertUnfit(kind as ChunkKind, replaced({ ...rest, [`${key}s`]: field }));
            assertUnfit(kind as ChunkKind, replaced({ ...rest, [key]: null }));
          }
      }
    }),
    { numRuns: 30 },
  );
});
