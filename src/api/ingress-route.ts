// IngressRoute as users write it, and the parser that turns an object of unknown shape into one.
import { readBackendTls } from './backend-tls.ts';
import type { BackendTls } from './backend-tls.ts';
import { readDurationMs } from './duration-field.ts';
import { FieldReader } from './field-reader.ts';
import { answersItself, readFilters, replacesPrefix } from './filters.ts';
import type { Filter } from './filters.ts';
import { isFieldName, isFieldValue } from './field-grammar.ts';
import { hostnameFault } from './hostname.ts';
import { readMeta } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import { pathFault } from './path.ts';
import { readRequestPolicy } from './policy.ts';
import type { RequestPolicy } from './policy.ts';
import type { Problem } from './problem.ts';
import { readName } from './object-name.ts';
import { readRetry } from './retry.ts';
import type { Retry } from './retry.ts';
import { readTls } from './route-tls.ts';
import type { RouteTls } from './route-tls.ts';
import { readSessionPersistence } from './session-persistence.ts';
import type { SessionPersistence } from './session-persistence.ts';

const pathTypes = ['Exact', 'PathPrefix', 'RegularExpression'] as const;
const valueTypes = ['Exact', 'RegularExpression'] as const;
const doubtfulPath = ['Reject', 'Keep', 'Decode'] as const;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export type PathMatchType = (typeof pathTypes)[number];
export type ValueMatchType = (typeof valueTypes)[number];
export type DoubtfulPath = (typeof doubtfulPath)[number];

export interface PathMatch {
  readonly type?: PathMatchType | undefined;
  readonly value?: string | undefined;
}

export interface NamedMatch {
  readonly type?: ValueMatchType | undefined;
  readonly name: string;
  readonly value: string;
}

export interface RouteMatch {
  readonly path?: PathMatch | undefined;
  readonly method?: string | undefined;
  readonly headers: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
}

export interface BackendRef {
  readonly name: string;
  readonly port: number;
  readonly weight?: number | undefined;
  /** Absent: the Service says how it is spoken to. */
  readonly tls?: BackendTls | undefined;
  /** It takes requests only while the others have no endpoint. */
  readonly fallback?: boolean | undefined;
}

/** In milliseconds; 0 means none. */
export interface Timeouts {
  readonly requestMs?: number | undefined;
  readonly backendRequestMs?: number | undefined;
  readonly idleMs?: number | undefined;
}

export interface Rule {
  readonly name?: string | undefined;
  readonly matches: readonly RouteMatch[];
  readonly filters: readonly Filter[];
  readonly policy: RequestPolicy;
  readonly backendRefs: readonly BackendRef[];
  readonly timeouts: Timeouts;
  readonly retry?: Retry | undefined;
  readonly sessionPersistence?: SessionPersistence | undefined;
}

export interface PathPolicy {
  readonly encodedSlash?: DoubtfulPath | undefined;
  readonly mergeSlashes?: DoubtfulPath | undefined;
  readonly backslash?: DoubtfulPath | undefined;
}

export interface IngressRoute {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** RFC 3339, as the API server wrote it; empty for an object that never met one. */
  readonly creationTimestamp: string;
  readonly ingressClassName?: string | undefined;
  readonly hostnames: readonly string[];
  readonly tls?: RouteTls | undefined;
  readonly pathPolicy: PathPolicy;
  /** What holds for every rule that does not say otherwise. */
  readonly policy: RequestPolicy;
  readonly rules: readonly Rule[];
}

export type Parsed<T> =
  | { readonly kind: 'Parsed'; readonly value: T }
  | { readonly kind: 'Refused'; readonly problems: readonly Problem[] };

const serviceName = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const ruleName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const printable = /^[\x21-\x7e]+$/;

/**
 * Parses what the API server stored. The CRD refuses nearly all of this earlier; it is checked again because an object
 * may have been stored under another version of the CRD, and translation must not depend on that.
 */
