// From a verdict, a proof and what was said before to the six conditions of an object, case by case.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem, ProblemReason } from '#api/problem.ts';
import type { Tally } from '#operator/acknowledgements.ts';
import { firstStatus, judge, stalledAfterMs, weightyProblems } from '#operator/judge.ts';
import type { Case, Proof } from '#operator/judge.ts';
import { conditionOf, isSameStatus, readStatus } from '#operator/route-status.ts';
import type { ConditionType, RouteStatus } from '#operator/route-status.ts';

const now = '2026-03-01T10:00:00.123Z';
const nowSeconds = '2026-03-01T10:00:00Z';
const earlier = '2026-02-01T00:00:00Z';
const object = { kind: 'IngressRoute', namespace: 'shop', name: 'web' };

function problem(reason: ProblemReason, message: string = reason, at = 'spec'): Problem {
  return { reason, at, message };
}

function accepted(...problems: readonly Problem[]): Case['verdict'] {
  return { kind: 'Accepted', object, hosts: ['a.test'], certificates: [], problems };
}

function rejected(...problems: readonly Problem[]): Case['verdict'] {
  return { kind: 'Rejected', object, problems };
}

function tally(serving: number, total: number, ...laggards: readonly string[]): Tally {
  return { serving, total, laggards };
}

function open(serving: number, total: number, ...laggards: readonly string[]): Proof {
  return { kind: 'Open', tally: tally(serving, total, ...laggards) };
}

const provedByTwo: Proof = { kind: 'Proved', tally: tally(2, 2) };
const adopted: Proof = { kind: 'Proved', tally: undefined };

function judged(parts: Partial<Case>): RouteStatus {
  return judge({
    generation: 3,
    verdict: accepted(),
    proof: provedByTwo,
    before: undefined,
    waitedMs: 0,
    now,
    ...parts,
  });
}

