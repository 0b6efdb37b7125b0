// How a metric of our own is described, and prom-client's registry made of such descriptions.
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Metric } from 'prom-client';

export interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Read from a snapshot of type S at every scrape. */
export interface MetricDefinition<S> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  values(snapshot: S): readonly Value[];
}

export function gauge<S>(name: string, help: string, value: (snapshot: S) => number): MetricDefinition<S> {
  return single(name, 'gauge', help, value);
}

export function counter<S>(name: string, help: string, value: (snapshot: S) => number): MetricDefinition<S> {
  return single(name, 'counter', help, value);
}

function single<S>(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: (snapshot: S) => number,
): MetricDefinition<S> {
  return { name, type, help, labels: [], values: (snapshot) => [{ labels: {}, value: value(snapshot) }] };
}

/** These metrics and those of the process. */
export function createRegistry<S>(definitions: readonly MetricDefinition<S>[], snapshot: () => S): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const definition of definitions) {
    const { name, help, type } = definition;
    const described = { name, help, type, aggregator: 'sum' };
    // prom-client reads a metric through get() alone; its own classes cannot be set to values counted elsewhere.
    const metric = { ...described, get: () => ({ ...described, values: definition.values(snapshot()) }) };
    registry.registerMetric(metric as unknown as Metric);
  }
  return registry;
}
