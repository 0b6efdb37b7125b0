// A verdict and a proof -> the conditions of one object. Pure: time and what was said before come in as data.
//
//   Accepted      what one object and its neighbours can decide
//   ResolvedRefs  every backendRef leads to a Service port
//   Programmed    every data-plane pod has proved that all its workers serve this generation
//   Ready         the three above: the one that people and tools wait for
//   Reconciling   True while an answer is still open; Stalled: True when waiting has gone on too long, or is pointless
import type { Problem, ProblemReason } from '#api/problem.ts';
import type { Verdict } from '#translate/verdict.ts';
import type { Tally } from './acknowledgements.ts';
import { conditionOf } from './route-status.ts';
import type { Condition, ConditionType, RouteStatus } from './route-status.ts';

/** Whether the data plane serves what this object says now. */
export type Proof =
  /** It has been proved; later pods, and pods that go, change nothing about it. */
  | { readonly kind: 'Proved'; readonly tally: Tally | undefined }
  /** Not published yet, or not served by everybody. */
  | { readonly kind: 'Open'; readonly tally: Tally }
  /** Some pods cannot do what it asks for: it waits until they are gone. */
  | { readonly kind: 'HeldBack'; readonly tally: Tally };

export interface Case {
  readonly generation: number;
  readonly verdict: Exclude<Verdict, { readonly kind: 'NotOurs' }>;
  readonly proof: Proof;
  /** What is stored. */
  readonly before: RouteStatus | undefined;
  /** How long this object has been waiting for its present outcome. */
  readonly waitedMs: number;
  /** RFC 3339. */
  readonly now: string;
}

/** After this long, an object that is not Ready is Stalled: tools stop waiting for it. */
export const stalledAfterMs = 60_000;

/** Which condition a problem belongs to; Note: it takes nothing away from what the user asked for. */
const conditionOfReason: Readonly<Record<ProblemReason, 'Accepted' | 'ResolvedRefs' | 'Note'>> = {
  Invalid: 'Accepted',
  HostnameConflict: 'Accepted',
  RouteConflict: 'Accepted',
  PathPolicyConflict: 'Accepted',
  PlaintextConflict: 'Accepted',
  TlsConflict: 'Accepted',
  HostTooLarge: 'Accepted',
  ModelTooLarge: 'Accepted',
  BackendNotFound: 'ResolvedRefs',
  PortNotFound: 'ResolvedRefs',
  SecretNotFound: 'ResolvedRefs',
  SecretInvalid: 'ResolvedRefs',
  CertificatePending: 'ResolvedRefs',
  TooManyEndpoints: 'Note',
  EndpointsUnusable: 'ResolvedRefs',
};

/** The problems that count for an outcome: notes may change with every endpoint. */
export function weightyProblems(problems: readonly Problem[]): readonly Problem[] {
  return problems.filter(({ reason }) => conditionOfReason[reason] !== 'Note');
}

/** What `Programmed` says of an object that is served, or could be. */
export const proofReasons = ['Pending', 'NoDataPlane', 'DataPlaneTooOld'] as const;

type Said = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

export function judge({ generation, verdict, proof, before, waitedMs, now }: Case): RouteStatus {
  const accepted = judgeProblems('Accepted', verdict);
  const resolvedRefs = judgeProblems('ResolvedRefs', verdict);
  const programmed = judgeProof(verdict, proof, generation, accepted, before);
  const failed = [accepted, resolvedRefs, programmed].find(({ status }) => status === 'False');
  const said: Said[] = [
    accepted,
    resolvedRefs,
    programmed,
    failed === undefined ? { ...programmed, type: 'Ready' } : { ...failed, type: 'Ready' },
  ];
  if (failed !== undefined) {
    const isPointless = verdict.kind === 'Rejected' && failed.reason === 'Invalid';
    const wasStalled =
      before?.observedGeneration === generation && conditionOf(before, 'Stalled')?.reason === failed.reason;
    const isStalled = isPointless || wasStalled || waitedMs >= stalledAfterMs;
    said.push({ ...failed, type: isStalled ? 'Stalled' : 'Reconciling', status: 'True' });
  }
  return {
    observedGeneration: generation,
    conditions: said.map((each) => dated({ ...each, observedGeneration: generation }, before, now)),
    dataPlane: { summary: summaryOf(verdict, proof, before) },
  };
}

