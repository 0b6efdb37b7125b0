// A host as a short text for shared memory: a third of its JSON.
//
// Most hosts differ in a few names only. What they have in common are the names of fields and words, which here are
// places in lists, and letters.
import type { Filter } from '#model/filters.ts';
import { plainTls } from '#model/plain-terms.ts';
import type {
  Backend,
  ClientValidation,
  DoubtfulPath,
  HostPattern,
  Match,
  MethodMatch,
  NamedMatch,
  PathMatch,
  Plaintext,
  Rule,
  RuleRef,
  StrictTransport,
  VirtualHost,
} from '#model/route-model.ts';

/** `policies`: a letter for each word of the path policy, for what plain HTTP gets, the mode of TLS and its lowest version. */
type Short = readonly [
  policies: string,
  certificates: readonly string[],
  rules: readonly ShortRule[],
  /** Absent where a host says neither, as most do. */
  said?: readonly [StrictTransport, ClientValidation],
];

type ShortRule = readonly [
  kind: RuleRef['kind'],
  namespace: string,
  name: string,
  rule: string,
  requestMs: number,
  backendRequestMs: number,
  idleMs: number,
  matches: readonly ShortMatch[],
  filters: readonly Filter[],
  /** Upstream (a fallback's behind a `|`) or status of one that is unresolved, and weight, in turn. */
  backends: readonly (string | number)[],
];

type ShortMatch = readonly [
  kind: PathMatch['kind'],
  value: string,
  /** Empty for any. */
  method: readonly string[],
  headers: readonly NamedMatch[],
  queryParams: readonly NamedMatch[],
];

const doubtful: Readonly<Record<string, DoubtfulPath>> = { R: 'Reject', K: 'Keep', D: 'Decode' };

const plaintextLetters: Readonly<Record<Plaintext, string>> = { Serve: 's', Redirect: 'r', Reject: 'x' };
const plaintextWords: Readonly<Record<string, Plaintext>> = { s: 'Serve', r: 'Redirect', x: 'Reject' };

/** Without the pattern, which the key says. */
export function writeHost(host: VirtualHost): string {
  const { encodedSlash, mergeSlashes, backslash } = host.pathPolicy;
  const tls = `${host.tlsMode === 'Passthrough' ? 'p' : 't'}${host.minTlsVersion === '1.3' ? '3' : '2'}`;
  const policies = `${encodedSlash[0]}${mergeSlashes[0]}${backslash[0]}${plaintextLetters[host.plaintext]}${tls}`;
  const { strictTransport, clientValidation } = host;
  const saysMore = strictTransport.kind !== 'Unsaid' || clientValidation.kind !== 'None';
  const rules = host.rules.map(shortRule);
  const short: Short = saysMore
    ? [policies, host.certificates, rules, [strictTransport, clientValidation]]
    : [policies, host.certificates, rules];
  return JSON.stringify(short);
}

/** `key` is the hostKey of its pattern. */
export function readHost(key: string, text: string): VirtualHost {
  const [policies, certificates, rules, said] = JSON.parse(text) as Short;
  const [encodedSlash = '', mergeSlashes = '', backslash = '', plaintext = '', mode, version] = policies;
  return {
    pattern: patternOf(key),
    pathPolicy: {
      encodedSlash: doubtful[encodedSlash] ?? 'Reject',
      mergeSlashes: doubtful[mergeSlashes] ?? 'Reject',
      backslash: doubtful[backslash] ?? 'Reject',
    },
    certificates,
    plaintext: plaintextWords[plaintext] ?? 'Reject',
    tlsMode: mode === 'p' ? 'Passthrough' : 'Terminate',
    minTlsVersion: version === '3' ? '1.3' : '1.2',
    strictTransport: said?.[0] ?? plainTls.strictTransport,
    clientValidation: said?.[1] ?? plainTls.clientValidation,
    rules: rules.map(longRule),
  };
}

function patternOf(key: string): HostPattern {
  if (key === '*') return { kind: 'AnyHost' };
  if (key.startsWith('*.')) return { kind: 'Wildcard', suffix: key.slice(2), depth: 'AnyDepth' };
  if (key.startsWith('+.')) return { kind: 'Wildcard', suffix: key.slice(2), depth: 'OneLabel' };
  return { kind: 'Exact', name: key };
}

function shortRule({ ref, matches, filters, backends, timeouts }: Rule): ShortRule {
  const { requestMs, backendRequestMs, idleMs } = timeouts;
  return [
    ref.kind,
    ref.namespace,
    ref.name,
    ref.rule,
    requestMs,
    backendRequestMs,
    idleMs,
    matches.map(shortMatch),
    filters,
    backends.flatMap((backend) => [shortTarget(backend), backend.weight]),
  ];
}

function longRule(short: ShortRule): Rule {
  const [kind, namespace, name, rule, requestMs, backendRequestMs, idleMs, matches, filters, backends] =
    short;
  return {
    ref: { kind, namespace, name, rule },
    matches: matches.map(longMatch),
    filters,
    backends: longBackends(backends),
    timeouts: { requestMs, backendRequestMs, idleMs },
  };
}

function shortMatch({ path, method, headers, queryParams }: Match): ShortMatch {
  return [path.kind, path.value, method.kind === 'Method' ? [method.method] : [], headers, queryParams];
}

function longMatch([kind, value, [name], headers, queryParams]: ShortMatch): Match {
  const method: MethodMatch = name === undefined ? { kind: 'AnyMethod' } : { kind: 'Method', method: name };
  return { path: { kind, value }, method, headers, queryParams };
}

/** No namespace begins with it. */
const fallbackMark = '|';

function shortTarget(backend: Backend): string | number {
  switch (backend.kind) {
    case 'Upstream':
      return backend.upstream;
    case 'Fallback':
      return `${fallbackMark}${backend.upstream}`;
    case 'Unresolved':
      return backend.status;
  }
}

function longBackend(target: string | number, weight: number): Backend {
  if (typeof target === 'number') return { kind: 'Unresolved', status: target as 500 | 503, weight };
  return target.startsWith(fallbackMark)
    ? { kind: 'Fallback', upstream: target.slice(fallbackMark.length), weight }
    : { kind: 'Upstream', upstream: target, weight };
}

function longBackends(pairs: readonly (string | number)[]): readonly Backend[] {
  const backends: Backend[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    backends.push(longBackend(pairs[index]!, pairs[index + 1] as number));
  }
  return backends;
}
