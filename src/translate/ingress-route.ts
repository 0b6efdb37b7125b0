// One IngressRoute -> what it asks for.
import type { IngressRoute, Rule as RouteRule } from '#api/ingress-route.ts';
import type { Problem } from '#api/problem.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { ClientValidation, PathPolicy } from '#model/route-model.ts';
import type { RouteTls } from '#api/route-tls.ts';
import { resolveAuthorities } from './authorities.ts';
import type { AuthorityLookup } from './authorities.ts';
import { withBackendTls } from './backend-tls.ts';
import { backendOf, placesOf, resolveBackend } from './backends.ts';
import { defaultClientValidation, defaultDoubtfulPath, timeoutsWithDefaults } from './defaults.ts';
import { translateFilters } from './filters.ts';
import type { Lookup } from './lookup.ts';
import { translateMatches } from './matches.ts';
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
  { name, matches: wanted, filters, policy, backendRefs, timeouts }: RouteRule,
  number: number,
  pathPolicy: PathPolicy,
  lookup: Lookup,
  { uses, problems, faults }: Found,
): TranslatedRule {
  const at = `spec.rules[${number}]`;
  const backends = backendRefs.map((ref, refNumber) => {
    const places = placesOf(`${at}.backendRefs[${refNumber}]`);
    const found = resolveBackend(ref, route.namespace, places, lookup);
    const resolved = withBackendTls(found, ref.tls, route.namespace, places.at, lookup);
    if (resolved.kind === 'Resolved') uses.push(resolved.use);
    else problems.push(resolved.problem);
    return backendOf(ref, resolved);
  });
  // Without a match no request can take it: whole connections do.
  const isPassthrough = route.tls?.mode === 'Passthrough';
  const matches = isPassthrough ? [] : translateMatches(wanted, pathPolicy, at, faults);
  return {
    rule: {
      ref: {
        kind: 'IngressRoute',
        namespace: route.namespace,
        name: route.name,
        rule: name ?? `rules[${number}]`,
      },
      matches,
      filters: translateFilters(
        { filters, policy, routePolicy: route.policy, matches, pathPolicy },
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
