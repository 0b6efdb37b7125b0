// The filters and policies of a rule -> the model's list: defaults filled in, in the order in which they act.
import type * as api from '#api/filters.ts';
import type { RequestPolicy } from '#api/policy.ts';
import type { Retry } from '#api/retry.ts';
import type { SessionPersistence } from '#api/session-persistence.ts';
import type { Problem } from '#api/problem.ts';
import { compareText } from '#model/text-order.ts';
import { filterOrder } from '#model/filters.ts';
import type { Filter, HeaderChanges, HostRewrite, PathRewrite } from '#model/filters.ts';
import { normalizePath } from '#model/request-path.ts';
import type { Match, PathPolicy } from '#model/route-model.ts';
import {
  defaultContentType,
  defaultRedirectStatus,
  defaultRetryAttempts,
  defaultRetryBackoffMs,
} from './defaults.ts';

export interface FilterInput {
  readonly filters: readonly api.Filter[];
  readonly retry: Retry | undefined;
  readonly sessionPersistence: SessionPersistence | undefined;
  /** A name that no other rule has. */
  readonly sessionName: string;
  /** Of the route, whose fields the rule's own replace. */
  readonly routePolicy: RequestPolicy;
  readonly policy: RequestPolicy;
  /** Translated: where ReplacePrefixMatch is used there is exactly one, a PathPrefix. */
  readonly matches: readonly Match[];
  readonly pathPolicy: PathPolicy;
}

/** `at` is the rule's place. */
export function translateFilters(input: FilterInput, at: string, problems: Problem[]): readonly Filter[] {
  const rewritePath = (path: api.PathModifier | undefined, place: string): PathRewrite =>
    translatePath(path, input, place, problems);
  const own = input.filters.map((filter, index) =>
    translateFilter(filter, (path, field) => rewritePath(path, `${at}.filters[${index}].${field}`)),
  );
  return [...policyFilters(input), ...sessionFilter(input), ...retryFilter(input.retry), ...own].sort(
    (a, b) => filterOrder.indexOf(a.kind) - filterOrder.indexOf(b.kind),
  );
}

function policyFilters({ policy, routePolicy }: FilterInput): readonly Filter[] {
  const filters: Filter[] = [];
  const clientIp = policy.clientIp ?? routePolicy.clientIp;
  if (clientIp !== undefined && clientIp.allow.length + clientIp.deny.length > 0)
    filters.push({ kind: 'ClientIp', allow: clientIp.allow.toSorted(), deny: clientIp.deny.toSorted() });
  const maxBytes = policy.maxBodyBytes ?? routePolicy.maxBodyBytes ?? 0;
  if (maxBytes > 0) filters.push({ kind: 'RequestBody', maxBytes });
  const most = policy.maxConcurrentRequests ?? routePolicy.maxConcurrentRequests;
  if (most !== undefined) filters.push({ kind: 'ConcurrentRequests', most });
  return filters;
}

function sessionFilter({ sessionPersistence, sessionName }: FilterInput): readonly Filter[] {
  if (sessionPersistence === undefined) return [];
  const { type, absoluteTimeoutMs, idleTimeoutMs, lifetimeType } = sessionPersistence;
  return [
    {
      kind: 'SessionPersistence',
      source: type ?? 'Cookie',
      name: sessionPersistence.sessionName ?? sessionName,
      lifetime: lifetimeType ?? 'Session',
      absoluteMs: absoluteTimeoutMs ?? 0,
      idleMs: idleTimeoutMs ?? 0,
    },
  ];
}

function retryFilter(retry: Retry | undefined): readonly Filter[] {
  const attempts = retry?.attempts ?? defaultRetryAttempts;
  if (retry === undefined || attempts === 0) return [];
  const codes = retry.codes.toSorted((a, b) => a - b);
  return [{ kind: 'Retry', attempts, codes, backoffMs: retry.backoffMs ?? defaultRetryBackoffMs }];
}

function translateFilter(
  filter: api.Filter,
  rewritePath: (path: api.PathModifier | undefined, field: string) => PathRewrite,
): Filter {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return { kind: 'RequestHeaders', ...translateChanges(filter.modifier) };
    case 'ResponseHeaderModifier':
      return { kind: 'ResponseHeaders', ...translateChanges(filter.modifier) };
    case 'RequestRedirect': {
      const { scheme, hostname, port, path, statusCode } = filter.redirect;
      return {
        kind: 'RequestRedirect',
        scheme: scheme ?? 'AsRequested',
        hostname: hostRewrite(hostname),
        port: port ?? 0,
        path: rewritePath(path, 'requestRedirect'),
        status: redirectStatus(statusCode),
      };
    }
    case 'URLRewrite':
      return {
        kind: 'UrlRewrite',
        hostname: hostRewrite(filter.rewrite.hostname),
        path: rewritePath(filter.rewrite.path, 'urlRewrite'),
      };
    case 'DirectResponse': {
      const { statusCode, contentType, body } = filter.response;
      return {
        kind: 'DirectResponse',
        status: statusCode,
        contentType: contentType ?? defaultContentType,
        body: body ?? '',
      };
    }
  }
}

function translateChanges({ remove, set, add }: api.HeaderModifier): HeaderChanges {
  const byName = (a: api.HeaderValue, b: api.HeaderValue): number => compareText(a.name, b.name);
  return {
    remove: [...new Set(remove.map((name) => name.toLowerCase()))].sort(),
    set: firstOfEach(set).toSorted(byName),
    add: firstOfEach(add).toSorted(byName),
  };
}

/** Of names that differ only in case the first counts, as the Gateway API has it. */
function firstOfEach(fields: readonly api.HeaderValue[]): readonly api.HeaderValue[] {
  const names = fields.map(({ name }) => name.toLowerCase());
  return fields.filter((_, index) => names.indexOf(names[index] ?? '') === index);
}

function hostRewrite(hostname: string | undefined): HostRewrite {
  return hostname === undefined ? { kind: 'SameHost' } : { kind: 'OtherHost', name: hostname };
}

function redirectStatus(status: number | undefined): 301 | 302 | 303 | 307 | 308 {
  switch (status) {
    case 301:
    case 303:
    case 307:
    case 308:
      return status;
    default:
      return defaultRedirectStatus;
  }
}

const fieldOf = {
  ReplaceFullPath: 'replaceFullPath',
  ReplacePrefixMatch: 'replacePrefixMatch',
} as const;

/** The new path in normal form, as if a request had come with it. */
function translatePath(
  path: api.PathModifier | undefined,
  { matches, pathPolicy }: FilterInput,
  at: string,
  problems: Problem[],
): PathRewrite {
  if (path === undefined) return { kind: 'SamePath' };
  const normal = normalizePath(path.value, { ...pathPolicy, encodedSlash: 'Reject', mergeSlashes: 'Reject' });
  if (normal.kind === 'Refused') {
    const message = `"${path.value}" is no path: ${normal.message}`;
    problems.push({ reason: 'Invalid', at: `${at}.path.${fieldOf[path.type]}`, message });
    return { kind: 'SamePath' };
  }
  if (path.type === 'ReplaceFullPath') return { kind: 'OtherPath', path: normal.path };
  return {
    kind: 'OtherPrefix',
    prefix: withoutTrailingSlash(matches[0]?.path.value ?? '/'),
    replacement: withoutTrailingSlash(normal.path),
  };
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}
