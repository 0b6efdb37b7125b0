// The control loop: collect -> translate -> encode -> publish -> acknowledge -> status, while this replica leads.
//
//   change --> hold-off --> cycle: translate, ensure, statuses
//   a pod's answer, a tick ------> statuses, garbage
//
// Level-triggered: every cycle starts from complete collections and ends in a complete model. A cycle that fails is run
// again; nothing depends on which event came.
import { readMeta, refText } from '#api/kubernetes-object.ts';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Leadership } from '#cluster/election.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiError } from '#kube/api-client.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { BackOff } from '#kube/back-off.ts';
import { delay } from '#kube/deadline.ts';
import type { Change } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import { encode } from '#model/bundle.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { chunkName } from '#model/head.ts';
import type { Revision } from '#model/revision.ts';
import type { Claims, ClusterView, TranslateSettings } from '#translate/cluster-view.ts';
import { translate } from '#translate/translate.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { Collections } from './collections.ts';
import type { CollectionName } from './collections.ts';
import { EventRecorder } from './event-recorder.ts';
import { Garbage } from './garbage.ts';
import { HoldOff } from './hold-off.ts';
import { candidatesOf } from './members.ts';
import type { Candidate } from './members.ts';
import { LostLeadership, Publisher } from './publisher.ts';
import { Statuses } from './statuses.ts';

export interface OperatorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface OperatorOptions {
  readonly client: ApiClient;
  readonly identity: string;
  readonly watchNamespaces: readonly string[];
  readonly routesNamespace: string;
  readonly systemNamespace: string;
  readonly proxySelector: string;
  readonly chunkRetentionMs: number;
  readonly translate: TranslateSettings;
  readonly ask: (candidate: Candidate, after: number, signal: AbortSignal) => Promise<Revision>;
  readonly log: OperatorLog;
}

/** The material of the operator's metrics. */
export interface OperatorSnapshot {
  readonly sequence: number;
  readonly publishWrites: number;
  readonly statusWrites: number;
  readonly failures: number;
  readonly repairs: number;
  readonly members: number;
  readonly contactAgeSeconds: number;
  readonly cycleSeconds: number;
  readonly routes: ReadonlyMap<string, number>;
}

const holdOffTimes = { quietMs: 10, spacingMs: 100, maximumMs: 400 };
const tickMs = 1000;
const believeEveryMs = 10_000;

/** One leader's time in office: everything that it knows ends with it. */
export class Operator {
  readonly #options: OperatorOptions;
  readonly #leadership: Leadership;
  readonly #objects: ClusterObjects;
  readonly #collections: Collections;
  readonly #publisher: Publisher;
  readonly #acknowledgements: Acknowledgements;
  readonly #events: EventRecorder;
  readonly #statuses: Statuses;
  readonly #garbage: Garbage;
  readonly #holdOff: HoldOff;
  #claims: readonly LedgerEntry[] = [];
  #isDirty = true;
  #wake: () => void = () => {};
  #failures = 0;
  #repairs = 0;
  #cycleSeconds = 0;
  #believedMs = -Infinity;

