// What holds for every route alike unless whoever runs Flint says otherwise.
import type { LoadBalancing, Settings } from './route-model.ts';

export const defaultSettings: Settings = {
  connectTimeoutMs: 1000,
  upstreamIdleTimeoutMs: 3000,
  clientIdleTimeoutMs: 60_000,
  headTimeoutMs: 10_000,
  attempts: 3,
  fallback: { kind: 'NotFound' },
  defaultCertificate: { kind: 'None' },
  // An endpoint that nobody can reach says nothing of what its users think of its answers: those are not judged here.
  outlierEjection: {
    consecutive5xx: 0,
    connectFailures: 3,
    baseEjectionMs: 5000,
    maxEjectionMs: 60_000,
  },
};

export const defaultLoadBalancing: LoadBalancing = 'LeastRequests';
