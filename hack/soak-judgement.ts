// Which failures a soak may have: this file is the whole of the judgement.
//
// A request may fail only because of the backend that it was on, and only if it could not safely have been sent elsewhere.
// Flint sends a request again when no backend can have acted on it: the connection was never made, or one of the pool was
// dead before a byte of the response came and the method is idempotent (docs/life-of-a-request.md). So a failure is
// explained if, and only if,
//
//   1. nothing wrong was received: an answer to somebody else, or a body that looks complete and is not, is never explained;
//   2. the backend has said by itself that it has harmed this very request, and Flint's fault is what such harm must look like;
//      but not a reset on a connection that had been used before, under a method that could have been repeated, and was not;
//   3. or the endpoint that had the request was killed while it had it: what was in its buffers no backend can tell of;
//   4. or the thread of Flint that had it was killed on purpose while it was open: the access log says nothing of it then, or that
//      all of it was done, with the last bytes still to be sent. A status is explained then by the harm that the backend tells of.
//
// Changes of routes, endpoints and certificates, floods, slow clients, endpoints that are down when the request comes and
// endpoints that are slow explain nothing.
import type { AccessLine } from '../test/e2e/flint-process.ts';
import type { Harm, Mood } from './soak-orders.ts';

export interface Failure {
  readonly id: string;
  /** The kind of client. */
  readonly client: string;
  readonly isIdempotent: boolean;
  /** A status that is no success, a connection or stream that broke, or something that should never have come. */
  readonly kind: 'Status' | 'Broken' | 'Wrong';
  readonly text: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Something that was killed, and when: what it was told, and when it was found dead. */
export interface Killing {
  /** A port, or 0 for a thread of Flint. */
  readonly port: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What each harm may look like in the access log. */
const looks: Readonly<Record<Mood, readonly string[]>> = {
  healthy: [],
  down: [],
  resets: ['backend-reset'],
  hangs: ['backend-timeout'],
  garbage: ['backend-malformed', 'backend-reset'],
  poison: ['backend-malformed', 'backend-truncated'],
  slow: [],
  breaks: ['backend-truncated', 'backend-reset'],
};

/** Of a request that was with an endpoint when it was killed. A tunnel has no fault then: it has ended. */
const looksOfKilled: readonly string[] = ['backend-reset', 'backend-truncated', ''];

/** Words for what has explained it; undefined: nothing. `line` is that of the access log, if there is one. */
export function explanation(
  failure: Failure,
  line: AccessLine | undefined,
  harm: Harm | undefined,
  killings: readonly Killing[],
): string | undefined {
  if (failure.kind === 'Wrong') return undefined;
  const wasOpen = ({ fromMs, toMs }: Killing): boolean =>
    failure.beganMs <= toMs && failure.endedMs >= fromMs;
  if (failure.kind === 'Broken' && (line === undefined || (line.fault === '' && line.status === 200))) {
    const isThreadGone = killings.some((killing) => killing.port === 0 && wasOpen(killing));
    return isThreadGone ? 'its thread was killed' : undefined;
  }
  if (line === undefined) {
    const isLineLost = killings.some((killing) => killing.port === 0 && wasOpen(killing));
    const isHarmed = harm !== undefined && looks[harm.mood].length > 0;
    return isLineLost && isHarmed ? `its backend ${harm.mood}` : undefined;
  }
  if (harm !== undefined && looks[harm.mood].includes(line.fault)) {
    const couldRepeat = failure.isIdempotent && harm.mood === 'resets' && !harm.isFirst;
    return couldRepeat && line['attempts'] === 1 ? undefined : `its backend ${harm.mood}`;
  }
  const port = Number(/:(\d+)$/.exec(String(line['endpoint']))?.[1] ?? 0);
  const isKilled = port > 0 && killings.some((killing) => killing.port === port && wasOpen(killing));
  if (!isKilled) return undefined;
  // HTTP/2 says that it has not acted on it; but a body that was sent cannot be sent again.
  const isRefusal = line.fault === 'backend-refused' && !failure.isIdempotent;
  return isRefusal || looksOfKilled.includes(line.fault) ? 'its backend was killed' : undefined;
}
