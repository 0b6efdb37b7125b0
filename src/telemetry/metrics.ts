// The metrics of a data plane, in prom-client's registry, read from a snapshot at every scrape.
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Metric } from 'prom-client';

export interface RouteCounts {
  /** `namespace/name`, or `other` for requests without a route of their own. */
  readonly route: string;
  /** By status class, 1xx first. */
  readonly requests: readonly number[];
  readonly durationSum: number;
  /** Per bucket, not cumulative, the last without an upper bound. */
  readonly durationCounts: readonly number[];
}

export interface MetricsSnapshot {
  readonly connections: number;
  readonly activeRequests: number;
  readonly faults: readonly (readonly [code: string, count: number])[];
  readonly routes: readonly RouteCounts[];
  readonly revision: number;
  readonly hosts: number;
  readonly upstreams: number;
  readonly refusedBundles: readonly (readonly [refusal: string, count: number])[];
  readonly workers: number;
  readonly workerRestarts: number;
}

interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

interface Definition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  values(snapshot: MetricsSnapshot, buckets: readonly number[]): readonly Value[];
}

/** Every metric of our own: docs/reference/metrics.md lists the same, and a test holds the two together. */
export const metricDefinitions: readonly Definition[] = [
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
    values: ({ routes }, buckets) => routes.flatMap((counts) => histogramValues(counts, buckets)),
  },
  {
    name: 'flint_faults_total',
    type: 'counter',
    help: 'Requests that ended in a fault, by the code of x-flint-fault.',
    labels: ['fault'],
    values: ({ faults }) => faults.map(([fault, value]) => ({ labels: { fault }, value })),
  },
  gauge('flint_connections', 'Open client connections.', (snapshot) => snapshot.connections),
  gauge(
    'flint_active_requests',
    'Requests that have begun and not ended.',
    (snapshot) => snapshot.activeRequests,
  ),
  gauge('flint_table_revision', 'The revision that every worker serves.', (snapshot) => snapshot.revision),
  gauge('flint_table_hosts', 'Hosts in the route table.', (snapshot) => snapshot.hosts),
  gauge('flint_table_upstreams', 'Upstreams in the route table.', (snapshot) => snapshot.upstreams),
  {
    name: 'flint_refused_bundles_total',
    type: 'counter',
    help: 'Bundles that were not taken, by reason; the last good table stayed.',
    labels: ['refusal'],
    values: ({ refusedBundles }) =>
      refusedBundles.map(([refusal, value]) => ({ labels: { refusal }, value })),
  },
  gauge('flint_workers', 'Worker threads that are running.', (snapshot) => snapshot.workers),
  {
    name: 'flint_worker_restarts_total',
    type: 'counter',
    help: 'Worker threads that died and were replaced.',
    labels: [],
    values: ({ workerRestarts }) => [{ labels: {}, value: workerRestarts }],
  },
];

function gauge(name: string, help: string, value: (snapshot: MetricsSnapshot) => number): Definition {
  return {
    name,
    type: 'gauge',
    help,
    labels: [],
    values: (snapshot) => [{ labels: {}, value: value(snapshot) }],
  };
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

/** `buckets`: the upper bounds in seconds that durationCounts were counted by. */
export function createMetrics(snapshot: () => MetricsSnapshot, buckets: readonly number[]): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const definition of metricDefinitions) {
    const metric = {
      name: definition.name,
      help: definition.help,
      type: definition.type,
      aggregator: 'sum',
      get: () => ({
        name: definition.name,
        help: definition.help,
        type: definition.type,
        aggregator: 'sum',
        values: definition.values(snapshot(), buckets),
      }),
    };
    // prom-client reads a metric through get() alone; its own classes cannot be set to values counted elsewhere.
    registry.registerMetric(metric as unknown as Metric);
  }
  return registry;
}
