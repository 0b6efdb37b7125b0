// One IngressRoute -> what it asks for.
import { createHash } from 'node:crypto';
import type { IngressRoute, Rule as RouteRule } from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { ClientValidation, PathPolicy } from '#model/route-model.ts';
import type { RouteTls } from '#api/route-tls.ts';
import { resolveAuthorities } from './authorities.ts';
import type { AuthorityLookup } from './authorities.ts';
import { termsOfTls } from './backend-tls.ts';
import { backendOf, fallbackBackendsOf, onTerms, placesOf, resolveBackend } from './backends.ts';
import type { Resolved } from './backends.ts';
import { defaultClientValidation, defaultDoubtfulPath, timeoutsWithDefaults } from './defaults.ts';
import { translateFilters } from './filters.ts';
import type { Lookup } from './lookup.ts';
import { translateMatches } from './matches.ts';
import { termsOfPolicies, withTls } from './upstream-terms.ts';
import type { TranslatedObject, TranslatedRule, UpstreamUse, WantedTls } from './translated-object.ts';

export function translateIngressRoute(route: IngressRoute, lookup: Lookup): TranslatedObject {
  const pathPolicy = pathPolicyOf(route);
  const found: Found = { uses: [], problems: [], faults: [] };
  const rules = route.rules.map((rule, number) =>
    translateRule(route, rule, number, pathPolicy, lookup, found),
  );
  const secretNames = route.tls?.certificateRefs ?? [];
  const tls = wantedTls(route, lookup, found.problems);
  return {
    ref: { kind: 'IngressRoute', namespace: route.namespace, name: route.name },
    creationTimestamp: route.creationTimestamp,
    mayClaim: true,
    pathPolicy,
    hosts: route.hostnames.map((hostname, index) => ({
      hostname,
      depth: 'AnyDepth',
      at: `spec.hostnames[${index}]`,
      rules,
      secretNames,
      tls,
      tlsMode: route.tls?.mode ?? 'Terminate',
    })),
    ...found,
  };
}

function wantedTls(
  { namespace, tls }: IngressRoute,
  lookup: AuthorityLookup,
  problems: Problem[],
): WantedTls | undefined {
  if (tls === undefined) return undefined;
  const policy = tls.strictTransportSecurity;
  return {
    plaintext: tls.plaintext,
    minVersion: tls.minVersion,
    strictTransport:
      policy === undefined
        ? undefined
        : {
            kind: 'Said',
            maxAgeSeconds: Math.floor(policy.maxAgeMs / 1000),
            includeSubdomains: policy.includeSubDomains ?? false,
            preload: policy.preload ?? false,
          },
    clientValidation: clientValidation(tls.validation, namespace, lookup, problems),
  };
}

/** Authorities that cannot be found are none: nobody is believed, rather than everybody. */
function clientValidation(
  wanted: RouteTls['validation'],
  namespace: string,
  lookup: AuthorityLookup,
  problems: Problem[],
): ClientValidation | undefined {
  if (wanted === undefined) return undefined;
  const at = 'spec.tls.validation.caCertificateRefs';
  const found = resolveAuthorities(wanted.caCertificateRefs, namespace, at, lookup);
  if (found.kind === 'Unresolved') problems.push(found.problem);
  return {
    kind: 'Asked',
    mode: wanted.mode ?? defaultClientValidation,
    authorities: found.kind === 'Resolved' ? found.pem : '',
  };
}

function pathPolicyOf({ pathPolicy }: IngressRoute): PathPolicy {
  const { encodedSlash, mergeSlashes, backslash } = pathPolicy;
  // One value for nearly all routes.
  if (encodedSlash === undefined && mergeSlashes === undefined && backslash === undefined)
    return strictPathPolicy;
  return {
    encodedSlash: encodedSlash ?? defaultDoubtfulPath,
    mergeSlashes: mergeSlashes ?? defaultDoubtfulPath,
    backslash: backslash ?? defaultDoubtfulPath,
  };
}

interface Found {
  readonly uses: UpstreamUse[];
  readonly problems: Problem[];
  readonly faults: Problem[];
}

function translateRule(
  route: IngressRoute,
  routeRule: RouteRule,
  number: number,
  pathPolicy: PathPolicy,
  lookup: Lookup,
  { uses, problems, faults }: Found,
): TranslatedRule {
  const { name, matches: wanted, filters, policy, backendRefs, timeouts } = routeRule;
  const at = `spec.rules[${number}]`;
  const backends = backendRefs.flatMap((ref, refNumber) => {
    const resolved = resolveRef(route, policy, ref, `${at}.backendRefs[${refNumber}]`, lookup);
    if (resolved.kind === 'Resolved') uses.push(resolved.use);
    else problems.push(resolved.problem);
    return ref.fallback === true ? fallbackBackendsOf(ref, resolved) : [backendOf(ref, resolved)];
  });
  const ruleName = name ?? `rules[${number}]`;
  // Without a match no request can take it: whole connections do.
  const isPassthrough = route.tls?.mode === 'Passthrough';
  const matches = isPassthrough ? [] : translateMatches(wanted, pathPolicy, at, faults);
  return {
    rule: {
      ref: {
        kind: 'IngressRoute',
        namespace: route.namespace,
        name: route.name,
        rule: ruleName,
      },
      matches,
      filters: translateFilters(
        {
          filters,
          policy,
          routePolicy: route.policy,
          matches,
          pathPolicy,
          retry: routeRule.retry,
          sessionPersistence: routeRule.sessionPersistence,
          sessionName: sessionNameOf(`${route.namespace}/${route.name}/${ruleName}`),
        },
        at,
        faults,
      ),
      backends,
      timeouts: timeoutsWithDefaults(timeouts),
    },
    isDefault: false,
    places: wanted.length === 0 ? [at] : wanted.map((_, match) => `${at}.matches[${match}]`),
  };
}

function resolveRef(
  { namespace, policy: routePolicy }: IngressRoute,
  policy: RouteRule['policy'],
  ref: RouteRule['backendRefs'][number],
  at: string,
  lookup: Lookup,
): Resolved {
  const found = resolveBackend(ref, namespace, placesOf(at), lookup);
  if (found.kind === 'Unresolved') return found;
  const spoken = termsOfTls(ref.tls, namespace, at, lookup);
  if (spoken.kind === 'Unresolved') return spoken;
  const terms = termsOfPolicies(policy, routePolicy, `${ref.name}.${namespace}.svc`);
  return onTerms(found, withTls(terms, spoken.tls));
}

/** One cookie a rule: what another backend is remembered by must not take its place. */
function sessionNameOf(rule: string): string {
  return `flint-${createHash('sha256').update(rule).digest('hex').slice(0, 12)}`;
}
