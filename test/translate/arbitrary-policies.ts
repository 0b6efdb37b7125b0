// Generates what rules ask of the endpoints behind them, and of their requests when one fails; some say defaults in other words.
import * as fc from 'fast-check';

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, ...requiredKeys: (keyof T)[]) =>
  fc.record(model, { noNullPrototype: true, requiredKeys });

const hashed = oneOf(
  { type: 'SourceIP' },
  { type: 'Cookie', name: 'id' },
  { type: 'Header', name: 'X-Id' },
  { type: 'Header', name: 'x-id' },
).map((consistentHash) => ({ type: 'ConsistentHash', consistentHash }));

const loadBalancing = fc
  .tuple(
    fc.oneof(record({ type: oneOf('RoundRobin', 'LeastRequests') }), hashed),
    record({ slowStart: oneOf('10s', '10000ms'), zonePreference: oneOf('Hinted', 'Always', 'Never') }),
  )
  .map(([type, rest]) => ({ ...type, ...rest }));

const statuses = fc.uniqueArray(oneOf(200, 204, 301), { maxLength: 3 });
const probe = fc.oneof(
  record(
    { type: fc.constant('HTTP'), http: record({ path: oneOf('/', '/healthz'), expectedStatuses: statuses }) },
    'type',
  ),
  record({ type: fc.constant('TCP') }, 'type'),
  record({ type: fc.constant('GRPC'), grpc: record({ service: oneOf('', 'a.B') }) }, 'type'),
);
const active = fc
  .tuple(probe, record({ interval: oneOf('10s', '500ms'), healthyThreshold: oneOf(1, 2) }))
  .map(([asked, rest]) => ({ ...asked, ...rest }));
const passive = record({ consecutive5xxErrors: oneOf(0, 5), maxEjectionTime: oneOf('1s', '1m') });
const limits = { maxConnections: oneOf(1, 100), maxParallelRequests: oneOf(7) };
const circuitBreaker = record({
  ...limits,
  maxPendingRequests: oneOf(0, 1024),
  perEndpoint: record(limits),
});

export const upstreamPolicy = {
  loadBalancing,
  healthCheck: record({ active, passive }),
  circuitBreaker,
} as const;

export const retry = record({
  attempts: oneOf(0, 2, 5),
  codes: fc.uniqueArray(oneOf(502, 503, 504), { maxLength: 3 }),
  backoff: oneOf('25ms', '1s'),
});

export const sessionPersistence = fc.oneof(
  record({ idleTimeout: oneOf('30m'), absoluteTimeout: oneOf('24h'), cookieConfig: fc.constant({}) }),
  oneOf({ type: 'Header', sessionName: 'X-Session' }, { sessionName: 's' }),
);
