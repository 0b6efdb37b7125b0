// What everybody is told of a revision: statuses of IngressRoutes and Ingresses, Certificates for cert-manager, Events.
import { readMeta, refText } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ClusterObjects } from '#cluster/objects.ts';
import type { RouteModel, RuleRef } from '#model/route-model.ts';
import type { ClusterView } from '#translate/cluster-view.ts';
import type { CertificateRequest, Translation } from '#translate/translation.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { Addresses, addressesOfNodes, addressesOfService, commonest } from './addresses.ts';
import type { Address } from './addresses.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import type { Collections } from './collections.ts';
import { EventRecorder } from './event-recorder.ts';
import { IngressStatuses, addressesOfIngress } from './ingress-statuses.ts';
import { candidatesOf } from './members.ts';
import type { Candidate } from './members.ts';
import { readStatus } from './route-status.ts';
import { Statuses } from './statuses.ts';

export interface OutcomesOptions {
  readonly objects: ClusterObjects;
  readonly collections: Collections;
  readonly acknowledgements: Acknowledgements;
  readonly identity: string;
  /** Where the data plane is reached, where that is known; empty: the published Service says it, or the nodes. */
  readonly publishAddresses: readonly Address[];
  readonly publishService: { readonly namespace: string; readonly name: string } | undefined;
  readonly isLeading: () => boolean;
  readonly onError: (message: string, error: unknown) => void;
  readonly signal: AbortSignal;
}

/** A revision, and what it was made of. */
export interface ToldRevision {
  readonly sequence: number;
  /** As its readers can be told. */
  readonly model: RouteModel;
  readonly heldBack: readonly RuleRef[];
  readonly view: ClusterView;
  readonly translation: Translation;
}

export class Outcomes {
  readonly #options: OutcomesOptions;
  readonly #events: EventRecorder;
  readonly #statuses: Statuses;
  readonly #ingressStatuses: IngressStatuses;
  readonly #keeper: CertificateKeeper;
  readonly #addresses = new Addresses();
  #verdicts: Translation['verdicts'] = [];
  #onRoutes: Translation['verdicts'] = [];
  #onIngresses: Translation['verdicts'] = [];
  #requests: readonly CertificateRequest[] = [];
  #isFirst = true;