  constructor(options: OperatorOptions, leadership: Leadership) {
    const { client, identity, routesNamespace, log } = options;
    const { signal } = leadership;
    const isLeading = (): boolean => leadership.isHeld() && !signal.aborted;
    this.#options = options;
    this.#leadership = leadership;
    this.#objects = new ClusterObjects(client);
    this.#holdOff = new HoldOff(holdOffTimes, () => {
      this.#isDirty = true;
      this.#wake();
    });
    this.#collections = new Collections({
      ...options,
      onChange: (name, change) => this.#onChange(name, change),
      onError: (name, error) => this.#fail(`${name} could not be followed; trying again`, error),
      signal,
    });
    this.#publisher = new Publisher({
      objects: this.#objects,
      namespace: routesNamespace,
      isLeading,
      onRepair: (message) => {
        this.#repairs++;
        log.warn({}, message);
      },
      signal,
    });
    this.#acknowledgements = new Acknowledgements({
      ask: options.ask,
      digestOf: (sequence) => this.#publisher.digestOf(sequence),
      onChange: () => this.#onAcknowledged(),
      onSilence: (candidate) => this.#onSilence(candidate),
      signal,
    });
    this.#events = new EventRecorder({
      objects: this.#objects,
      identity,
      onError: (error) => this.#fail('an event was lost', error),
      signal,
    });
    this.#statuses = new Statuses({
      objects: this.#objects,
      acknowledgements: this.#acknowledgements,
      events: this.#events,
      isLeading,
      onError: (error) => this.#fail('a status could not be written; trying again', error),
      signal,
    });
    this.#garbage = new Garbage(options.chunkRetentionMs);
  }

  get snapshot(): OperatorSnapshot {
    return {
      sequence: this.#publisher.head?.sequence ?? 0,
      publishWrites: this.#publisher.writes,
      statusWrites: this.#statuses.writes,
      failures: this.#failures,
      repairs: this.#repairs,
      members: this.#acknowledgements.count,
      contactAgeSeconds: this.#collections.contactAgeSeconds,
      cycleSeconds: this.#cycleSeconds,
      routes: this.#statuses.reasons,
    };
  }

  /** Resolves when leading ends; rejects with LostLeadership when another leader has written. */
  async run(): Promise<void> {
    const { signal } = this.#leadership;
    // Listing begins when the head is ours: what is read from here on is newer than anything published before.
    await this.#takeOver();
    const collecting = this.#collections.run();
    const ticking = setInterval(() => this.#tick(), tickMs);
    try {
      const backOff = new BackOff();
      while (!signal.aborted) {
        if (this.#isDirty && this.#collections.isComplete) {
          if (await this.#cycle()) backOff.reset();
          else await delay(backOff.next(), signal);
        } else {
          await this.#untilWoken();
          // Between two cycles, never during one, which may be about to name an old chunk again.
          await this.#collectGarbage();
        }
      }
    } finally {
      clearInterval(ticking);
      this.#holdOff.cancel();
    }
    await collecting;
  }

  async #takeOver(): Promise<void> {
    const { signal } = this.#leadership;
    const chunks = this.#collections.chunkSource();
    const backOff = new BackOff();
    while (!signal.aborted) {
      try {
        this.#claims = await this.#publisher.takeOver(async () => {
          const { items } = await chunks.list(signal);
          return items.toSorted(byCreation).map(({ metadata }) => metadata.name);
        });
        const { head } = this.#publisher;
        this.#options.log.info({ epoch: head?.epoch ?? 1, sequence: head?.sequence ?? 0 }, 'leading');
        return;
      } catch (error) {
        if (error instanceof LostLeadership) throw error;
        this.#fail('the head could not be taken over; trying again', error);
        await delay(backOff.next(), signal);
      }
    }
  }

  #untilWoken(): Promise<void> {
    const { signal } = this.#leadership;
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end);
        resolve();
      };
      this.#wake = end;
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }

  /** Whether it went through. Throws only LostLeadership. */
  async #cycle(): Promise<boolean> {
    const { log } = this.#options;
    const startedMs = performance.now();
    const before = this.#publisher.head?.sequence ?? 0;
    // What changes from here on asks for another cycle.
    this.#isDirty = false;
    try {
      const view = this.#view();
      const { model, verdicts, claims } = translate(view, this.#options.translate);
      const bundle = encode(model);
      const ledger = ledgerOf(claims);
      this.#cycleSeconds = (performance.now() - startedMs) / 1000;
      const beyond = this.#beyond(before);
      const head = await this.#publisher.ensure({ bundle, claims: ledger, beyond }, this.#inventory());
      this.#claims = ledger;
      if (head.sequence !== before)
        log.info(
          { sequence: head.sequence, digest: head.digest.slice(0, 12), chunks: head.chunks.length },
          'published a new revision',
        );
      const routes = newestOf(view.ingressRoutes, this.#collections.all('ingressRoutes'));
      this.#acknowledgements.update(this.#candidates());
      this.#statuses.publish({ sequence: head.sequence, model, verdicts, routes });
      this.#statuses.refresh();
      return true;
    } catch (error) {
      if (error instanceof LostLeadership) throw error;
      this.#isDirty = true;
      this.#fail('a revision could not be published; trying again', error);
      return false;
    }
  }

  #view(): ClusterView {
    return {
      ingressRoutes: this.#collections.all('ingressRoutes'),
      ingressClasses: this.#collections.all('ingressClasses'),
      services: this.#collections.all('services'),
      endpointSlices: this.#collections.all('endpointSlices'),
      claims: new Map(this.#claims.map(({ host, namespace, since }) => [host, { namespace, since }])),
      now: new Date().toISOString(),
    };
  }

  #inventory(): { readonly head: KubeObject | undefined; readonly chunks: readonly KubeObject[] } {
    const [head] = this.#collections.all('head') as unknown as readonly KubeObject[];
    return { head, chunks: this.#collections.all('chunks') as unknown as readonly KubeObject[] };
  }

  #candidates(): readonly Candidate[] {
    return candidatesOf(this.#collections.all('pods'), this.#collections.all('nodes'));
  }

  #onChange(name: CollectionName, change: Change<KubeObject>): void {
    if (name === 'pods' || name === 'nodes') {
      if (this.#collections.isComplete) this.#acknowledgements.update(this.#candidates());
    } else if (this.#isOwnWrite(name, change)) {
      // Only what others do to generated objects asks for work.
    } else if (name === 'ingressRoutes' && isStatusChange(change)) {
      this.#statuses.observe(change.after);
      this.#statuses.refresh();
    } else this.#holdOff.touch();
    // The last list of all makes the collections complete.
    if (change.kind === 'Listed') this.#holdOff.touch();
  }

  /** A new chunk is our own; one that goes or is replaced may be missed. */
  #isOwnWrite(name: CollectionName, change: Change<KubeObject>): boolean {
    if (change.kind !== 'Applied') return false;
    if (name === 'chunks') return change.before === undefined;
    return name === 'head' && this.#publisher.isOwnHead(change.after);
  }

  #onAcknowledged(): void {
    this.#publishBeyond();
    this.#statuses.refresh();
  }

  /** Pods that serve a later revision than the head's: the head was lost, and has to go on above them. */
  #publishBeyond(): void {
    const published = this.#publisher.head?.sequence ?? 0;
    if (published > 0 && this.#acknowledgements.beyond(published) > 0) this.#holdOff.touch();
  }

  /** Pods face the internet: what one says may cost a revision now and then, not one after the other. */
  #beyond(published: number): number {
    const nowMs = performance.now();
    if (nowMs - this.#believedMs < believeEveryMs) return 0;
    const beyond = this.#acknowledgements.beyond(published);
    if (beyond > 0) this.#believedMs = nowMs;
    return beyond;
  }

  #onSilence({ name, namespace, node, uid }: Candidate): void {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid } };
    this.#options.log.warn({ pod: refText({ kind: 'Pod', name, namespace }), node }, 'a pod is silent');
    this.#events.record(
      'Warning',
      pod,
      'NoAcknowledgement',
      'it does not say which revision it serves; objects no longer wait for it',
    );
  }

  #tick(): void {
    this.#acknowledgements.findSilent();
    this.#statuses.refresh();
    // What was not believed a moment ago may be by now.
    this.#publishBeyond();
    this.#wake();
  }

  async #collectGarbage(): Promise<void> {
    const { head } = this.#publisher;
    if (head === undefined || !this.#collections.isComplete) return;
    try {
      const inventory = this.#inventory();
      const named = new Set([...head.chunks, ...head.claims].map(chunkName));
      const stored = inventory.chunks.map(({ metadata }) => metadata.name);
      await this.#publisher.collect(this.#garbage.due(stored, named, performance.now()), inventory);
    } catch (error) {
      if (error instanceof LostLeadership) throw error;
      this.#fail('old chunks could not be collected', error);
    }
  }

  #fail(message: string, error: unknown): void {
    if (this.#leadership.signal.aborted) return;
    this.#failures++;
    // The API server's own words say it all; a stack says nothing more.
    this.#options.log.warn(error instanceof ApiError ? { error: error.message } : { err: error }, message);
  }
}