/** `Accepted=True Accepted`, in the order in which they stand. */
function linesOf({ conditions }: RouteStatus): readonly string[] {
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

function messageOf(status: RouteStatus, type: ConditionType): string | undefined {
  return conditionOf(status, type)?.message;
}

interface Row {
  readonly name: string;
  readonly given: Partial<Case>;
  readonly expected: readonly string[];
}

const acceptedTrue = 'Accepted=True Accepted';
const resolvedTrue = 'ResolvedRefs=True ResolvedRefs';
const programmedTrue = 'Programmed=True Programmed';

const rows: readonly Row[] = [
  {
    name: 'accepted and proved is ready',
    given: {},
    expected: [acceptedTrue, resolvedTrue, programmedTrue, 'Ready=True Programmed'],
  },
  {
    name: 'ready stays ready however long it has been there',
    given: { waitedMs: 10 * stalledAfterMs },
    expected: [acceptedTrue, resolvedTrue, programmedTrue, 'Ready=True Programmed'],
  },
  {
    name: 'accepted and not yet served is pending',
    given: { proof: open(1, 2) },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False Pending',
      'Ready=False Pending',
      'Reconciling=True Pending',
    ],
  },
  {
    name: 'pending for just below a minute is still reconciling',
    given: { proof: open(1, 2), waitedMs: stalledAfterMs - 1 },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False Pending',
      'Ready=False Pending',
      'Reconciling=True Pending',
    ],
  },
  {
    name: 'pending for a minute is stalled',
    given: { proof: open(1, 2), waitedMs: stalledAfterMs },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False Pending',
      'Ready=False Pending',
      'Stalled=True Pending',
    ],
  },
  {
    name: 'without any pod there is no data plane',
    given: { proof: open(0, 0) },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False NoDataPlane',
      'Ready=False NoDataPlane',
      'Reconciling=True NoDataPlane',
    ],
  },
  {
    name: 'without any pod for a minute it is stalled',
    given: { proof: open(0, 0), waitedMs: stalledAfterMs },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False NoDataPlane',
      'Ready=False NoDataPlane',
      'Stalled=True NoDataPlane',
    ],
  },
  {
    name: 'all pods serve, but the proof is not taken yet',
    given: { proof: open(2, 2) },
    expected: [
      acceptedTrue,
      resolvedTrue,
      'Programmed=False Pending',
      'Ready=False Pending',
      'Reconciling=True Pending',
    ],
  },
  {
    name: 'an invalid object is stalled at once: waiting is pointless',
    given: { verdict: rejected(problem('Invalid')), proof: open(0, 0) },
    expected: [
      'Accepted=False Invalid',
      resolvedTrue,
      'Programmed=False Invalid',
      'Ready=False Invalid',
      'Stalled=True Invalid',
    ],
  },
  {
    name: 'an object that lost all of its hosts may get them back, and waits for a minute',
    given: { verdict: rejected(problem('HostnameConflict')), proof: open(1, 1) },
    expected: [
      'Accepted=False HostnameConflict',
      resolvedTrue,
      'Programmed=False HostnameConflict',
      'Ready=False HostnameConflict',
      'Reconciling=True HostnameConflict',
    ],
  },
  {
    name: 'an object that lost all of its hosts for a minute is stalled',
    given: {
      verdict: rejected(problem('HostnameConflict')),
      proof: open(1, 1),
      waitedMs: stalledAfterMs,
    },
    expected: [
      'Accepted=False HostnameConflict',
      resolvedTrue,
      'Programmed=False HostnameConflict',
      'Ready=False HostnameConflict',
      'Stalled=True HostnameConflict',
    ],
  },
  {
    name: 'an object that lost one of its hosts serves the others, and is not ready',
    given: { verdict: accepted(problem('HostnameConflict')) },
    expected: [
      'Accepted=False HostnameConflict',
      resolvedTrue,
      programmedTrue,
      'Ready=False HostnameConflict',
      'Reconciling=True HostnameConflict',
    ],
  },
  {
    name: 'a reference that leads nowhere is served as such, and is not ready',
    given: { verdict: accepted(problem('BackendNotFound')) },
    expected: [
      acceptedTrue,
      'ResolvedRefs=False BackendNotFound',
      programmedTrue,
      'Ready=False BackendNotFound',
      'Reconciling=True BackendNotFound',
    ],
  },
  {
    name: 'a reference that leads nowhere for a minute is stalled',
    given: { verdict: accepted(problem('PortNotFound')), waitedMs: stalledAfterMs },
    expected: [
      acceptedTrue,
      'ResolvedRefs=False PortNotFound',
      programmedTrue,
      'Ready=False PortNotFound',
      'Stalled=True PortNotFound',
    ],
  },
  {
    name: 'the first condition that is false speaks for all',
    given: {
      verdict: accepted(problem('BackendNotFound'), problem('RouteConflict')),
      proof: open(0, 1),
    },
    expected: [
      'Accepted=False RouteConflict',
      'ResolvedRefs=False BackendNotFound',
      'Programmed=False Pending',
      'Ready=False RouteConflict',
      'Reconciling=True RouteConflict',
    ],
  },
  {
    name: 'a note takes nothing away',
    given: { verdict: accepted(problem('TooManyEndpoints')) },
    expected: [acceptedTrue, resolvedTrue, programmedTrue, 'Ready=True Programmed'],
  },
  {
    name: 'an object that is rejected without a word is invalid',
    given: { verdict: rejected() },
    expected: [
      'Accepted=False Invalid',
      resolvedTrue,
      'Programmed=False Invalid',
      'Ready=False Invalid',
      'Stalled=True Invalid',
    ],
  },
  {
    name: 'an invalid part of an accepted object may wait',
    given: { verdict: accepted(problem('Invalid')) },
    expected: [
      'Accepted=False Invalid',
      resolvedTrue,
      programmedTrue,
      'Ready=False Invalid',
      'Reconciling=True Invalid',
    ],
  },
];

