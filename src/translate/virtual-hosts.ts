// Translated routes -> virtual hosts: where routes of one namespace meet, the older one wins and the other is told.
import type { Problem } from '#api/problem.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { hostBytes } from '#model/limits.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { HostPattern, Match, PathPolicy, Rule, RuleRef, VirtualHost } from '#model/route-model.ts';
import type { TranslatedRoute } from './rules.ts';

export interface PlacedRoute {
  /** `namespace/name`. */
  readonly id: string;
  readonly hosts: readonly string[];
  readonly translated: TranslatedRoute;
}

/** Routes come oldest first. Problems are reported by route id. */
export function buildVirtualHosts(
  routes: readonly PlacedRoute[],
  report: (routeId: string, problem: Problem) => void,
): readonly VirtualHost[] {
  const byHost = new Map<string, PlacedRoute[]>();
  for (const route of routes)
    for (const host of route.hosts) {
      const found = byHost.get(host);
      if (found === undefined) byHost.set(host, [route]);
      else found.push(route);
    }
  return [...byHost.entries()].flatMap(([host, placed]) => {
    const built = buildVirtualHost(host, placed, report);
    return built.rules.length === 0 ? [] : [built];
  });
}

function buildVirtualHost(
  host: string,
  routes: readonly PlacedRoute[],
  report: (routeId: string, problem: Problem) => void,
): VirtualHost {
  const taken = new Map<string, RuleRef>();
  const rules: Rule[] = [];
  let pathPolicy: PathPolicy | undefined;
  let policyOwner = '';
  let bytes = 0;
  for (const route of routes) {
    const kept = keepUntakenMatches(host, route, taken, report);
    const keptBytes = Buffer.byteLength(canonicalJson(kept));
    if (bytes + keptBytes > hostBytes) {
      report(route.id, {
        reason: 'HostTooLarge',
        at: 'spec.hostnames',
        message: `with this route "${host}" would need ${bytes + keptBytes} bytes, at most ${hostBytes} are allowed; the older routes of this host stay`,
      });
      continue;
    }
    bytes += keptBytes;
    rules.push(...kept);
    const { pathPolicy: own } = route.translated;
    if (pathPolicy === undefined) {
      pathPolicy = own;
      policyOwner = route.id;
    } else if (canonicalJson(pathPolicy) !== canonicalJson(own)) {
      report(route.id, {
        reason: 'PathPolicyConflict',
        at: 'spec.policy.path',
        message: `"${host}" has the path policy of the older route ${policyOwner}`,
      });
    }
    for (const rule of kept) for (const match of rule.matches) taken.set(canonicalJson(match), rule.ref);
  }
  return { pattern: patternOf(host), pathPolicy: pathPolicy ?? strictPathPolicy, rules };
}

/** The route's rules without the matches that an older object already has on this host. */
function keepUntakenMatches(
  host: string,
  route: PlacedRoute,
  taken: ReadonlyMap<string, RuleRef>,
  report: (routeId: string, problem: Problem) => void,
): readonly Rule[] {
  return route.translated.rules.flatMap((rule, ruleNumber) => {
    const matches = rule.matches.filter((match: Match, matchNumber) => {
      const winner = taken.get(canonicalJson(match));
      if (winner === undefined) return true;
      report(route.id, {
        reason: 'RouteConflict',
        at: route.translated.matchPlaces[ruleNumber]?.[matchNumber] ?? `spec.rules[${ruleNumber}]`,
        message: `on "${host}" the older route ${winner.namespace}/${winner.name} has the same match in ${winner.rule}`,
      });
      return false;
    });
    return matches.length === 0 ? [] : [{ ...rule, matches }];
  });
}

/** An IngressRoute's wildcard covers any depth, as an HTTPRoute's. */
function patternOf(host: string): HostPattern {
  if (host === '*') return { kind: 'AnyHost' };
  if (host.startsWith('*.')) return { kind: 'Wildcard', suffix: host.slice(2), depth: 'AnyDepth' };
  return { kind: 'Exact', name: host };
}
