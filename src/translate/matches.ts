// The matches of a rule: defaults filled in, paths in normal form, regular expressions proved to compile.
import { RE2JS } from 're2js';
import type * as api from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import { compareText } from '#model/text-order.ts';
import { normalizePath } from '#model/request-path.ts';
import type { Match, NamedMatch, PathMatch, PathPolicy } from '#model/route-model.ts';
import { defaultPath } from './defaults.ts';

// One value each for nearly all matches.
const anyMethod: Match['method'] = { kind: 'AnyMethod' };
const none: readonly NamedMatch[] = [];

const everything: api.RouteMatch = { headers: [], queryParams: [] };

/** A rule without matches takes every request. `at` is the rule's place. */
export function translateMatches(
  matches: readonly api.RouteMatch[],
  policy: PathPolicy,
  at: string,
  problems: Problem[],
): readonly Match[] {
  if (matches.length === 0) return [translateMatch(everything, policy, at, problems)];
  return matches.map((match, index) => translateMatch(match, policy, `${at}.matches[${index}]`, problems));
}

function translateMatch(match: api.RouteMatch, policy: PathPolicy, at: string, problems: Problem[]): Match {
  return {
    path: translatePath(match.path ?? {}, policy, `${at}.path.value`, problems),
    method: match.method === undefined ? anyMethod : { kind: 'Method', method: match.method },
    headers: translateNamed(match.headers, `${at}.headers`, (name) => name.toLowerCase(), problems),
    queryParams: translateNamed(match.queryParams, `${at}.queryParams`, (name) => name, problems),
  };
}

function translatePath(path: api.PathMatch, policy: PathPolicy, at: string, problems: Problem[]): PathMatch {
  const kind = path.type ?? 'PathPrefix';
  const value = path.value ?? defaultPath;
  if (kind === 'RegularExpression') {
    proveExpression(value, at, problems);
    return { kind, value };
  }
  const normal = normalizePath(value, { ...policy, encodedSlash: 'Reject', mergeSlashes: 'Reject' });
  if (normal.kind === 'Refused') {
    problems.push({ reason: 'Invalid', at, message: `"${value}" is no path to match: ${normal.message}` });
    return { kind, value };
  }
  // Prefixes match whole segments, so /api/ and /api mean the same.
  const isSlashed = kind === 'PathPrefix' && normal.path.length > 1 && normal.path.endsWith('/');
  return { kind, value: isSlashed ? normal.path.slice(0, -1) : normal.path };
}

function translateNamed(
  matches: readonly api.NamedMatch[],
  at: string,
  nameOf: (name: string) => string,
  problems: Problem[],
): readonly NamedMatch[] {
  if (matches.length === 0) return none;
  return matches
    .map((match, index): NamedMatch => {
      const kind = match.type ?? 'Exact';
      if (kind === 'RegularExpression') proveExpression(match.value, `${at}[${index}].value`, problems);
      return { kind, name: nameOf(match.name), value: match.value };
    })
    .sort((a, b) => compareText(a.name, b.name));
}

function proveExpression(pattern: string, at: string, problems: Problem[]): void {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    problems.push({ reason: 'Invalid', at, message: `"${pattern}" is no RE2 expression: ${cause}` });
  }
}