for (const { name, given, expected } of rows)
  test(name, () => {
    const status = judged(given);
    assert.deepEqual(linesOf(status), expected);
    assert.equal(status.observedGeneration, 3);
    for (const condition of status.conditions) {
      assert.equal(condition.observedGeneration, 3);
      assert.equal(condition.lastTransitionTime, nowSeconds);
    }
  });

test('every reason of a problem takes Ready away, except for a note', () => {
  const reasons = {
    Invalid: 'Accepted',
    HostnameConflict: 'Accepted',
    RouteConflict: 'Accepted',
    PathPolicyConflict: 'Accepted',
    PlaintextConflict: 'Accepted',
    TlsConflict: 'Accepted',
    HostTooLarge: 'Accepted',
    BackendNotFound: 'ResolvedRefs',
    PortNotFound: 'ResolvedRefs',
    TooManyEndpoints: undefined,
    ModelTooLarge: 'Accepted',
    SecretNotFound: 'ResolvedRefs',
    SecretInvalid: 'ResolvedRefs',
    CertificatePending: 'ResolvedRefs',
    EndpointsUnusable: 'ResolvedRefs',
  } satisfies Record<ProblemReason, ConditionType | undefined>;
  for (const [reason, type] of Object.entries(reasons)) {
    const problems = [problem(reason as ProblemReason)];
    const status = judged({ verdict: accepted(...problems) });
    const failed = status.conditions.find((condition) => condition.status === 'False');
    assert.equal(failed?.type, type);
    assert.equal(conditionOf(status, 'Ready')?.status, type === undefined ? 'True' : 'False');
    assert.equal(weightyProblems(problems).length, type === undefined ? 0 : 1);
  }
});

test('the message names every problem of a condition with its place', () => {
  const status = judged({
    verdict: accepted(
      problem('HostnameConflict', '"b.test" belongs to namespace y', 'spec.hostnames[1]'),
      problem('BackendNotFound', 'there is no Service s', 'spec.rules[0].backendRefs[0]'),
      problem('RouteConflict', 'stands twice', 'spec.rules[1]'),
    ),
  });
  const message = 'spec.hostnames[1]: "b.test" belongs to namespace y; spec.rules[1]: stands twice';
  assert.equal(messageOf(status, 'Accepted'), message);
  assert.equal(messageOf(status, 'Ready'), message);
  assert.equal(messageOf(status, 'ResolvedRefs'), 'spec.rules[0].backendRefs[0]: there is no Service s');
});

test('a message never outgrows what a status may hold', () => {
  const problems = Array.from({ length: 500 }, (_, index) =>
    problem('Invalid', 'is wrong', `spec.rules[${index}]`),
  );
  const message = messageOf(judged({ verdict: rejected(...problems) }), 'Ready') ?? '';
  assert.equal(message.length, 4096);
  assert.match(message, /\.\.\.$/);
});

test('pending says how many pods serve, and names those that lag', () => {
  const lagging = judged({
    proof: open(1, 3, 'p-1 (node-a): serves revision 4', 'p-2 (node-b): does not answer'),
  });
  assert.equal(
    messageOf(lagging, 'Ready'),
    '1/3 pods serve generation 3; waiting for p-1 (node-a): serves revision 4, p-2 (node-b): does not answer',
  );
  assert.equal(messageOf(judged({ proof: open(2, 2) }), 'Programmed'), '2/2 pods serve generation 3');
  assert.equal(lagging.dataPlane.summary, '1/3');
  assert.equal(judged({ proof: provedByTwo }).dataPlane.summary, '2/2');
  assert.equal(messageOf(judged({ proof: provedByTwo }), 'Programmed'), '2/2 pods serve generation 3');
  assert.equal(judged({ verdict: rejected(problem('Invalid')), proof: open(2, 2) }).dataPlane.summary, '');
});

