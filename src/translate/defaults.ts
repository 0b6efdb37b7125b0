// Every default of the API, in one place: the CRD has none, so that stored objects equal applied ones.
import type { DoubtfulPath, Settings, Timeouts } from '#model/route-model.ts';
import type { TranslateSettings } from './cluster-view.ts';

export const defaultSettings: Settings = {
  connectTimeoutMs: 1000,
  upstreamIdleTimeoutMs: 3000,
  clientIdleTimeoutMs: 60_000,
  headTimeoutMs: 10_000,
  attempts: 3,
};

export const defaultTranslateSettings: TranslateSettings = {
  settings: defaultSettings,
  loadBalancing: 'LeastRequests',
};

const requestMs = 60_000;
const idleMs = 60_000;

/** backendRequest is as request when absent. */
export function timeoutsWithDefaults(given: {
  readonly [K in keyof Timeouts]?: number | undefined;
}): Timeouts {
  const request = given.requestMs ?? requestMs;
  return {
    requestMs: request,
    backendRequestMs: given.backendRequestMs ?? request,
    idleMs: given.idleMs ?? idleMs,
  };
}

export const defaultWeight = 1;
export const defaultDoubtfulPath: DoubtfulPath = 'Reject';
export const defaultPath = '/';
