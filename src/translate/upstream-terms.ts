// What a reference and the policies of its rule ask of an upstream -> terms, and the id of an upstream that has them: one
// Service port may be wanted in several ways, and what is counted for one must not touch the others.
import { createHash } from 'node:crypto';
import type {
  ActiveHealthCheck,
  CircuitBreaker as CircuitBreakerPolicy,
  LoadBalancing as LoadBalancingPolicy,
  PassiveHealthCheck,
  UpstreamPolicy as ApiPolicy,
} from '#api/upstream-policy.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { defaultSettings } from '#model/default-settings.ts';
import type { LoadBalancing, Upstream } from '#model/route-model.ts';
import type { HashSource, HealthProbe, UpstreamPolicy } from '#model/upstream-policies.ts';
import {
  defaultConsecutive5xx,
  defaultHealthCheck,
  defaultHealthPath,
  defaultPendingRequests,
} from './defaults.ts';

export interface UpstreamTerms {
  /** Undefined: as the Service says. */
  readonly tls: Upstream['tls'] | undefined;
  /** Undefined: as the settings say. */
  readonly loadBalancing: LoadBalancing | undefined;
  readonly zonePreference: ZonePreference;
  readonly policies: Upstream['policies'];
}

export type ZonePreference = 'Hinted' | 'Always' | 'Never';

const unsaid: UpstreamTerms = {
  tls: undefined,
  loadBalancing: undefined,
  zonePreference: 'Hinted',
  policies: [],
};

/**
 * The terms of the policies that hold for a rule, of its own or of its route: a field at a time. Undefined: nothing is said.
 * `serviceName`: what health checks ask for where they do not say it.
 */
export function termsOfPolicies(
  rule: ApiPolicy,
  route: ApiPolicy,
  serviceName: string,
): UpstreamTerms | undefined {
  const balancing = rule.loadBalancing ?? route.loadBalancing;
  const health = rule.healthCheck ?? route.healthCheck;
  const breaker = rule.circuitBreaker ?? route.circuitBreaker;
  const policies: UpstreamPolicy[] = [
    ...hashPolicy(balancing),
    ...(balancing?.slowStartMs === undefined
      ? []
      : [{ kind: 'SlowStart', windowMs: balancing.slowStartMs } as const]),
    ...(health?.active === undefined ? [] : [healthPolicy(health.active, serviceName)]),
    ...(health?.passive === undefined ? [] : [ejectionPolicy(health.passive)]),
    ...breakerPolicy(breaker),
  ];
  const type = balancing?.type;
  const terms: UpstreamTerms = {
    tls: undefined,
    loadBalancing: type === 'ConsistentHash' ? undefined : type,
    zonePreference: balancing?.zonePreference ?? 'Hinted',
    policies,
  };
  return hasPolicies(terms) ? terms : undefined;
}

/** Terms of a reference on top of those of its rule. */
export function withTls(
  terms: UpstreamTerms | undefined,
  tls: Upstream['tls'] | undefined,
): UpstreamTerms | undefined {
  return tls === undefined ? terms : { ...(terms ?? unsaid), tls };
}

/** `shop/web:443 as api.internal trusting system with 1f0c...`: what is said, or the beginning of its digest. */
export function idOnTerms(id: string, terms: UpstreamTerms): string {
  const { tls, ...others } = terms;
  const spoken = tls?.kind === 'Verified' ? `${id}${tlsText(tls)}` : id;
  if (!hasPolicies(terms)) return spoken;
  return `${spoken} with ${digestOf(canonicalJson(keyed({ ...others, tls: undefined })))}`;
}

/** Something is said beyond how endpoints are spoken to. */
function hasPolicies({ loadBalancing, zonePreference, policies }: UpstreamTerms): boolean {
  return loadBalancing !== undefined || zonePreference !== unsaid.zonePreference || policies.length > 0;
}

/** The upstream in which the endpoints of another are treated on terms of their own: `shop/web:443`. */
export function plainId(id: string): string {
  const space = id.indexOf(' ');
  return space < 0 ? id : id.slice(0, space);
}

