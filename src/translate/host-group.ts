// Everything that wants one hostname -> the virtual hosts that it becomes. Where objects of one namespace meet, the older
// one wins and the other is told; where namespaces meet, the owner does.
import type { Problem } from '#api/problem.ts';
import { canonicalJson } from '#model/canonical-json.ts';
import { hostBytes } from '#model/limits.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { HostPattern, PathPolicy, Rule, RuleRef, TlsMode, VirtualHost } from '#model/route-model.ts';
import { compareText } from '#model/text-order.ts';
import type { Claim } from './cluster-view.ts';
import { HostTls } from './host-tls.ts';
import type { TranslatedHost, TranslatedObject } from './translated-object.ts';

export interface Member {
  readonly object: TranslatedObject;
  readonly host: TranslatedHost;
}

export interface HostGroup {
  /** Two for a wildcard that an IngressRoute and an Ingress want: it covers more for the first. */
  readonly hosts: readonly VirtualHost[];
  /** Everybody who wants it. */
  readonly applicants: readonly TranslatedObject[];
  /** Those who have a rule here. */
  readonly served: readonly TranslatedObject[];
  readonly problems: ReadonlyMap<TranslatedObject, readonly Problem[]>;
  /** Canonical JSON of its rules and certificates. */
  readonly bytes: number;
}

const noProblems: HostGroup['problems'] = new Map();

