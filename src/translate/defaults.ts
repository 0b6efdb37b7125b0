// Every default of the API, in one place: the CRD has none, so that stored objects equal applied ones.
import { usualIntervalMs } from '#api/upstream-policy.ts';
import { defaultLoadBalancing, defaultSettings } from '#model/default-settings.ts';
import type { DoubtfulPath, Timeouts } from '#model/route-model.ts';
import type { TranslateSettings } from './cluster-view.ts';

export const defaultTranslateSettings: TranslateSettings = {
  settings: defaultSettings,
  loadBalancing: defaultLoadBalancing,
  externalNames: 'Refused',
  wildcardsClaimSubdomains: false,
  defaultBackend: undefined,
  defaultCertificate: undefined,
  assumedClass: '',
};

const requestMs = 60_000;
const idleMs = 60_000;

/** One value for nearly all rules. */
const usualTimeouts: Timeouts = { requestMs, backendRequestMs: requestMs, idleMs };

/** backendRequest is as request when absent. */
export function timeoutsWithDefaults(given: {
  readonly [K in keyof Timeouts]?: number | undefined;
}): Timeouts {
  const request = given.requestMs ?? requestMs;
  if (request === requestMs && given.backendRequestMs === undefined && given.idleMs === undefined)
    return usualTimeouts;
  return {
    requestMs: request,
    backendRequestMs: given.backendRequestMs ?? request,
    idleMs: given.idleMs ?? idleMs,
  };
}

export const defaultHealthCheck = {
  intervalMs: usualIntervalMs,
  timeoutMs: 1000,
  healthyThreshold: 1,
  unhealthyThreshold: 3,
} as const;
export const defaultHealthPath = '/';
export const defaultConsecutive5xx = 5;
export const defaultPendingRequests = 1024;

export const defaultRetryAttempts = 2;
export const defaultRetryBackoffMs = 25;

export const defaultWeight = 1;
export const defaultDoubtfulPath: DoubtfulPath = 'Reject';
export const defaultClientValidation = 'AllowValidOnly';
export const defaultPath = '/';
export const defaultRedirectStatus = 302;
export const defaultContentType = 'text/plain; charset=utf-8';
