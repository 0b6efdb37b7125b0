// Generates filters and policies of rules; each list by itself is sound, together they are as rules must have them.
import * as fc from 'fast-check';
import { upstreamPolicy } from './arbitrary-policies.ts';

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true, requiredKeys: [] });

const names = oneOf('X-A', 'x-b', 'Accept', 'Vary');
const values = fc.uniqueArray(
  fc.record({ name: names, value: oneOf('1', 'a b') }, { noNullPrototype: true }),
  { maxLength: 3, selector: ({ name }) => name },
);
const modifier = record({
  remove: fc.uniqueArray(oneOf('X-A', 'x-a', 'X-C'), { maxLength: 3 }),
  set: values,
  add: values,
});

const paths = oneOf('/', '/x', '/x/', '/%61/b', '/a/%2e%2e/c');
const fullPath = paths.map((path) => ({ type: 'ReplaceFullPath', replaceFullPath: path }));
const prefixPath = paths.map((path) => ({ type: 'ReplacePrefixMatch', replacePrefixMatch: path }));

const blocks = fc.uniqueArray(oneOf('10.0.0.0/8', '10.1.0.0/16', 'fd00::/8', '192.0.2.1/32'), {
  maxLength: 3,
});

/** Of a route or of a rule; most ask for nothing. */
export const requestPolicy = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: record({
      requestBody: fc.record({ maxSize: oneOf('0', '1', '500k', '10Mi') }, { noNullPrototype: true }),
      clientIP: record({ allow: blocks, deny: blocks }),
      maxConcurrentRequests: oneOf(1, 100),
    }),
  },
  { weight: 1, arbitrary: record(upstreamPolicy) },
);

interface Match {
  readonly path?: { readonly type?: string; readonly value?: string };
}

export interface PlainRule {
  readonly matches?: readonly Match[];
  readonly backendRefs: readonly object[];
}

function hasOnePrefix(matches: readonly Match[]): boolean {
  return matches.length <= 1 && matches.every((match) => (match.path?.type ?? 'PathPrefix') === 'PathPrefix');
}

interface Filter {
  readonly type: string;
  readonly [field: string]: object | string;
}

/** The same rule with filters that go with its matches; where one of them answers, without its backends. */
export function withFilters(rule: PlainRule): fc.Arbitrary<object> {
  const path = hasOnePrefix(rule.matches ?? []) ? fc.oneof(fullPath, prefixPath) : fullPath;
  const redirect = record({
    scheme: oneOf('http', 'https'),
    hostname: oneOf('other.test'),
    port: oneOf(80, 8443),
    path,
    statusCode: oneOf(301, 307),
  }).map((requestRedirect): Filter => ({ type: 'RequestRedirect', requestRedirect }));
  const direct = fc
    .record(
      { statusCode: oneOf(200, 503), contentType: oneOf('text/html'), body: oneOf('', 'grüß dich') },
      { noNullPrototype: true, requiredKeys: ['statusCode'] },
    )
    .map((directResponse): Filter => ({ type: 'DirectResponse', directResponse }));
  const rewrite = record({ hostname: oneOf('other.test'), path }).map((urlRewrite): Filter => ({
    type: 'URLRewrite',
    urlRewrite,
  }));
  const requestHeaders = modifier.map((requestHeaderModifier): Filter => ({
    type: 'RequestHeaderModifier',
    requestHeaderModifier,
  }));
  const responseHeaders = modifier.map((responseHeaderModifier): Filter => ({
    type: 'ResponseHeaderModifier',
    responseHeaderModifier,
  }));
  return fc
    .tuple(fc.oneof(redirect, direct, rewrite), requestHeaders, responseHeaders)
    .chain((all) => fc.shuffledSubarray(all))
    .map((filters) => {
      const { backendRefs, ...rest } = rule;
      const answers = filters.some(({ type }) => type === 'RequestRedirect' || type === 'DirectResponse');
      return answers ? { ...rest, filters } : { ...rest, backendRefs, filters };
    });
}
