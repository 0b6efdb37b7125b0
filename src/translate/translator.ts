// Translates one view after another, and does again only what has changed in between; what it gives does not depend on it.
//
//   objects --> read, each by itself --> host groups: who owns which host, who was there first --> verdicts
//   Services, slices ----^                     |                                                     ^
//                        \--- upstreams <------+------> certificates --------------------------------/
//
// What has changed is found by identity: a view shows an object that has not changed as the same value, a route of which
// only the status has changed with the same spec, and a collection that has not changed as the same list.
import { metaText, readMeta } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { chunkBytes, modelBytes } from '#model/limits.ts';
import { ListDifference } from '#model/list-difference.ts';
import type { Difference } from '#model/list-difference.ts';
import type {
  Certificate,
  DefaultCertificate,
  Fallback,
  NodeZone,
  RouteModel,
  Settings,
  SigningKey,
  Upstream,
  VirtualHost,
} from '#model/route-model.ts';
import { hasSessions } from '#model/signing-key.ts';
import { compareText } from '#model/text-order.ts';
import { AuthorityIndex } from './authorities.ts';
import { CertificateIndex, servedOf } from './certificate-index.ts';
import type { ClusterView, TranslateSettings } from './cluster-view.ts';
import { defaultCertificateOf } from './default-certificate.ts';
import { fallbackOf } from './fallback.ts';
import type { HostGroup } from './host-group.ts';
import { HostGrouper } from './host-groups.ts';
import { ObjectReader } from './object-reader.ts';
import type { ReadObject } from './object-reader.ts';
import { ServiceIndex } from './service-index.ts';
import { endpointBytes, tooLarge } from './total-size.ts';
import type { TranslatedObject } from './translated-object.ts';
import type { CertificateRequest, Translation } from './translation.ts';
import { UpstreamSet } from './upstream-set.ts';
import { judgeObject } from './verdict-judge.ts';
import type { Verdict } from './verdict.ts';

const zoneLabel = 'topology.kubernetes.io/zone';
const noZones: readonly NodeZone[] = [];
const noKeys: readonly SigningKey[] = [];

export class Translator {
  readonly #settings: TranslateSettings;
  readonly #services: ServiceIndex;
  readonly #certificates = new CertificateIndex();
  readonly #authorities = new AuthorityIndex();
  readonly #reader: ObjectReader;
  readonly #grouper: HostGrouper;
  readonly #upstreams: UpstreamSet;
  readonly #lists = [new ListDifference<KubernetesObject>(), new ListDifference<KubernetesObject>()];
  readonly #reads = new Map<KubernetesObject, ReadObject>();
  /** How many objects ask for this very thing: two, for a moment, where one has replaced the other. */
  readonly #fit = new Map<TranslatedObject, number>();
  /** Beyond the total limit. */
  #refused: ReadonlyMap<TranslatedObject, Problem> = new Map();
  readonly #verdicts = new Map<TranslatedObject, Verdict>();
  #zones: readonly NodeZone[] = [];
  #zonesWithNodes: ReadonlySet<string> = new Set();
  #nodes: readonly KubernetesObject[] = [];
  #hosts: readonly VirtualHost[] = [];
  /** Some rule has sessions that are to be known again. */
  #hasSessions = false;
  #keys: readonly SigningKey[] = noKeys;
  #used: readonly Certificate[] = [];
  #told: Pick<Translation, 'verdicts' | 'certificateRequests'> = { verdicts: [], certificateRequests: [] };
  #model: RouteModel | undefined = undefined;

  constructor(settings: TranslateSettings) {
    this.#settings = settings;
    this.#services = new ServiceIndex(settings);
    this.#reader = new ObjectReader(this.#services, this.#authorities, settings.externalNames !== 'Refused');
    this.#grouper = new HostGrouper(settings.wildcardsClaimSubdomains);
    this.#upstreams = new UpstreamSet(this.#services);
  }

  translate(view: ClusterView): Translation {
    this.#updateZones(view.nodes);
    const { hasOtherServices, upstreams } = this.#services.update(
      view.services,
      view.endpointSlices,
      this.#zonesWithNodes,
    );
    const { secrets, issuedCertificates, lastGood, now } = view;
    const hasOtherSecrets = this.#certificates.update(secrets, issuedCertificates, lastGood, now);
    const hasOtherAuthorities = this.#authorities.update(secrets);
    const hasOtherClasses = this.#reader.updateClasses(view.ingressClasses, this.#settings.assumedClass);

