// Where an upstream lives: what all upstreams of one worker have in common.
import { defaultSettings } from '#model/default-settings.ts';
import type { OutlierEjection } from '#model/upstream-policies.ts';
import { clock } from '#transport/clock.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import type { Endpoint } from './endpoint.ts';
import type { EjectionReason } from './outlier.ts';

export interface Surroundings {
  /** Where this process runs; empty: nobody knows. */
  readonly zone: string;
  /** Undefined where no upstream has TLS. */
  readonly secure: SecureTransport | undefined;
  /** Workers that share the limits of a process. */
  readonly workers: number;
  /** Of upstreams that have no other. */
  readonly outlierEjection: OutlierEjection;
  now(): number;
  /** Runs after all events that are ready now. */
  afterTurn(action: () => void): void;
  onEjection(upstream: string, endpoint: Endpoint, reason: EjectionReason, durationMs: number): void;
}

/** One worker that nobody else has to do with. */
export const alone: Surroundings = {
  zone: '',
  secure: undefined,
  workers: 1,
  outlierEjection: defaultSettings.outlierEjection,
  now: () => clock.now(),
  afterTurn: (action) => setImmediate(action),
  onEjection: () => {},
};