export function parseIngressRoute(object: KubernetesObject): Parsed<IngressRoute> {
  const problems: Problem[] = [];
  const spec = new FieldReader(object['spec'], 'spec', problems);
  const policy = spec.object('policy');
  const hostnames = readHostnames(spec);
  const value: IngressRoute = {
    ...readMeta(object),
    ingressClassName: readName(spec, 'ingressClassName', objectName),
    hostnames,
    tls: readTls(spec.object('tls'), hostnames),
    pathPolicy: readPathPolicy(policy?.object('path')),
    policy: readRequestPolicy(policy, ['path']),
    rules: readRules(spec),
  };
  if (value.tls?.mode === 'Passthrough') refuseRequests(value, spec);
  return problems.length === 0 ? { kind: 'Parsed', value } : { kind: 'Refused', problems };
}

function readHostnames(spec: FieldReader): readonly string[] {
  const hostnames = spec.strings('hostnames', 16);
  if (hostnames.length === 0) spec.refuse('hostnames', 'needs at least one entry; "*" is the catch-all');
  for (const [index, hostname] of hostnames.entries()) {
    const fault = hostnameFault(hostname);
    if (fault !== undefined) spec.refuse(`hostnames[${index}]`, `"${hostname}" ${fault}`);
    else if (hostnames.indexOf(hostname) !== index)
      spec.refuse(`hostnames[${index}]`, `"${hostname}" stands twice`);
  }
  return hostnames;
}

/** With Passthrough no request is seen, so that nothing may depend on one. */
function refuseRequests({ rules, policy }: IngressRoute, spec: FieldReader): void {
  const [rule] = rules;
  const seesRequest =
    rules.length !== 1 ||
    rule === undefined ||
    rule.matches.length + rule.filters.length > 0 ||
    (rule.policy.maxBodyBytes ?? policy.maxBodyBytes) !== undefined ||
    (rule.policy.maxConcurrentRequests ?? policy.maxConcurrentRequests) !== undefined ||
    rule.retry !== undefined ||
    rule.sessionPersistence !== undefined;
  if (seesRequest)
    spec.refuse(
      'rules',
      'with Passthrough there is one rule, without matches, filters, retry, sessionPersistence, requestBody and maxConcurrentRequests',
    );
  const policies = [policy, ...rules.map((each) => each.policy)];
  if (
    policies.some(({ loadBalancing }) => (loadBalancing?.consistentHash?.type ?? 'SourceIP') !== 'SourceIP')
  )
    spec.refuse('rules', 'with Passthrough consistentHash can only be of the type SourceIP');
  if (rules.some(({ backendRefs }) => backendRefs.some(({ tls }) => tls !== undefined)))
    spec.refuse(
      'rules',
      'with Passthrough it is the client that verifies a backend: backendRefs have no tls',
    );
}

function readPathPolicy(path: FieldReader | undefined): PathPolicy {
  return {
    encodedSlash: path?.oneOf('encodedSlash', doubtfulPath),
    mergeSlashes: path?.oneOf('mergeSlashes', doubtfulPath),
    backslash: path?.oneOf('backslash', doubtfulPath),
  };
}

function readRules(spec: FieldReader): readonly Rule[] {
  const rules = spec.objects('rules', 64).map(readRule);
  if (rules.length === 0) spec.refuse('rules', 'needs at least one rule');
  const names = rules.flatMap((rule) => (rule.name === undefined ? [] : [rule.name]));
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index)))
    spec.refuse('rules', `two rules have the name "${name}"`);
  const matches = rules.reduce((sum, rule) => sum + Math.max(1, rule.matches.length), 0);
  if (matches > 256) spec.refuse('rules', `hold ${matches} matches, at most 256 are allowed`);
  return rules;
}

function readRule(rule: FieldReader): Rule {
  const backendRefs = rule.objects('backendRefs', 16).map(readBackendRef);
  const matches = rule.objects('matches', 64).map(readMatch);
  const filters = readFilters(rule);
  if (answersItself(filters)) {
    if (rule.has('backendRefs'))
      rule.refuse('backendRefs', 'have no use where RequestRedirect or DirectResponse answers');
  } else if (backendRefs.length === 0) rule.refuse('backendRefs', 'needs at least one Service');
  else if (backendRefs.every(({ fallback }) => fallback === true))
    rule.refuse('backendRefs', 'needs one that is no fallback');
  if (replacesPrefix(filters) && !hasOnePrefix(matches))
    rule.refuse('filters', 'ReplacePrefixMatch needs a rule with exactly one match, a PathPrefix');
  return {
    name: readName(rule, 'name', ruleName),
    matches,
    filters,
    policy: readRequestPolicy(rule.object('policy')),
    backendRefs,
    timeouts: readTimeouts(rule.object('timeouts')),
    retry: readRetry(rule.object('retry')),
    sessionPersistence: readSessionPersistence(rule.object('sessionPersistence')),
  };
}