/** `members` come oldest first; `owner` undefined: every namespace may serve it. `certificateIds`: those that can be served. */
export function buildHostGroup(
  hostname: string,
  members: readonly Member[],
  owner: Claim | undefined,
  isServable: (certificateId: string) => boolean,
): HostGroup {
  const problems = new Map<TranslatedObject, Problem[]>();
  const report = (object: TranslatedObject, problem: Problem): void => {
    const known = problems.get(object);
    if (known === undefined) problems.set(object, [problem]);
    else if (!known.some(({ at, message }) => at === problem.at && message === problem.message))
      known.push(problem);
  };
  const owners = members.filter(({ object, host }) => {
    if (owner === undefined || owner.namespace === object.ref.namespace) return true;
    report(object, {
      reason: 'HostnameConflict',
      at: host.at,
      message: `"${hostname}" belongs to namespace ${owner.namespace} since ${owner.since}`,
    });
    return false;
  });
  const built = patternsOf(hostname, owners).map(({ pattern, members: those }) =>
    buildVirtualHost(hostname, pattern, those, isServable, report),
  );
  // What covers one label is there for those who ask for no more: without them it says what the deeper one says.
  const shallow = new Set(owners.filter(({ host }) => host.depth === 'OneLabel').map(({ object }) => object));
  const fit = built.filter(({ host: { pattern, rules }, served }) =>
    pattern.kind === 'Wildcard' && pattern.depth === 'OneLabel'
      ? served.some((object) => shallow.has(object))
      : rules.length > 0,
  );
  return {
    hosts: fit.map(({ host }) => host),
    applicants: members.map(({ object }) => object),
    served: fit.flatMap(({ served }) => served),
    problems: problems.size === 0 ? noProblems : problems,
    bytes: fit.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** What covers any depth holds one label below the suffix as well, beside what covers no more than that. */
function patternsOf(
  hostname: string,
  members: readonly Member[],
): readonly { readonly pattern: HostPattern; readonly members: readonly Member[] }[] {
  if (hostname === '*') return [{ pattern: { kind: 'AnyHost' }, members }];
  if (!hostname.startsWith('*.')) return [{ pattern: { kind: 'Exact', name: hostname }, members }];
  const suffix = hostname.slice(2);
  const deep = members.filter(({ host }) => host.depth === 'AnyDepth');
  const patterns = [
    { pattern: { kind: 'Wildcard', suffix, depth: 'AnyDepth' } as const, members: deep },
    { pattern: { kind: 'Wildcard', suffix, depth: 'OneLabel' } as const, members },
  ];
  return patterns.filter(({ pattern }) =>
    pattern.depth === 'AnyDepth' ? deep.length > 0 : deep.length < members.length,
  );
}

interface BuiltHost {
  readonly host: VirtualHost;
  readonly served: readonly TranslatedObject[];
  readonly bytes: number;
}

function buildVirtualHost(
  hostname: string,
  pattern: HostPattern,
  members: readonly Member[],
  isServable: (certificateId: string) => boolean,
  report: (object: TranslatedObject, problem: Problem) => void,
): BuiltHost {
  const taken = new Map<string, RuleRef>();
  const rules: Rule[] = [];
  const served = new Set<TranslatedObject>();
  const certificates = new Set<string>();
  let pathPolicy: PathPolicy | undefined;
  let policyOwner = '';
  const tls = new HostTls(tlsModeOf(members));
  let bytes = 0;
  const serve = ({ object, host }: Member, ids: readonly string[]): void => {
    served.add(object);
    for (const id of ids) certificates.add(id);
    for (const { field, winner } of tls.add(host.tls, `${object.ref.namespace}/${object.ref.name}`))
      report(object, {
        reason: field === 'plaintext' ? 'PlaintextConflict' : 'TlsConflict',
        at: `spec.tls.${field}`,
        message: `"${hostname}" has the tls.${field} of the older route ${winner}`,
      });
  };
  for (const { member, isDefault } of inOrder(members)) {
    const { object, host } = member;
    if (host.tlsMode !== 'AsOthers' && host.tlsMode !== tls.mode) {
      report(object, {
        reason: 'TlsConflict',
        at: object.ref.kind === 'Ingress' ? host.at : 'spec.tls.mode',
        message: `TLS of "${hostname}" is of mode ${tls.mode}, as the older objects of this host have it`,
      });
      continue;
    }
    const { kept, hasConflict } = keepUntakenMatches(hostname, member, isDefault, taken, report);
    const ids = servableIds(member, isServable);
    const newIds = ids.filter((id) => !certificates.has(id));
    const keptBytes = bytesOf(kept) + bytesOf(newIds) + bytesOf(host.tls?.clientValidation ?? []);
    if (bytes + keptBytes > hostBytes) {
      report(object, {
        reason: 'HostTooLarge',
        at: host.at,
        message: `with this object "${hostname}" would need ${bytes + keptBytes} bytes, at most ${hostBytes} are allowed; the older objects of this host stay`,
      });
      continue;
    }
    // Who has no rule here leaves no trace; but a default backend for which others leave nothing has its place.
    if (kept.length === 0) {
      if (isDefault && !hasConflict) serve(member, ids);
      continue;
    }
    if (pathPolicy === undefined) {
      pathPolicy = object.pathPolicy;
      policyOwner = `${object.ref.namespace}/${object.ref.name}`;
    } else if (canonicalJson(pathPolicy) !== canonicalJson(object.pathPolicy)) {
      report(object, {
        reason: 'PathPolicyConflict',
        at: object.ref.kind === 'Ingress' ? host.at : 'spec.policy.path',
        message: `"${hostname}" has the path policy of the older route ${policyOwner}`,
      });
    }
    for (const rule of kept) for (const key of matchKeys(rule)) taken.set(key, rule.ref);
    bytes += keptBytes;
    rules.push(...kept);
    serve(member, ids);
  }
  return {
    host: {
      pattern,
      pathPolicy: pathPolicy ?? strictPathPolicy,
      certificates: [...certificates].sort(compareText),
      ...tls.terms,
      rules,
    },
    served: [...served],
    bytes,
  };
}

function bytesOf(value: object): number {
  return Buffer.byteLength(canonicalJson(value));
}

/** As the oldest has it; those that go with anything are no hindrance. */
function tlsModeOf(members: readonly Member[]): TlsMode {
  for (const { host } of members) if (host.tlsMode !== 'AsOthers') return host.tlsMode;
  return 'Terminate';
}

const wholeConnections = 'whole connections';

/** What only one rule of a host can take. */
function matchKeys({ matches }: Rule): readonly string[] {
  return matches.length === 0 ? [wholeConnections] : matches.map((match) => canonicalJson(match));
}

function servableIds(
  { object, host }: Member,
  isServable: (certificateId: string) => boolean,
): readonly string[] {
  return host.secretNames.map((name) => `${object.ref.namespace}/${name}`).filter(isServable);
}

/**
 * Oldest first; but who may not claim the host comes after those who may, and default backends after everybody's rules: so
 * a claimant has nothing left only where an older one has it.
 */
function inOrder(
  members: readonly Member[],
): readonly { readonly member: Member; readonly isDefault: boolean }[] {
  const claimants = members.filter(({ object }) => object.mayClaim);
  const others = members.filter(({ object }) => !object.mayClaim);
  const defaults = members.filter(({ host }) => host.rules.some(({ isDefault }) => isDefault));
  return [
    ...[...claimants, ...others].map((member) => ({ member, isDefault: false })),
    ...defaults.map((member) => ({ member, isDefault: true })),
  ];
}

/** The member's rules without the matches that another object already has on this host. */
function keepUntakenMatches(
  hostname: string,
  { object, host }: Member,
  isDefault: boolean,
  taken: ReadonlyMap<string, RuleRef>,
  report: (object: TranslatedObject, problem: Problem) => void,
): { readonly kept: readonly Rule[]; readonly hasConflict: boolean } {
  let hasConflict = false;
  const kept = host.rules.flatMap(({ rule, places, isDefault: isOfDefaults }): readonly Rule[] => {
    if (isOfDefaults !== isDefault) return [];
    const keys = matchKeys(rule);
    const isFree = keys.map((key, index) => {
      const winner = taken.get(key);
      if (winner === undefined) return true;
      // A rule that takes everything leaves nothing for it, which is no fault; another default backend is one.
      if (isDefault && winner.rule !== rule.ref.rule) return false;
      hasConflict = true;
      const who = object.mayClaim ? `the older ${winner.kind}` : winner.kind;
      report(object, {
        reason: 'RouteConflict',
        at: places[index] ?? host.at,
        message: `on "${hostname}" ${who} ${winner.namespace}/${winner.name} has the same match in ${winner.rule}`,
      });
      return false;
    });
    if (!isFree.includes(true)) return [];
    return [isFree.includes(false) ? { ...rule, matches: rule.matches.filter((_, at) => isFree[at]) } : rule];
  });
  return { kept, hasConflict };
}