/** The spec is the same: only who reads statuses needs to know. */
function isStatusChange(
  change: Change<KubeObject>,
): change is Extract<Change<KubeObject>, { readonly kind: 'Applied' }> {
  if (change.kind !== 'Applied' || change.before === undefined) return false;
  const [before, after] = [change.before.metadata, change.after.metadata];
  return (
    before.uid === after.uid &&
    before['generation'] === after['generation'] &&
    before['deletionTimestamp'] === after['deletionTimestamp']
  );
}

/** What was translated, by id, in its newest version as long as that asks for the same. */
function newestOf(
  translated: readonly KubernetesObject[],
  present: readonly KubernetesObject[],
): ReadonlyMap<string, KubernetesObject> {
  const routes = new Map(translated.map((object) => [idOf(object), object]));
  for (const object of present) {
    const [before, after] = [readMeta(routes.get(idOf(object)) ?? object), readMeta(object)];
    if (routes.has(idOf(object)) && before.uid === after.uid && before.generation === after.generation)
      routes.set(idOf(object), object);
  }
  return routes;
}

function idOf(object: KubernetesObject): string {
  const { namespace, name } = readMeta(object);
  return `${namespace}/${name}`;
}

function byCreation(a: KubeObject, b: KubeObject): number {
  return String(a.metadata['creationTimestamp']) < String(b.metadata['creationTimestamp']) ? -1 : 1;
}

function ledgerOf(claims: Claims): readonly LedgerEntry[] {
  return [...claims].map(([host, claim]) => ({ host, ...claim }));
}
