// The metrics of an operator, read from a snapshot at every scrape.
import type { Registry } from 'prom-client';
import { counter, createRegistry, gauge } from './metric-definition.ts';
import type { MetricDefinition } from './metric-definition.ts';

export interface OperatorMetricsSnapshot {
  readonly isLeading: boolean;
  readonly sequence: number;
  readonly publishWrites: number;
  readonly publishBytes: number;
  readonly statusWrites: number;
  readonly failures: number;
  readonly repairs: number;
  readonly members: number;
  readonly contactAgeSeconds: number;
  readonly cycleSeconds: number;
  /** IngressRoutes by the reason of their Ready condition. */
  readonly routes: ReadonlyMap<string, number>;
  /** `namespace/secret` -> when it ends, in seconds since 1970. */
  readonly certificates: ReadonlyMap<string, number>;
}

/** A series each: more would cost whoever scrapes them more than they are worth. */
const largestSeries = 1000;

/** docs/reference/metrics.md lists the same, and a check holds the two together. */
export const operatorMetrics: readonly MetricDefinition<OperatorMetricsSnapshot>[] = [
  gauge('flint_operator_leading', '1 while this replica leads.', ({ isLeading }) => (isLeading ? 1 : 0)),
  gauge(
    'flint_operator_revision',
    'The revision that this leader published last.',
    ({ sequence }) => sequence,
  ),
  gauge(
    'flint_operator_data_plane_pods',
    'Data-plane pods that have to prove a revision.',
    ({ members }) => members,
  ),
  {
    name: 'flint_operator_routes',
    type: 'gauge',
    help: 'IngressRoutes by the reason of their Ready condition.',
    labels: ['reason'],
    values: ({ routes }) => [...routes].map(([reason, value]) => ({ labels: { reason }, value })),
  },
  gauge(
    'flint_operator_cycle_seconds',
    'How long the last translation took.',
    ({ cycleSeconds }) => cycleSeconds,
  ),
  gauge(
    'flint_operator_contact_age_seconds',
    'Time since the collection that is silent longest was heard of.',
    ({ contactAgeSeconds }) => contactAgeSeconds,
  ),
  counter(
    'flint_operator_publish_writes_total',
    'Writes of chunks and heads.',
    ({ publishWrites }) => publishWrites,
  ),
  counter(
    'flint_operator_publish_bytes_total',
    'Bytes of the chunks and heads that were written.',
    ({ publishBytes }) => publishBytes,
  ),
  {
    name: 'flint_operator_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When each served certificate ends, the 1000 that end first.',
    labels: ['secret'],
    values: ({ certificates }) =>
      [...certificates]
        .sort(([, a], [, b]) => a - b)
        .slice(0, largestSeries)
        .map(([secret, value]) => ({ labels: { secret }, value })),
  },
  counter('flint_operator_status_writes_total', 'Writes of status.', ({ statusWrites }) => statusWrites),
  counter(
    'flint_operator_failures_total',
    'Calls of the API server that failed and were tried again.',
    ({ failures }) => failures,
  ),
  counter(
    'flint_operator_repairs_total',
    'Generated objects that somebody else had changed or removed.',
    ({ repairs }) => repairs,
  ),
];

export function createOperatorMetrics(snapshot: () => OperatorMetricsSnapshot): Registry {
  return createRegistry(operatorMetrics, snapshot);
}