/** In the model. */
export function termsBytes({
  tls,
  policies,
}: Pick<UpstreamTerms, 'policies'> & { tls: Upstream['tls'] | undefined }): number {
  return Buffer.byteLength(JSON.stringify([tls ?? null, policies]));
}

function keyed({ tls, loadBalancing, zonePreference, policies }: UpstreamTerms): object {
  return { tls: tls ?? '', loadBalancing: loadBalancing ?? '', zonePreference, policies };
}

function tlsText({
  serverName,
  authorities,
}: Extract<Upstream['tls'], { readonly kind: 'Verified' }>): string {
  const whom = authorities.kind === 'System' ? 'system' : digestOf(authorities.pem);
  return ` as ${serverName} trusting ${whom}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const hashSources: Readonly<Record<string, HashSource>> = {
  Header: 'Header',
  Cookie: 'Cookie',
  QueryParam: 'QueryParam',
  SourceIP: 'ClientAddress',
};

function hashPolicy(balancing: LoadBalancingPolicy | undefined): readonly UpstreamPolicy[] {
  const hash = balancing?.consistentHash;
  if (hash === undefined) return [];
  return [{ kind: 'ConsistentHash', source: hashSources[hash.type] ?? 'ClientAddress', name: hash.name }];
}

function healthPolicy(active: ActiveHealthCheck, serviceName: string): UpstreamPolicy {
  const intervalMs = active.intervalMs ?? defaultHealthCheck.intervalMs;
  return {
    kind: 'HealthCheck',
    probe: probeOf(active.probe, serviceName),
    intervalMs,
    timeoutMs: active.timeoutMs ?? Math.min(defaultHealthCheck.timeoutMs, intervalMs),
    healthyThreshold: active.healthyThreshold ?? defaultHealthCheck.healthyThreshold,
    unhealthyThreshold: active.unhealthyThreshold ?? defaultHealthCheck.unhealthyThreshold,
  };
}

function probeOf(probe: ActiveHealthCheck['probe'], serviceName: string): HealthProbe {
  switch (probe.type) {
    case 'HTTP':
      return {
        kind: 'Http',
        path: probe.path ?? defaultHealthPath,
        hostname: probe.hostname ?? serviceName,
        statuses: probe.expectedStatuses.toSorted((a, b) => a - b),
      };
    case 'TCP':
      return { kind: 'Tcp' };
    case 'GRPC':
      return { kind: 'Grpc', service: probe.service ?? '' };
  }
}

function ejectionPolicy(passive: PassiveHealthCheck): UpstreamPolicy {
  const usual = defaultSettings.outlierEjection;
  const baseEjectionMs =
    passive.baseEjectionMs ?? Math.min(usual.baseEjectionMs, passive.maxEjectionMs ?? Infinity);
  return {
    kind: 'OutlierEjection',
    consecutive5xx: passive.consecutive5xxErrors ?? defaultConsecutive5xx,
    connectFailures: passive.consecutiveConnectFailures ?? usual.connectFailures,
    baseEjectionMs,
    maxEjectionMs: passive.maxEjectionMs ?? Math.max(usual.maxEjectionMs, baseEjectionMs),
  };
}

/** One that limits nothing is none: it is how a rule does without that of its route. */
function breakerPolicy(breaker: CircuitBreakerPolicy | undefined): readonly UpstreamPolicy[] {
  if (breaker === undefined) return [];
  const { maxConnections, maxPendingRequests, maxParallelRequests, perEndpoint } = breaker;
  const said = [maxConnections, maxPendingRequests, maxParallelRequests, ...Object.values(perEndpoint)];
  if (said.every((limit) => limit === undefined)) return [];
  return [
    {
      kind: 'CircuitBreaker',
      connections: maxConnections ?? 0,
      pendingRequests: maxPendingRequests ?? defaultPendingRequests,
      activeRequests: maxParallelRequests ?? 0,
      endpointConnections: perEndpoint.maxConnections ?? 0,
      endpointActiveRequests: perEndpoint.maxParallelRequests ?? 0,
    },
  ];
}
