// One IngressRoute -> its rules, by itself: no other route can change what comes out here.
import type { IngressRoute } from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import type { LoadBalancing, PathPolicy, Rule, Upstream } from '#model/route-model.ts';
import { backendOf, resolveBackend } from './backends.ts';
import type { ServiceIndex } from './backends.ts';
import { defaultDoubtfulPath, timeoutsWithDefaults } from './defaults.ts';
import { translateFilters } from './filters.ts';
import { translateMatches } from './matches.ts';

export interface TranslatedRoute {
  readonly pathPolicy: PathPolicy;
  readonly rules: readonly Rule[];
  /** Where the matches of each rule stand in the object; the rule itself where it has none. */
  readonly matchPlaces: readonly (readonly string[])[];
  readonly upstreams: readonly Upstream[];
  /** References that lead nowhere: the route is served all the same. */
  readonly problems: readonly Problem[];
  /** What makes the whole object unfit to serve. */
  readonly faults: readonly Problem[];
}

export function translateRules(
  route: IngressRoute,
  index: ServiceIndex,
  loadBalancing: LoadBalancing,
): TranslatedRoute {
  const pathPolicy: PathPolicy = {
    encodedSlash: route.pathPolicy.encodedSlash ?? defaultDoubtfulPath,
    mergeSlashes: route.pathPolicy.mergeSlashes ?? defaultDoubtfulPath,
    backslash: route.pathPolicy.backslash ?? defaultDoubtfulPath,
  };
  const faults: Problem[] = [];
  const problems: Problem[] = [];
  const upstreams = new Map<string, Upstream>();
  const rules = route.rules.map((rule, number): Rule => {
    const at = `spec.rules[${number}]`;
    const backends = rule.backendRefs.map((ref, refNumber) => {
      const resolved = resolveBackend(
        ref,
        route.namespace,
        `${at}.backendRefs[${refNumber}]`,
        index,
        loadBalancing,
      );
      if (resolved.problem !== undefined) problems.push(resolved.problem);
      if (resolved.kind === 'Resolved') upstreams.set(resolved.upstream.id, resolved.upstream);
      return backendOf(ref, resolved);
    });
    const matches = translateMatches(rule.matches, pathPolicy, at, faults);
    const { filters, policy } = rule;
    return {
      ref: {
        kind: 'IngressRoute',
        namespace: route.namespace,
        name: route.name,
        rule: rule.name ?? `rules[${number}]`,
      },
      matches,
      filters: translateFilters(
        { filters, policy, routePolicy: route.policy, matches, pathPolicy },
        at,
        faults,
      ),
      backends,
      timeouts: timeoutsWithDefaults(rule.timeouts),
    };
  });
  const matchPlaces = route.rules.map((rule, number) =>
    rule.matches.length === 0
      ? [`spec.rules[${number}]`]
      : rule.matches.map((_, match) => `spec.rules[${number}].matches[${match}]`),
  );
  return { pathPolicy, rules, matchPlaces, upstreams: [...upstreams.values()], problems, faults };
}
