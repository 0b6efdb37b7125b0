// What is known of one IngressRoute between two writes of its status.
import { readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { RouteModel } from '#model/route-model.ts';
import type { ServedCertificate, Verdict } from '#translate/verdict.ts';
import type { Tally } from './acknowledgements.ts';
import { judge, weightyProblems } from './judge.ts';
import type { Proof } from './judge.ts';
import { isNewer } from './object-version.ts';
import { conditionOf, isSameJudgement, readStatus } from './route-status.ts';
import type { RouteStatus } from './route-status.ts';

export interface TrackedRoute {
  object: KubernetesObject;
  verdict: Verdict;
  outcome: string;
  /** The first revision that holds this outcome. */
  sequence: number;
  sinceMs: number;
  /** An upstream of it has no endpoint: perhaps because its EndpointSlice is still on its way here. */
  isEmpty: boolean;
  isHeldBack: boolean;
  /** What has been proved to be served, and what is on its way: a renewal changes nothing else about an object. */
  certificates: readonly ServedCertificate[];
  certificatesSequence: number;
  isProved: boolean;
  provedBy: Tally | undefined;
  written: KubernetesObject | undefined;
  isWriting: boolean;
  notBeforeMs: number;
  /** When progress may be told again: it is of no use to anybody at every step of every pod. */
  tellAgainMs: number;
  /** There was nothing to say at these tallies, and nothing will be before that time. */
  dozesAt: readonly [Tally, Tally] | undefined;
  dozesUntilMs: number;
}

/** Two verdicts with one outcome ask for the same status. */
export function outcomeOf(object: KubernetesObject, verdict: Verdict, isHeldBack: boolean): string {
  const { uid, generation } = readMeta(object);
  const said =
    verdict.kind === 'NotOurs'
      ? verdict
      : {
          kind: verdict.kind,
          hosts: verdict.kind === 'Accepted' ? verdict.hosts : [],
          problems: weightyProblems(verdict.problems),
        };
  return JSON.stringify([uid, generation, said, isHeldBack]);
}

export function certificatesText(verdict: Verdict): string {
  return JSON.stringify(verdict.kind === 'Accepted' ? verdict.certificates : []);
}

export function proofOf({ isProved, isHeldBack, provedBy }: TrackedRoute, tally: Tally): Proof {
  if (isHeldBack) return { kind: 'HeldBack', tally };
  return isProved ? { kind: 'Proved', tally: provedBy } : { kind: 'Open', tally };
}

/** What stands in its status is what would be said of it, were it proved. */
export function isStoredAsProved(object: KubernetesObject, verdict: Verdict): boolean {
  const before = readStatus(object['status']);
  if (before === undefined || verdict.kind !== 'Accepted') return false;
  const proved = judge({
    generation: readMeta(object).generation,
    verdict,
    proof: { kind: 'Proved', tally: undefined },
    before,
    waitedMs: 0,
    now: '',
  });
  return conditionOf(before, 'Programmed')?.status === 'True' && isSameJudgement(proved, before);
}

/** What it has been told, as far as anybody knows. */
export function knownStatus(tracked: TrackedRoute): RouteStatus | undefined {
  return readStatus(newestOf(tracked)['status']);
}

/** What we wrote last is newer than what the watch has shown, for a moment. */
export function newestOf({ object, written }: TrackedRoute): KubernetesObject {
  if (written === undefined || readMeta(written).uid !== readMeta(object).uid) return object;
  return isNewer(written, object) ? written : object;
}

/** `namespace/name` of those whose endpoints may be a moment away. */
export function objectsWithEmptyUpstreams(model: RouteModel): ReadonlySet<string> {
  const empty = new Set(
    model.upstreams.flatMap(({ id, endpoints, discovery }) =>
      endpoints.length === 0 && discovery.kind === 'Endpoints' ? [id] : [],
    ),
  );
  const objects = new Set<string>();
  if (empty.size === 0) return objects;
  for (const host of model.hosts)
    for (const { ref, backends } of host.rules)
      if (backends.some((backend) => backend.kind === 'Upstream' && empty.has(backend.upstream)))
        objects.add(`${ref.namespace}/${ref.name}`);
  return objects;
}
