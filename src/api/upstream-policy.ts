// What a route asks of the endpoints behind it: loadBalancing, healthCheck and circuitBreaker of a policy.
import { readDurationMs } from './duration-field.ts';
import type { FieldReader } from './field-reader.ts';
import { hostnameFault } from './hostname.ts';
import { isTokenName } from './session-persistence.ts';
import { pathFault } from './path.ts';

const balancingTypes = ['RoundRobin', 'LeastRequests', 'ConsistentHash'] as const;
const hashTypes = ['Header', 'Cookie', 'QueryParam', 'SourceIP'] as const;
const zoneWords = ['Hinted', 'Always', 'Never'] as const;
const probeTypes = ['HTTP', 'TCP', 'GRPC'] as const;

const mostMs = 86_400_000;
/** Of a check that does not say how often: its timeout is judged by it. */
export const usualIntervalMs = 10_000;

export interface ConsistentHash {
  readonly type: (typeof hashTypes)[number];
  /** Empty for SourceIP. */
  readonly name: string;
}

export interface LoadBalancing {
  readonly type?: (typeof balancingTypes)[number] | undefined;
  /** There where the type is ConsistentHash. */
  readonly consistentHash?: ConsistentHash | undefined;
  readonly slowStartMs?: number | undefined;
  readonly zonePreference?: (typeof zoneWords)[number] | undefined;
}

export type HealthProbe =
  | {
      readonly type: 'HTTP';
      readonly path?: string | undefined;
      readonly hostname?: string | undefined;
      readonly expectedStatuses: readonly number[];
    }
  | { readonly type: 'TCP' }
  | { readonly type: 'GRPC'; readonly service?: string | undefined };

export interface ActiveHealthCheck {
  readonly probe: HealthProbe;
  readonly intervalMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly healthyThreshold?: number | undefined;
  readonly unhealthyThreshold?: number | undefined;
}

export interface PassiveHealthCheck {
  /** 0: not for this reason. */
  readonly consecutive5xxErrors?: number | undefined;
  readonly consecutiveConnectFailures?: number | undefined;
  readonly baseEjectionMs?: number | undefined;
  readonly maxEjectionMs?: number | undefined;
}

export interface HealthCheck {
  readonly active?: ActiveHealthCheck | undefined;
  readonly passive?: PassiveHealthCheck | undefined;
}

export interface CircuitBreaker {
  readonly maxConnections?: number | undefined;
  readonly maxPendingRequests?: number | undefined;
  readonly maxParallelRequests?: number | undefined;
  readonly perEndpoint: {
    readonly maxConnections?: number | undefined;
    readonly maxParallelRequests?: number | undefined;
  };
}

export interface UpstreamPolicy {
  readonly loadBalancing?: LoadBalancing | undefined;
  readonly healthCheck?: HealthCheck | undefined;
  readonly circuitBreaker?: CircuitBreaker | undefined;
}

export const upstreamPolicyFields: readonly string[] = ['loadBalancing', 'healthCheck', 'circuitBreaker'];

export function readUpstreamPolicy(policy: FieldReader | undefined): UpstreamPolicy {
  return {
    loadBalancing: readLoadBalancing(policy?.object('loadBalancing')),
    healthCheck: readHealthCheck(policy?.object('healthCheck')),
    circuitBreaker: readCircuitBreaker(policy?.object('circuitBreaker')),
  };
}

function readLoadBalancing(balancing: FieldReader | undefined): LoadBalancing | undefined {
  if (balancing === undefined) return undefined;
  const type = balancing.oneOf('type', balancingTypes);
  const hash = balancing.object('consistentHash');
  if ((type === 'ConsistentHash') !== (hash !== undefined))
    balancing.refuse('consistentHash', 'and the type ConsistentHash need each other');
  return {
    type,
    consistentHash: hash === undefined ? undefined : readHash(hash),
    slowStartMs: readDurationMs(balancing, 'slowStart', 1, mostMs),
    zonePreference: balancing.oneOf('zonePreference', zoneWords),
  };
}

function readHash(hash: FieldReader): ConsistentHash {
  const type = hash.oneOf('type', hashTypes);
  if (type === undefined) {
    if (!hash.has('type')) hash.refuse('type', 'is required');
    return { type: 'SourceIP', name: '' };
  }
  const name = hash.string('name') ?? '';
  if (type === 'SourceIP' ? hash.has('name') : name === '')
    hash.refuse('name', 'is for every type but SourceIP');
  if (name.length > 256) hash.refuse('name', 'is longer than 256 characters');
  if ((type === 'Header' || type === 'Cookie') && name !== '' && !isTokenName(name))
    hash.refuse('name', `"${name}" is no name of a ${type === 'Header' ? 'field' : 'cookie'}`);
  return { type, name: type === 'Header' ? name.toLowerCase() : name };
}

