// The order of matching, as plainly as it can be said: keep what fits, take the most precise, of equals the first.
import type { HostPattern, Match, VirtualHost } from '#model/route-model.ts';
import type { MatchRequest } from '#route/match-request.ts';

/** Of two lists of numbers the larger one at the first difference is preferred; undefined does not fit. */
type Precision = readonly number[] | undefined;
type Test = { readonly kind: string; readonly value: string };
const pathKinds = ['RegularExpression', 'PathPrefix', 'Exact'];
const isWhole = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text);

function fits({ kind, value }: Test, text: string | null | undefined): boolean {
  if (typeof text !== 'string') return false;
  if (kind === 'PathPrefix') return value === '/' || `${text}/`.startsWith(`${value}/`);
  return kind === 'Exact' ? text === value : isWhole(value, text);
}

function ofHost(pattern: HostPattern, hostname: string): Precision {
  if (pattern.kind === 'AnyHost') return [0];
  if (pattern.kind === 'Exact') return pattern.name === hostname ? [2] : undefined;
  const [labels, rank] = pattern.depth === 'OneLabel' ? ['[^.]+', 1] : ['.+', 0];
  return isWhole(`${labels}[.]${pattern.suffix}`, hostname) ? [1, pattern.suffix.length, rank] : undefined;
}

function ofMatch({ path, method, headers, queryParams }: Match, request: MatchRequest): Precision {
  const query = new URLSearchParams(request.query);
  if (method.kind === 'Method' && method.method !== request.method) return undefined;
  if (!headers.every((each) => fits(each, request.field(each.name)))) return undefined;
  if (!queryParams.every((each) => fits(each, query.get(each.name)))) return undefined;
  const counts = [method.kind === 'Method' ? 1 : 0, headers.length, queryParams.length];
  return fits(path, request.path) ? [pathKinds.indexOf(path.kind), path.value.length, ...counts] : undefined;
}

function best<T>(values: readonly T[], precisionOf: (value: T) => Precision): T | undefined {
  const order = (a: Precision, b: Precision): number =>
    b?.reduce((found, each, at) => found || each - (a?.[at] ?? 0), 0) ?? 0;
  const fitting = values.filter((value) => precisionOf(value) !== undefined);
  return fitting.toSorted((a, b) => order(precisionOf(a), precisionOf(b)))[0];
}

export function referenceMatch(hosts: readonly VirtualHost[], hostname: string, request: MatchRequest) {
  const host = best(hosts, (each) => ofHost(each.pattern, hostname));
  return best(host?.rules.flatMap((rule) => rule.matches) ?? [], (match) => ofMatch(match, request));
}
