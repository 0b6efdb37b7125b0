// The metrics of a data plane, read from a snapshot at every scrape.
import type { Registry } from 'prom-client';
import { counter, createRegistry, gauge } from './metric-definition.ts';
import type { MetricDefinition, Value } from './metric-definition.ts';

export interface RouteCounts {
  /** `namespace/name`, or `other` for requests without a route of their own. */
  readonly route: string;
  /** By status class, 1xx first. */
  readonly requests: readonly number[];
  readonly durationSum: number;
  /** Per bucket, not cumulative, the last without an upper bound. */
  readonly durationCounts: readonly number[];
}

export interface CertificateEnd {
  readonly id: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/** A label for each would grow with whatever users store. */
const mostCertificates = 1000;

export interface DataPlaneSnapshot {
  /** The upper bounds, in seconds, that durations were counted by. */
  readonly durationBuckets: readonly number[];
  readonly connections: number;
  readonly refusedConnections: readonly (readonly [reason: string, count: number])[];
  readonly displacedConnections: { readonly idle: number; readonly busy: number };
  readonly handshakes: readonly (readonly [outcome: string, count: number])[];
  readonly http2Errors: readonly (readonly [scope: string, code: string, count: number])[];
  readonly passedThrough: { readonly requestBytes: number; readonly responseBytes: number };
  readonly activeRequests: number;
  readonly retries: number;
  readonly ejections: readonly (readonly [reason: string, count: number])[];
  readonly faults: readonly (readonly [code: string, count: number])[];
  readonly routes: readonly RouteCounts[];
  readonly revision: number;
  readonly hosts: number;
  readonly upstreams: number;
  readonly certificates: readonly CertificateEnd[];
  readonly refusedAnswers: number;
  readonly health: {
    readonly checks: readonly (readonly [result: string, count: number])[];
    readonly unwellEndpoints: number;
  };
  readonly refusedBundles: readonly (readonly [refusal: string, count: number])[];
  /** Undefined when bundles do not come from a cluster. */
  readonly contactAgeSeconds: number | undefined;
  readonly workers: number;
  readonly workerRestarts: number;
  /** Since the last scrape. */
  readonly workerLagSeconds: number;
  /** Undefined where memory has no limit. */
  readonly memory:
    | { readonly level: number; readonly usedBytes: number; readonly limitBytes: number }
    | undefined;
}

/** docs/reference/metrics.md lists the same, and a check holds the two together. */
export const dataPlaneMetrics: readonly MetricDefinition<DataPlaneSnapshot>[] = [
  {
    name: 'flint_requests_total',
    type: 'counter',
    help: 'Requests that ended, by route and status class.',
    labels: ['route', 'status'],
    values: ({ routes }) =>
      routes.flatMap(({ route, requests }) =>
        requests.map((value, index) => ({ labels: { route, status: `${index + 1}xx` }, value })),
      ),
  },
  {
    name: 'flint_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the head of a request to the end of its response, by route.',
    labels: ['route', 'le'],
    values: ({ routes, durationBuckets }) =>
      routes.flatMap((counts) => histogramValues(counts, durationBuckets)),
  },
  {
    name: 'flint_faults_total',
    type: 'counter',
    help: 'Requests that ended in a fault, by the code of x-flint-fault.',
    labels: ['fault'],
    values: ({ faults }) => faults.map(([fault, value]) => ({ labels: { fault }, value })),
  },
  gauge('flint_connections', 'Open client connections.', (snapshot) => snapshot.connections),
  {
    name: 'flint_refused_connections_total',
    type: 'counter',
    help: 'Client connections that were ended at once, by reason: no-room, largest-client, client-limit, memory.',
    labels: ['reason'],
    values: ({ refusedConnections }) =>
      refusedConnections.map(([reason, value]) => ({ labels: { reason }, value })),
  },
  {
    name: 'flint_displaced_connections_total',
    type: 'counter',
    help: 'Client connections that were ended to make room for others, by whether a request was under way.',
    labels: ['state'],
    values: ({ displacedConnections: { idle, busy } }) => [
      { labels: { state: 'idle' }, value: idle },
      { labels: { state: 'busy' }, value: busy },
    ],
  },
  {
    name: 'flint_tls_handshakes_total',
    type: 'counter',
    help: 'Connections that were to be ones with TLS, by how that ended.',
    labels: ['outcome'],
    values: ({ handshakes }) => handshakes.map(([outcome, value]) => ({ labels: { outcome }, value })),
  },
  {
    name: 'flint_http2_errors_total',
    type: 'counter',
    help: 'Streams of clients that were reset and connections that were ended with a GOAWAY, by error code of RFC 9113.',
    labels: ['scope', 'code'],
    values: ({ http2Errors }) =>
      http2Errors.map(([scope, code, value]) => ({ labels: { scope, code }, value })),
  },
  {
    name: 'flint_passthrough_bytes_total',
    type: 'counter',
    help: 'Bytes of connections whose TLS backends end, counted when they end, by who sent them.',
    labels: ['from'],
    values: ({ passedThrough }) => [
      { labels: { from: 'client' }, value: passedThrough.requestBytes },
      { labels: { from: 'backend' }, value: passedThrough.responseBytes },
    ],
  },
  gauge(
    'flint_active_requests',
    'Requests that have begun and not ended.',
    (snapshot) => snapshot.activeRequests,
  ),
  counter(
    'flint_retries_total',
    'Requests that were sent again although a backend may have acted on them.',
    (snapshot) => snapshot.retries,
  ),
  {
    name: 'flint_ejections_total',
    type: 'counter',
    help: 'Times that a worker left an endpoint alone for a while, since it had failed too often, by reason.',
    labels: ['reason'],
    values: ({ ejections }) => ejections.map(([reason, value]) => ({ labels: { reason }, value })),
  },
  gauge('flint_table_revision', 'The revision that every worker serves.', (snapshot) => snapshot.revision),
  gauge('flint_table_hosts', 'Hosts in the route table.', (snapshot) => snapshot.hosts),
  gauge('flint_table_upstreams', 'Upstreams in the route table.', (snapshot) => snapshot.upstreams),
  gauge('flint_table_certificates', 'Certificates in the table.', (snapshot) => snapshot.certificates.length),
  {
    name: 'flint_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: `When a certificate ends, in Unix time; of the ${mostCertificates} that end first.`,
    labels: ['certificate'],
    values: ({ certificates }) =>
      certificates
        .map(({ id, notAfter }) => ({ labels: { certificate: id }, value: Date.parse(notAfter) / 1000 }))
        .sort((a, b) => a.value - b.value)
        .slice(0, mostCertificates),
  },
  counter(
    'flint_dns_refused_answers_total',
    'Addresses that DNS names led to and that were not used, since they are not public.',
    (snapshot) => snapshot.refusedAnswers,
  ),
  {
    name: 'flint_health_checks_total',
    type: 'counter',
    help: 'Health checks of endpoints, by how they ended.',
    labels: ['result'],
    values: ({ health }) => health.checks.map(([result, value]) => ({ labels: { result }, value })),
  },
  gauge(
    'flint_unwell_endpoints',
    'Endpoints that health checks have found unwell: they are used only where no other is left.',
    ({ health }) => health.unwellEndpoints,
  ),
  {
    name: 'flint_refused_bundles_total',
    type: 'counter',
    help: 'Bundles that were not taken, by reason; the last good table stayed.',
    labels: ['refusal'],
    values: ({ refusedBundles }) =>
      refusedBundles.map(([refusal, value]) => ({ labels: { refusal }, value })),
  },
  {
    name: 'flint_cluster_contact_age_seconds',
    type: 'gauge',
    help: 'Time since the API server last said anything: how old the route table may be. Absent without a cluster.',
    labels: [],
    values: ({ contactAgeSeconds }) =>
      contactAgeSeconds === undefined ? [] : [{ labels: {}, value: contactAgeSeconds }],
  },
  gauge('flint_workers', 'Worker threads that are running.', (snapshot) => snapshot.workers),
  counter(
    'flint_worker_restarts_total',
    'Worker threads that died or stood still and were replaced.',
    (snapshot) => snapshot.workerRestarts,
  ),
  gauge(
    'flint_worker_lag_seconds',
    'The longest that the loop of a worker was held up since the last scrape; below 0.05 it is the precision of its timers.',
    (snapshot) => snapshot.workerLagSeconds,
  ),
  ofMemory(
    'flint_memory_pressure',
    'How short memory is: 0 enough, 1 connections end with their responses, 2 new requests get 503, 3 streams are reset.',
    ({ level }) => level,
  ),
  ofMemory(
    'flint_memory_bytes',
    'Memory in use, as it is held against the limit.',
    ({ usedBytes }) => usedBytes,
  ),
  ofMemory('flint_memory_limit_bytes', 'The limit of memory.', ({ limitBytes }) => limitBytes),
];

/** Absent where memory has no limit. */
function ofMemory(
  name: string,
  help: string,
  value: (memory: NonNullable<DataPlaneSnapshot['memory']>) => number,
): MetricDefinition<DataPlaneSnapshot> {
  const values = ({ memory }: DataPlaneSnapshot): readonly Value[] =>
    memory === undefined ? [] : [{ labels: {}, value: value(memory) }];
  return { name, type: 'gauge', help, labels: [], values };
}

function histogramValues(counts: RouteCounts, buckets: readonly number[]): readonly Value[] {
  const { route } = counts;
  let cumulative = 0;
  const name = 'flint_request_duration_seconds';
  const values: Value[] = counts.durationCounts.map((count, index) => {
    cumulative += count;
    return {
      metricName: `${name}_bucket`,
      labels: { route, le: buckets[index] ?? '+Inf' },
      value: cumulative,
    };
  });
  values.push({ metricName: `${name}_sum`, labels: { route }, value: counts.durationSum });
  values.push({ metricName: `${name}_count`, labels: { route }, value: cumulative });
  return values;
}

export function createDataPlaneMetrics(snapshot: () => DataPlaneSnapshot): Registry {
  return createRegistry(dataPlaneMetrics, snapshot);
}
