// All objects by the hostnames that they want, and who gets what. Only hostnames whose objects, claims or Secrets have
// changed are decided again.
import type { Claim, Claims } from './cluster-view.ts';
import { buildHostGroup } from './host-group.ts';
import type { HostGroup, Member } from './host-group.ts';
import { coveringClaim, decideOwnership } from './host-ownership.ts';
import type { Applicants } from './host-ownership.ts';
import { byAge } from './translated-object.ts';
import type { TranslatedObject } from './translated-object.ts';

/** What is there now and was not, or the other way round. */
export interface GroupChanges {
  readonly added: readonly TranslatedObject[];
  readonly removed: readonly TranslatedObject[];
  /** What the ledger says: the one that was given back last, or another one altogether. */
  readonly claims: Claims;
  readonly now: string;
  readonly isServable: (certificateId: string) => boolean;
  /** Some Secret can be served that could not, or the other way round. */
  readonly hasOtherSecrets: boolean;
}

interface Known {
  readonly members: readonly Member[];
  readonly claim: Claim | undefined;
  readonly covering: Claim | undefined;
  /** Which of its Secrets could be served. */
  readonly servable: string;
  readonly nextClaim: Claim | undefined;
  readonly group: HostGroup;
}

export class HostGrouper {
  readonly groups = new Map<string, HostGroup>();
  /** Of all rules, canonical JSON. */
  bytes = 0;
  readonly #wildcardsClaimSubdomains: boolean;
  readonly #members = new Map<string, readonly Member[]>();
  readonly #known = new Map<string, Known>();
  #claims: Claims = new Map();

  constructor(wildcardsClaimSubdomains: boolean) {
    this.#wildcardsClaimSubdomains = wildcardsClaimSubdomains;
  }

  /** The ledger from now on; the same one as long as it says the same. */
  get claims(): Claims {
    return this.#claims;
  }

  /** The groups that are others now, as they were before; undefined for one that was not there. */
  update(changes: GroupChanges): ReadonlyMap<string, HostGroup | undefined> {
    const touched = this.#touched(changes);
    const changed = new Map<string, HostGroup | undefined>();
    if (touched.size === 0) return changed;
    const isWhole = changes.claims !== this.#claims;
    const next = new Map(isWhole ? [] : this.#claims);
    for (const hostname of this.#inOrder(touched)) {
      const before = this.groups.get(hostname);
      // What wildcards claim is decided before what they may cover.
      const covering = this.#wildcardsClaimSubdomains ? coveringClaim(hostname, next) : undefined;
      const decided = this.#decide(hostname, covering, changes);
      if (decided?.nextClaim === undefined) next.delete(hostname);
      else next.set(hostname, decided.nextClaim);
      if (decided?.group === before) continue;
      changed.set(hostname, before);
      this.bytes += (decided?.group.bytes ?? 0) - (before?.bytes ?? 0);
      if (decided === undefined) this.groups.delete(hostname);
      else this.groups.set(hostname, decided.group);
    }
    if (!isSame(this.#claims, next)) this.#claims = next;
    return changed;
  }

  #touched({ added, removed, claims, hasOtherSecrets }: GroupChanges): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const object of removed)
      for (const { hostname } of object.hosts) {
        touched.add(hostname);
        const left = (this.#members.get(hostname) ?? []).filter((member) => member.object !== object);
        this.#members.set(hostname, left);
      }
    for (const object of added)
      for (const host of object.hosts) {
        touched.add(host.hostname);
        const members = [...(this.#members.get(host.hostname) ?? []), { object, host }];
        this.#members.set(
          host.hostname,
          members.sort((a, b) => byAge(a.object, b.object)),
        );
      }
    const isAll = claims !== this.#claims || (this.#wildcardsClaimSubdomains && touched.size > 0);
    if (isAll) return new Set([...this.#members.keys(), ...touched]);
    if (hasOtherSecrets)
      for (const [hostname, members] of this.#members)
        if (members.some(({ host }) => host.secretNames.length > 0)) touched.add(hostname);
    return touched;
  }

  #inOrder(hostnames: ReadonlySet<string>): readonly string[] {
    const all = [...hostnames];
    if (!this.#wildcardsClaimSubdomains) return all;
    const wildcards = all.filter((hostname) => hostname.startsWith('*.'));
    return [
      ...wildcards.sort((a, b) => a.length - b.length),
      ...all.filter((hostname) => !hostname.startsWith('*.')),
    ];
  }

  /** Undefined when nobody wants the hostname any more. */
  #decide(
    hostname: string,
    covering: Claim | undefined,
    { claims, now, isServable }: GroupChanges,
  ): Known | undefined {
    const members = this.#members.get(hostname) ?? [];
    if (members.length === 0) {
      this.#members.delete(hostname);
      this.#known.delete(hostname);
      return undefined;
    }
    const claim = claims.get(hostname);
    const servable = servableSecrets(members, isServable);
    const before = this.#known.get(hostname);
    if (
      before !== undefined &&
      before.members === members &&
      before.claim === claim &&
      before.covering === covering &&
      before.servable === servable
    )
      return before;
    const decided = decideGroup({ hostname, claim, covering }, members, now, isServable);
    // The ledger comes back as what it was told: from then on nothing here has changed.
    const known = { members, claim: decided.nextClaim, covering, servable, ...decided };
    this.#known.set(hostname, known);
    return known;
  }
}

/** An object of which nothing is served, whatever the reason, decides nothing: without it the others are asked again. */
function decideGroup(
  applicants: Omit<Applicants, 'objects'>,
  members: readonly Member[],
  now: string,
  isServable: (certificateId: string) => boolean,
): Pick<Known, 'nextClaim' | 'group'> {
  let objects: readonly TranslatedObject[] = members.map(({ object }) => object);
  let { claim, owner } = decideOwnership({ ...applicants, objects }, now);
  for (;;) {
    const group = buildHostGroup(applicants.hostname, members, owner, isServable);
    const served = new Set(group.served);
    objects = objects.filter(
      (object) => served.has(object) || (owner !== undefined && owner.namespace !== object.ref.namespace),
    );
    const next = decideOwnership({ ...applicants, objects }, now);
    if (next.claim?.namespace === claim?.namespace && next.owner?.namespace === owner?.namespace)
      return { nextClaim: claim, group };
    ({ claim, owner } = next);
  }
}

function servableSecrets(members: readonly Member[], isServable: (certificateId: string) => boolean): string {
  let text = '';
  for (const { object, host } of members)
    for (const name of host.secretNames) {
      const id = `${object.ref.namespace}/${name}`;
      if (isServable(id)) text += `${id} `;
    }
  return text;
}

function isSame(a: Claims, b: Claims): boolean {
  if (a.size !== b.size) return false;
  for (const [host, claim] of b) if (a.get(host) !== claim) return false;
  return true;
}