    const changes = this.#readObjects(view, hasOtherServices || hasOtherClasses || hasOtherAuthorities);
    const changed = this.#group(changes, view, hasOtherSecrets);
    const { fallback, problems } = fallbackOf(this.#settings, this.#services);
    const otherProblems = this.#upstreams.update(changed, this.#grouper.groups, fallback, upstreams);
    if (changed.size > 0) {
      this.#hosts = hostsOf(this.#grouper.groups);
      this.#hasSessions = this.#hosts.some(({ rules }) => rules.some(hasSessions));
    }
    const byDefault = defaultCertificateOf(this.#settings.defaultCertificate, this.#certificates, now);
    if (changed.size > 0 || hasOtherSecrets) this.#used = this.#usedCertificates(byDefault.certificate);

    const hasJudged = this.#judge(changed, changes, otherProblems, hasOtherSecrets, now);
    if (hasJudged || changes.hasOtherReads) this.#told = this.#tell();
    return {
      model: this.#modelWith(fallback, byDefault.value, view.sessionKey),
      ...this.#told,
      claims: this.#grouper.claims,
      problems: [...problems, ...byDefault.problems],
    };
  }

  /** Each object by itself. `isAll`: what they are read by is other than before. */
  #readObjects({ ingressRoutes, ingresses }: ClusterView, isAll: boolean): FitChanges {
    const before: ReadObject[] = [];
    const after: ReadObject[] = [];
    const replace = (object: KubernetesObject, read: ReadObject): void => {
      const known = this.#reads.get(object);
      if (known === read) return;
      if (known !== undefined) before.push(known);
      this.#reads.set(object, read);
      after.push(read);
    };
    for (const [index, objects] of [ingressRoutes, ingresses].entries()) {
      const { added, removed } = this.#lists[index]?.update(objects) ?? { added: [], removed: [] };
      for (const object of removed) {
        const known = this.#reads.get(object);
        if (known !== undefined) before.push(known);
        this.#reads.delete(object);
      }
      for (const object of isAll ? objects : added) replace(object, this.#reader.read(object));
    }
    return this.#countFit(before, after);
  }

  #countFit(before: readonly ReadObject[], after: readonly ReadObject[]): FitChanges {
    const touched = new Set<TranslatedObject>();
    const count = (reads: readonly ReadObject[], by: number): void => {
      for (const read of reads) {
        if (read.kind === 'Unfit') continue;
        if (!touched.has(read.object)) {
          touched.add(read.object);
          wasThere.set(read.object, (this.#fit.get(read.object) ?? 0) > 0);
        }
        this.#fit.set(read.object, (this.#fit.get(read.object) ?? 0) + by);
      }
    };
    const wasThere = new Map<TranslatedObject, boolean>();
    count(after, 1);
    count(before, -1);
    const added: TranslatedObject[] = [];
    const removed: TranslatedObject[] = [];
    for (const object of touched) {
      const isThere = (this.#fit.get(object) ?? 0) > 0;
      if (!isThere) this.#fit.delete(object);
      this.#services.announce(object.uses, Number(isThere) - Number(wasThere.get(object) === true));
      if (isThere && wasThere.get(object) !== true) added.push(object);
      if (!isThere && wasThere.get(object) === true) removed.push(object);
    }
    return { added, removed, hasOtherReads: before.length + after.length > 0 };
  }

  /** Where objects meet. What goes beyond the total limit is refused, youngest first, and changes nothing for the others. */
  #group(
    { added, removed }: Difference<TranslatedObject>,
    view: ClusterView,
    hasOtherSecrets: boolean,
  ): ReadonlyMap<string, HostGroup | undefined> {
    const { claims, now } = view;
    const isServable = (id: string): boolean => servedOf(this.#certificates.state(id)) !== undefined;
    const update = (changes: Difference<TranslatedObject>): ReadonlyMap<string, HostGroup | undefined> =>
      this.#grouper.update({ ...changes, claims, now, isServable, hasOtherSecrets });
    const changed = update({
      added,
      removed: removed.filter((object) => !this.#refused.has(object)),
    });
    // Endpoints come on top, object by object: only a model that is large already is worth that sum.
    const endpoints = this.#upstreams.endpoints + this.#endpointsOf(added);
    const bytes = this.#grouper.bytes + endpoints * endpointBytes + this.#services.termsBytes;
    if (bytes <= modelBytes / 2 && this.#refused.size === 0) return changed;
    const before = this.#refused;
    this.#refused = tooLarge([...this.#fit.keys()], this.#services);
    const again = update({
      added: [...before.keys()].filter((object) => this.#fit.has(object) && !this.#refused.has(object)),
      removed: [...this.#refused.keys()].filter((object) => !before.has(object)),
    });
    for (const object of before.keys()) this.#verdicts.delete(object);
    // What was there before either of the two.
    return new Map([...again, ...changed]);
  }

  /** Of the upstreams on terms of their own that these ask for: one object may want a large Service on very many. */
  #endpointsOf(objects: readonly TranslatedObject[]): number {
    const ids = new Set<string>();
    for (const { uses } of objects) for (const { id, terms } of uses) if (terms !== undefined) ids.add(id);
    let sum = 0;
    for (const id of ids) sum += this.#services.upstream(id)?.upstream.endpoints.length ?? 0;
    return sum;
  }

  /** Whether any verdict is other than before. */
  #judge(
    changed: ReadonlyMap<string, HostGroup | undefined>,
    { added, removed }: Difference<TranslatedObject>,
    otherProblems: ReadonlySet<string>,
    hasOtherSecrets: boolean,
    now: string,
  ): boolean {
    const due = new Set(added);
    for (const [hostname, before] of changed)
      for (const group of [before, this.#grouper.groups.get(hostname)])
        for (const object of group?.applicants ?? []) due.add(object);
    if (otherProblems.size > 0 || hasOtherSecrets)
      for (const object of this.#fit.keys())
        if (
          (hasOtherSecrets && object.hosts.some(({ secretNames }) => secretNames.length > 0)) ||
          (otherProblems.size > 0 && object.uses.some(({ id }) => otherProblems.has(id)))
        )
          due.add(object);
    for (const object of removed) this.#verdicts.delete(object);
    for (const object of this.#refused.keys()) due.add(object);
    for (const object of due) {
      if (!this.#fit.has(object)) continue;
      const problem = this.#refused.get(object);
      this.#verdicts.set(
        object,
        problem === undefined
          ? judgeObject(object, {
              groups: this.#grouper.groups,
              stateOfSecret: (id) => this.#certificates.state(id),
              problemOfUpstream: (id) => this.#upstreams.problem(id),
              now,
            })
          : { kind: 'Rejected', object: object.ref, problems: [problem] },
      );
    }
    return due.size > 0 || removed.length > 0;
  }

  #tell(): Pick<Translation, 'verdicts' | 'certificateRequests'> {
    const verdicts: Verdict[] = [];
    const certificateRequests: CertificateRequest[] = [];
    for (const read of this.#reads.values()) {
      if (read.kind === 'Unfit') {
        verdicts.push(read.verdict);
        continue;
      }
      const { object, issuer } = read;
      const verdict = this.#verdicts.get(object);
      if (verdict === undefined) continue;
      verdicts.push(verdict);
      if (issuer !== undefined && verdict.kind === 'Accepted')
        certificateRequests.push({
          object: object.ref,
          secretName: object.hosts[0]?.secretNames[0] ?? '',
          issuer,
          dnsNames: verdict.hosts.toSorted(compareText),
        });
    }
    return { verdicts, certificateRequests };
  }

  #usedCertificates(byDefault: Certificate | undefined): readonly Certificate[] {
    const used = new Map<string, Certificate>();
    if (byDefault !== undefined) used.set(byDefault.id, byDefault);
    for (const host of this.#hosts)
      for (const id of host.certificates) {
        const certificate = servedOf(this.#certificates.state(id));
        if (certificate !== undefined) used.set(id, certificate);
      }
    return [...used.values()];
  }

  /** Lists that stayed the same are the same lists. */
  #modelWith(fallback: Fallback, defaultCertificate: DefaultCertificate, sessionKey: SigningKey): RouteModel {
    const known = this.#model?.settings;
    const settings: Settings =
      known?.fallback === fallback && isSameDefault(known.defaultCertificate, defaultCertificate)
        ? known
        : { ...this.#settings.settings, fallback, defaultCertificate };
    const upstreams: readonly Upstream[] = this.#upstreams.list;
    const zones = this.#upstreams.hasHints ? this.#zones : noZones;
    const keys = this.#keysFor(sessionKey);
    this.#model = { settings, zones, hosts: this.#hosts, upstreams, certificates: this.#used, keys };
    return this.#model;
  }

  #keysFor(sessionKey: SigningKey): readonly SigningKey[] {
    if (!this.#hasSessions) return noKeys;
    if (this.#keys[0] !== sessionKey) this.#keys = [sessionKey];
    return this.#keys;
  }

  #updateZones(nodes: readonly KubernetesObject[]): void {
    if (nodes === this.#nodes) return;
    this.#nodes = nodes;
    const all = nodes.flatMap((node): NodeZone[] => {
      const zone = metaText(node, 'labels', zoneLabel);
      return zone === '' ? [] : [{ node: readMeta(node).name, zone }];
    });
    // They travel as one chunk; where they would not fit, no node stands in a zone.
    const zones = Buffer.byteLength(JSON.stringify(all)) > chunkBytes ? noZones : all;
    if (JSON.stringify(zones) === JSON.stringify(this.#zones)) return;
    this.#zones = zones;
    this.#zonesWithNodes = new Set(zones.map(({ zone }) => zone));
  }
}

interface FitChanges extends Difference<TranslatedObject> {
  /** Some object is there that was not, or is read in another way, be it fit or not. */
  readonly hasOtherReads: boolean;
}

function isSameDefault(a: DefaultCertificate, b: DefaultCertificate): boolean {
  // There is one setting: where there is a certificate at all, it is the same.
  return a.kind === b.kind;
}

function hostsOf(groups: ReadonlyMap<string, HostGroup>): readonly VirtualHost[] {
  const hosts: VirtualHost[] = [];
  for (const group of groups.values()) for (const host of group.hosts) hosts.push(host);
  return hosts;
}