/** No match at all is a PathPrefix of "/". */
function hasOnePrefix(matches: readonly RouteMatch[]): boolean {
  const [first] = matches;
  return matches.length <= 1 && (first?.path?.type ?? 'PathPrefix') === 'PathPrefix';
}

function readMatch(match: FieldReader): RouteMatch {
  const path = match.object('path');
  return {
    path: path === undefined ? undefined : readPath(path),
    method: match.oneOf('method', methods),
    headers: readHeaders(match),
    queryParams: readQueryParams(match),
  };
}

function readPath(path: FieldReader): PathMatch {
  const type = path.oneOf('type', pathTypes);
  const value = path.string('value');
  if (value !== undefined) {
    const fault = type === 'RegularExpression' ? expressionFault(value) : pathFault(value);
    if (fault !== undefined) path.refuse('value', fault);
  }
  return { type, value };
}

function expressionFault(value: string): string | undefined {
  if (value.length > 1024) return 'is longer than 1024 characters';
  return printable.test(value) ? undefined : 'must be printable ASCII without spaces';
}

function readHeaders(match: FieldReader): readonly NamedMatch[] {
  const seen = new Set<string>();
  return match.objects('headers', 16).map((header) => {
    const named = readNamed(header, 4096);
    const name = named.name.toLowerCase();
    if (!isFieldName(named.name)) header.refuse('name', `"${named.name}" is no field name`);
    if (!isFieldValue(named.value)) header.refuse('value', 'is no field value in printable ASCII');
    if (seen.has(name)) header.refuse('name', `"${named.name}" is matched twice`);
    seen.add(name);
    return named;
  });
}

function readQueryParams(match: FieldReader): readonly NamedMatch[] {
  const seen = new Set<string>();
  return match.objects('queryParams', 16).map((param) => {
    const named = readNamed(param, 1024);
    if (named.value === '') param.refuse('value', 'must not be empty');
    if (seen.has(named.name)) param.refuse('name', `"${named.name}" is matched twice`);
    seen.add(named.name);
    return named;
  });
}

function readNamed(named: FieldReader, mostCharacters: number): NamedMatch {
  const name = named.requiredString('name');
  const value = named.requiredString('value');
  if (name === '') named.refuse('name', 'must not be empty');
  if (charactersOf(name) > 256) named.refuse('name', 'is longer than 256 characters');
  if (charactersOf(value) > mostCharacters)
    named.refuse('value', `is longer than ${mostCharacters} characters`);
  return { type: named.oneOf('type', valueTypes), name, value };
}

/** As the API server counts: code points, not UTF-16 units. */
function charactersOf(text: string): number {
  return Array.from(text).length;
}

function readBackendRef(ref: FieldReader): BackendRef {
  const name = ref.requiredString('name');
  if (!serviceName.test(name)) ref.refuse('name', `"${name}" is no name of a Service`);
  return {
    name,
    port: ref.requiredInteger('port', 1, 65_535),
    weight: ref.integer('weight', 0, 1_000_000),
    tls: readBackendTls(ref.object('tls')),
    fallback: ref.boolean('fallback'),
  };
}

function readTimeouts(timeouts: FieldReader | undefined): Timeouts {
  const requestMs = readDurationMs(timeouts, 'request');
  const backendRequestMs = readDurationMs(timeouts, 'backendRequest');
  if (requestMs !== undefined && requestMs > 0 && (backendRequestMs ?? 0) > requestMs)
    timeouts?.refuse('backendRequest', 'is longer than request');
  return { requestMs, backendRequestMs, idleMs: readDurationMs(timeouts, 'idle') };
}