/** What is said of an object before anything is known: tools take an object without conditions for done. */
export function firstStatus(generation: number, now: string): RouteStatus {
  const message = 'its references are being looked up';
  const said: readonly Said[] = [
    { type: 'Ready', status: 'False', reason: 'Pending', message },
    { type: 'Reconciling', status: 'True', reason: 'Pending', message },
  ];
  return {
    observedGeneration: generation,
    conditions: said.map((each) => dated({ ...each, observedGeneration: generation }, undefined, now)),
    dataPlane: { summary: '' },
  };
}

function judgeProblems(
  type: 'Accepted' | 'ResolvedRefs',
  verdict: Exclude<Verdict, { readonly kind: 'NotOurs' }>,
): Said {
  const problems = verdict.problems.filter(({ reason }) => conditionOfReason[reason] === type);
  const [first] = problems;
  if (first === undefined) {
    // What is rejected has not been looked up.
    if (type === 'ResolvedRefs' || verdict.kind === 'Accepted')
      return { type, status: 'True', reason: type, message: '' };
    return { type, status: 'False', reason: 'Invalid', message: 'nothing of it can be served' };
  }
  return { type, status: 'False', reason: first.reason, message: messageOf(problems) };
}

const largestMessage = 4096;

/** `spec.hostnames[1]: "b.example" belongs to namespace x; ...` */
function messageOf(problems: readonly Problem[]): string {
  const text = problems.map(({ at, message }) => `${at}: ${message}`).join('; ');
  return text.length <= largestMessage ? text : `${text.slice(0, largestMessage - 3)}...`;
}

function judgeProof(
  verdict: Case['verdict'],
  proof: Proof,
  generation: number,
  accepted: Said,
  before: RouteStatus | undefined,
): Said {
  const type: ConditionType = 'Programmed';
  if (verdict.kind === 'Rejected')
    return { type, status: 'False', reason: accepted.reason, message: 'nothing of it is served' };
  const { tally } = proof;
  if (proof.kind === 'Proved') {
    const message =
      tally === undefined
        ? (conditionOf(before, type)?.message ?? `all pods serve generation ${generation}`)
        : `${ratio(tally)} pods serve generation ${generation}`;
    return { type, status: 'True', reason: 'Programmed', message };
  }
  if (proof.tally.total === 0)
    return {
      type,
      status: 'False',
      reason: 'NoDataPlane',
      message: 'there is no data-plane pod that is ready',
    };
  if (proof.kind === 'HeldBack')
    return {
      type,
      status: 'False',
      reason: 'DataPlaneTooOld',
      message:
        'some data-plane pods are of a version that cannot serve all of it; it is served when the last of them is replaced',
    };
  const { laggards } = proof.tally;
  const waiting = laggards.length === 0 ? '' : `; waiting for ${laggards.join(', ')}`;
  return {
    type,
    status: 'False',
    reason: 'Pending',
    message: `${ratio(proof.tally)} pods serve generation ${generation}${waiting}`,
  };
}

function ratio({ serving, total }: Tally): string {
  return `${serving}/${total}`;
}

function summaryOf(verdict: Case['verdict'], proof: Proof, before: RouteStatus | undefined): string {
  // Of what waits for a rollout no count of pods is of use, and each of them would be a write.
  if (verdict.kind === 'Rejected' || proof.kind === 'HeldBack') return '';
  return proof.tally === undefined ? (before?.dataPlane.summary ?? '') : ratio(proof.tally);
}

/** The time of the last change of `status`, kept while it stays. */
function dated(
  condition: Omit<Condition, 'lastTransitionTime'>,
  before: RouteStatus | undefined,
  now: string,
): Condition {
  const known = conditionOf(before, condition.type);
  const lastTransitionTime =
    known?.status === condition.status ? known.lastTransitionTime : now.replace(/\.[0-9]+Z$/, 'Z');
  return { ...condition, lastTransitionTime };
}
