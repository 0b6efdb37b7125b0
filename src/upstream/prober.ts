// What checks an endpoint, and what it tells.
import type { FaultCode } from '#http/fault.ts';
import type { Endpoint } from '#model/route-model.ts';

export type ProbedEndpoint = Pick<Endpoint, 'address' | 'port'>;

export interface RunningProbe {
  /** Nothing is told any more. */
  cancel(): void;
}

/** Checks endpoints, all on the same terms. */
export interface Prober {
  /** The outcome is told once, after this has returned. */
  probe(endpoint: ProbedEndpoint, onOutcome: OnOutcome): RunningProbe;
}

export interface ProbeOutcome {
  readonly result: ProbeResult;
  /** In words, for people. */
  readonly text: string;
}

export type OnOutcome = (outcome: ProbeOutcome) => void;

export const probeResults = ['passed', 'failed', 'timeout'] as const;

export type ProbeResult = (typeof probeResults)[number];

export function passed(text: string): ProbeOutcome {
  return { result: 'passed', text };
}

export function failed(text: string): ProbeOutcome {
  return { result: 'failed', text };
}

export function timedOut(awaited: 'answer' | 'connection', timeoutMs: number): ProbeOutcome {
  return { result: 'timeout', text: `no ${awaited} within ${timeoutMs} ms` };
}

/** Of one endpoint. */
const faultTexts: Partial<Record<FaultCode, string>> = {
  'connect-refused': 'it does not accept connections',
  'connect-timeout': 'it does not accept connections in time',
  'backend-certificate-rejected': 'its certificate does not prove who it is',
  'backend-handshake-failed': 'the TLS handshake failed',
  'backend-refused': 'it refused the request',
  'backend-reset': 'it closed the connection before its response',
  'backend-malformed': 'its response is malformed',
  'backend-truncated': 'it broke off in the middle of its response',
};

export function brokeOff(code: FaultCode): ProbeOutcome {
  return failed(faultTexts[code] ?? code);
}