function readHealthCheck(check: FieldReader | undefined): HealthCheck | undefined {
  if (check === undefined) return undefined;
  return { active: readActive(check.object('active')), passive: readPassive(check.object('passive')) };
}

function readActive(active: FieldReader | undefined): ActiveHealthCheck | undefined {
  if (active === undefined) return undefined;
  const intervalMs = readDurationMs(active, 'interval', 500, mostMs);
  const timeoutMs = readDurationMs(active, 'timeout', 50, mostMs);
  if ((timeoutMs ?? 0) > (intervalMs ?? usualIntervalMs)) active.refuse('timeout', 'is longer than interval');
  return {
    probe: readProbe(active),
    intervalMs,
    timeoutMs,
    healthyThreshold: active.integer('healthyThreshold', 1, 100),
    unhealthyThreshold: active.integer('unhealthyThreshold', 1, 100),
  };
}

const grpcService = /^[A-Za-z0-9._/-]{0,256}$/;

function readProbe(active: FieldReader): HealthProbe {
  const type = active.oneOf('type', probeTypes);
  const http = active.object('http');
  const grpc = active.object('grpc');
  if (!active.has('type')) active.refuse('type', 'is required');
  if (http !== undefined && type !== 'HTTP') active.refuse('http', 'is for the type HTTP');
  if (grpc !== undefined && type !== 'GRPC') active.refuse('grpc', 'is for the type GRPC');
  if (type === 'GRPC') {
    const service = grpc?.string('service');
    if (service !== undefined && !grpcService.test(service))
      grpc?.refuse('service', `"${service}" is no name of a gRPC service`);
    return { type, service };
  }
  if (type !== 'HTTP') return { type: 'TCP' };
  const path = http?.string('path');
  const pathProblem = path === undefined ? undefined : pathFault(path);
  if (pathProblem !== undefined) http?.refuse('path', pathProblem);
  const hostname = http?.string('hostname');
  const hostProblem =
    hostname === undefined ? undefined : hostname.includes('*') ? 'is a wildcard' : hostnameFault(hostname);
  if (hostProblem !== undefined) http?.refuse('hostname', `"${hostname}" ${hostProblem}`);
  return { type, path, hostname, expectedStatuses: http?.integers('expectedStatuses', 16, 100, 599) ?? [] };
}

function readPassive(passive: FieldReader | undefined): PassiveHealthCheck | undefined {
  if (passive === undefined) return undefined;
  const baseEjectionMs = readDurationMs(passive, 'baseEjectionTime', 1, mostMs);
  const maxEjectionMs = readDurationMs(passive, 'maxEjectionTime', 1, mostMs);
  if (baseEjectionMs !== undefined && maxEjectionMs !== undefined && baseEjectionMs > maxEjectionMs)
    passive.refuse('maxEjectionTime', 'is shorter than baseEjectionTime');
  return {
    consecutive5xxErrors: passive.integer('consecutive5xxErrors', 0, 1000),
    consecutiveConnectFailures: passive.integer('consecutiveConnectFailures', 0, 1000),
    baseEjectionMs,
    maxEjectionMs,
  };
}

const mostAtATime = 1_000_000;

function readCircuitBreaker(breaker: FieldReader | undefined): CircuitBreaker | undefined {
  if (breaker === undefined) return undefined;
  const endpoint = breaker.object('perEndpoint');
  breaker.refuseUnknown(['maxConnections', 'maxPendingRequests', 'maxParallelRequests', 'perEndpoint']);
  endpoint?.refuseUnknown(['maxConnections', 'maxParallelRequests']);
  return {
    maxConnections: breaker.integer('maxConnections', 1, mostAtATime),
    maxPendingRequests: breaker.integer('maxPendingRequests', 0, mostAtATime),
    maxParallelRequests: breaker.integer('maxParallelRequests', 1, mostAtATime),
    perEndpoint: {
      maxConnections: endpoint?.integer('maxConnections', 1, mostAtATime),
      maxParallelRequests: endpoint?.integer('maxParallelRequests', 1, mostAtATime),
    },
  };
}