test('the time of a condition is that of its last change of status, whatever else changes', () => {
  const before: RouteStatus = {
    ...judged({ proof: open(1, 2) }),
    conditions: judged({ proof: open(1, 2) }).conditions.map((condition) => ({
      ...condition,
      lastTransitionTime: earlier,
    })),
  };
  const times = (status: RouteStatus): Readonly<Record<string, string>> =>
    Object.fromEntries(status.conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]));
  const still = judged({ before, generation: 4, proof: open(0, 0) });
  assert.deepEqual(times(still), {
    Accepted: earlier,
    ResolvedRefs: earlier,
    Programmed: earlier,
    Ready: earlier,
    Reconciling: earlier,
  });
  assert.deepEqual(times(judged({ before })), {
    Accepted: earlier,
    ResolvedRefs: earlier,
    Programmed: nowSeconds,
    Ready: nowSeconds,
  });
  const stalled = judged({ before, proof: open(1, 2), waitedMs: stalledAfterMs });
  assert.equal(times(stalled)['Stalled'], nowSeconds);
  assert.equal(times(stalled)['Ready'], earlier);
});

test('an object that was stalled stays so for an operator that has just started', () => {
  const before = judged({ proof: open(1, 2), waitedMs: stalledAfterMs });
  const after = judged({ proof: open(1, 2), before, waitedMs: 0 });
  assert.deepEqual(after, before);
  for (const [changed, given] of Object.entries({
    generation: { proof: open(1, 2), generation: 4 },
    reason: { proof: open(0, 0) },
    verdict: { proof: open(1, 2), verdict: accepted(problem('BackendNotFound')) },
  })) {
    const other = judged({ ...given, before });
    assert.equal(conditionOf(other, 'Stalled'), undefined, changed);
    assert.equal(conditionOf(other, 'Reconciling')?.status, 'True', changed);
  }
  assert.equal(conditionOf(judged({ before }), 'Stalled'), undefined, 'what is ready is not stalled');
});

test('what is proved without a tally keeps the message and the summary that are stored', () => {
  const before = judged({ proof: { kind: 'Proved', tally: tally(5, 5) } });
  const after = judged({ proof: adopted, before, now: '2027-01-01T00:00:00Z' });
  assert.deepEqual(after, before);
  assert.equal(after.dataPlane.summary, '5/5');
  const unknown = judged({ proof: adopted });
  assert.equal(messageOf(unknown, 'Programmed'), 'all pods serve generation 3');
  assert.equal(unknown.dataPlane.summary, '');
});

test('the first word on an object is that it is not ready yet', () => {
  const status = firstStatus(3, now);
  assert.deepEqual(linesOf(status), ['Ready=False Pending', 'Reconciling=True Pending']);
  assert.equal(status.observedGeneration, 3);
  assert.ok(status.conditions.every(({ lastTransitionTime }) => lastTransitionTime === nowSeconds));
});

test('two statuses are the same when they differ in times and in order alone', () => {
  const status = judged({});
  const dated = status.conditions.map((condition) => ({ ...condition, lastTransitionTime: earlier }));
  assert.ok(isSameStatus(status, { ...status, conditions: dated.toReversed() }));
  assert.ok(isSameStatus(undefined, undefined));
  for (const other of [
    undefined,
    { ...status, observedGeneration: 4 },
    { ...status, dataPlane: { summary: '1/2' } },
    { ...status, conditions: dated.slice(1) },
    ...(['status', 'reason', 'message', 'observedGeneration'] as const).map((field) => ({
      ...status,
      conditions: dated.map((condition, at) => (at === 0 ? { ...condition, [field]: 'x' } : condition)),
    })),
  ])
    assert.equal(isSameStatus(status, other), false);
});

test('a stored status without conditions is none', () => {
  for (const value of [undefined, null, {}, { conditions: [] }, { conditions: 'x' }, { conditions: null }])
    assert.equal(readStatus(value), undefined);
  const { conditions } = judged({});
  assert.deepEqual(readStatus({ conditions }), {
    observedGeneration: 0,
    conditions,
    dataPlane: { summary: '' },
    addresses: [],
    certificates: [],
  });
});