  constructor(options: OutcomesOptions) {
    const { objects, acknowledgements, identity, isLeading, onError, signal } = options;
    const failing = (message: string) => (error: unknown) => onError(message, error);
    this.#options = options;
    this.#events = new EventRecorder({
      objects,
      identity,
      onError: failing('an event was lost'),
      signal,
    });
    const shared = { objects, acknowledgements, events: this.#events, isLeading, signal };
    this.#statuses = new Statuses({
      ...shared,
      onError: failing('a status could not be written; trying again'),
    });
    this.#ingressStatuses = new IngressStatuses({
      ...shared,
      onError: failing('the status of an Ingress could not be written; trying again'),
    });
    this.#keeper = new CertificateKeeper({
      objects,
      isLeading,
      onError: failing('a Certificate could not be applied; trying again'),
      signal,
    });
  }

  get statusWrites(): number {
    return this.#statuses.writes + this.#ingressStatuses.writes;
  }

  /** IngressRoutes by the reason of their Ready condition. */
  get reasons(): ReadonlyMap<string, number> {
    return this.#statuses.reasons;
  }

  /** To be called after each publish, also when nothing had to be written. */
  publish({ sequence, model, heldBack, view, translation }: ToldRevision): void {
    if (this.#verdicts !== translation.verdicts) this.#sort(translation.verdicts);
    if (this.#isFirst) this.#adoptAddresses(translation.verdicts);
    this.#isFirst = false;
    // What is said first of an object should say it.
    this.observeAddresses();
    const held = heldBack.filter(({ kind }) => kind === 'IngressRoute');
    this.#statuses.publish({
      sequence,
      model,
      verdicts: this.#onRoutes,
      routeOf: this.#newest('ingressRoutes', view.ingressRoutes),
      heldBack: new Set(held.map(({ namespace, name }) => `${namespace}/${name}`)),
    });
    this.#ingressStatuses.publish(sequence, this.#onIngresses, this.#newest('ingresses', view.ingresses));
    this.#requests = translation.certificateRequests;
    this.refresh();
  }

  #sort(verdicts: Translation['verdicts']): void {
    this.#verdicts = verdicts;
    this.#onRoutes = verdicts.filter(({ object }) => object.kind === 'IngressRoute');
    this.#onIngresses = verdicts.filter(({ object }) => object.kind === 'Ingress');
  }

  /** An object has changed without asking for anything else: somebody, perhaps this operator, has written its status. */
  observe(collection: 'ingressRoutes' | 'ingresses', object: KubernetesObject): void {
    const statuses = this.#statusesOf(collection);
    statuses.observe(object);
    statuses.refresh();
  }

  /** They have been listed anew: any of them may have changed like that. */
  observeAll(collection: 'ingressRoutes' | 'ingresses'): void {
    const statuses = this.#statusesOf(collection);
    for (const object of this.#options.collections.all(collection)) statuses.observe(object);
    statuses.refresh();
  }

  #statusesOf(collection: 'ingressRoutes' | 'ingresses'): Statuses | IngressStatuses {
    return collection === 'ingressRoutes' ? this.#statuses : this.#ingressStatuses;
  }

  /** Writes what has to be said now. Cheap when there is nothing. */
  refresh(): void {
    const { collections } = this.#options;
    this.#statuses.refresh();
    this.#ingressStatuses.refresh();
    // One that has not been seen yet may be somebody else's.
    if (this.#requests.length > 0 && collections.isListed('issuedCertificates'))
      this.#keeper.keep(this.#requests, collections.all('issuedCertificates'), (namespace, name) => {
        const route = collections.find('ingressRoutes', namespace, name);
        return route === undefined ? undefined : readMeta(route).uid;
      });
  }

  /** To be called now and then. */
  observeAddresses(): void {
    const { collections, publishAddresses, publishService } = this.#options;
    // What is stored comes first.
    if (this.#isFirst) return;
    const present =
      publishAddresses.length > 0
        ? publishAddresses
        : publishService === undefined
          ? this.#addressesOfNodes()
          : addressesOfService(collections.all('publishedService')[0]);
    if (!this.#addresses.observe(present, performance.now())) return;
    this.#statuses.announce(this.#addresses.current);
    this.#ingressStatuses.announce(this.#addresses.current);
  }

  #addressesOfNodes(): readonly Address[] {
    const { collections } = this.#options;
    const nodes = collections.all('nodes');
    return addressesOfNodes(candidatesOf(collections.all('pods'), nodes), nodes);
  }

  /** What was said before this leader came is what DNS says. A flag says all there is to say. */
  #adoptAddresses(verdicts: Translation['verdicts']): void {
    const { collections, publishAddresses } = this.#options;
    if (publishAddresses.length > 0) return;
    const stored = verdicts.flatMap(({ kind, object: { kind: of, namespace, name } }) => {
      if (kind === 'NotOurs') return [];
      const collection = of === 'Ingress' ? 'ingresses' : 'ingressRoutes';
      const object = collections.find(collection, namespace, name);
      if (object === undefined) return [];
      return [
        of === 'Ingress' ? addressesOfIngress(object) : (readStatus(object['status'])?.addresses ?? []),
      ];
    });
    this.#addresses.adopt(commonest(stored), performance.now());
  }

  /** A pod no longer says what it serves. Returns how to name it. */
  tellOfSilence({ name, namespace, uid }: Candidate): string {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid } };
    this.#events.record(
      'Warning',
      pod,
      'NoAcknowledgement',
      'it does not say which revision it serves; objects no longer wait for it',
    );
    return refText({ kind: 'Pod', name, namespace });
  }

  /** The object that was translated, in its newest version as long as that asks for the same. */
  #newest(
    collection: 'ingressRoutes' | 'ingresses',
    translated: readonly KubernetesObject[],
  ): (id: string) => KubernetesObject | undefined {
    const { collections } = this.#options;
    // Nothing has come meanwhile: what is there is what was translated.
    const isCurrent = translated === collections.all(collection);
    let byName: ReadonlyMap<string, KubernetesObject> | undefined = undefined;
    return (id) => {
      const slash = id.indexOf('/');
      const present = collections.find(collection, id.slice(0, slash), id.slice(slash + 1));
      if (isCurrent) return present;
      // Few are asked for, and mostly none.
      byName ??= new Map(translated.map((object) => [idOf(object), object]));
      const before = byName.get(id);
      if (before === undefined || present === undefined) return before;
      const [was, is] = [readMeta(before), readMeta(present)];
      return was.uid === is.uid && was.generation === is.generation ? present : before;
    };
  }
}

function idOf(object: KubernetesObject): string {
  const { namespace, name } = readMeta(object);
  return `${namespace}/${name}`;
}
