// The control loop: collect -> translate -> encode -> publish -> acknowledge -> status, while this replica leads.
//
//   change --> hold-off --> cycle: translate, ensure, statuses
//   a pod's answer, a tick ------> statuses, garbage
//
// Level-triggered: every cycle starts from complete collections and ends in a complete model. A cycle that fails is run
// again; nothing depends on which event came.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { Leadership } from '#cluster/election.ts';
import { ClusterObjects } from '#cluster/objects.ts';
import { ApiError } from '#kube/api-client.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { BackOff } from '#kube/back-off.ts';
import { delay } from '#kube/deadline.ts';
import type { Change } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import { BundleEncoder } from '#model/bundle.ts';
import { chunkName } from '#model/chunk.ts';
import type { Revision } from '#model/revision.ts';
import type { Certificate, SigningKey } from '#model/route-model.ts';
import { newSessionKey, sessionKeyId } from '#model/signing-key.ts';
import type { Claims, ClusterView, TranslateSettings } from '#translate/cluster-view.ts';
import { Translator } from '#translate/translator.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { Address } from './addresses.ts';
import { Collections } from './collections.ts';
import type { CollectionName } from './collections.ts';
import { Garbage } from './garbage.ts';
import { HoldOff } from './hold-off.ts';
import { Ledger, claimsOf } from './ledger.ts';
import { candidatesOf } from './members.ts';
import type { Candidate } from './members.ts';
import { Outcomes } from './outcomes.ts';
import { LostLeadership, Publisher } from './publisher.ts';
import type { Inventory } from './publisher.ts';
import { isNewer } from './object-version.ts';
import { isStatusChange, isUnchanged, isZoneChange } from './relevance.ts';
import { SchemaChooser } from './schema-choice.ts';

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
  readonly readsClusterScoped: boolean;
  /** Where the data plane is reached, where that is known; empty: the published Service says it, or the nodes. */
  readonly publishAddresses: readonly Address[];
  readonly publishService: { readonly namespace: string; readonly name: string } | undefined;
  readonly chunkRetentionMs: number;
  readonly translate: TranslateSettings;
  readonly ask: (candidate: Candidate, after: number, signal: AbortSignal) => Promise<Revision>;
  readonly log: OperatorLog;
}

/** The material of the operator's metrics. */
export interface OperatorSnapshot {
  readonly sequence: number;
  readonly publishWrites: number;
  readonly publishBytes: number;
  readonly statusWrites: number;
  readonly failures: number;
  readonly repairs: number;
  readonly members: number;
  readonly contactAgeSeconds: number;
  readonly cycleSeconds: number;
  readonly routes: ReadonlyMap<string, number>;
  /** `namespace/secret` -> when it ends, in seconds since 1970. */
  readonly certificates: ReadonlyMap<string, number>;
}

const holdOffTimes = { quietMs: 1, spacingMs: 15, restFactor: 3, maximumMs: 400 };
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
  readonly #outcomes: Outcomes;
  readonly #garbage: Garbage;
  readonly #holdOff: HoldOff;
  readonly #translator: Translator;
  readonly #encoder = new BundleEncoder();
  #claims: Claims = new Map();
  readonly #ledger = new Ledger();
  #certificates: ReadonlyMap<string, Certificate> = new Map();
  #sessionKey: SigningKey = newSessionKey();
  readonly #schemas = new SchemaChooser();
  #isDirty = true;
  #wake: () => void = () => {};
  #failures = 0;
  #repairs = 0;
  #cycleSeconds = 0;
  #believedMs = -Infinity;
  #day = '';
  readonly #warned = new Set<string>();

  constructor(options: OperatorOptions, leadership: Leadership) {
    const { client, routesNamespace, log } = options;
    const { signal } = leadership;
    const isLeading = (): boolean => leadership.isHeld() && !signal.aborted;
    this.#options = options;
    this.#leadership = leadership;
    this.#translator = new Translator(options.translate);
    this.#objects = new ClusterObjects(client);
    this.#holdOff = new HoldOff(holdOffTimes, () => {
      this.#isDirty = true;
      this.#wake();
    });
    this.#collections = new Collections({
      ...options,
      claimants: () => new Set([...this.#claims.values()].map(({ namespace }) => namespace)),
      onChange: (name, change) => this.#onChange(name, change),
      onError: (name, error) => this.#fail(`${name} could not be followed; trying again`, error),
      signal,
    });
    this.#publisher = new Publisher({
      objects: this.#objects,
      namespace: routesNamespace,
      term: leadership.term,
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
    this.#outcomes = new Outcomes({
      ...options,
      objects: this.#objects,
      collections: this.#collections,
      acknowledgements: this.#acknowledgements,
      isLeading,
      onError: (message, error) => this.#fail(message, error),
      signal,
    });
    this.#garbage = new Garbage(options.chunkRetentionMs);
  }

  get snapshot(): OperatorSnapshot {
    return {
      sequence: this.#publisher.sequence,
      publishWrites: this.#publisher.writes,
      publishBytes: this.#publisher.writtenBytes,
      statusWrites: this.#outcomes.statusWrites,
      failures: this.#failures,
      repairs: this.#repairs,
      members: this.#acknowledgements.count,
      contactAgeSeconds: this.#collections.contactAgeSeconds,
      cycleSeconds: this.#cycleSeconds,
      routes: this.#outcomes.reasons,
      certificates: new Map(
        [...this.#certificates.values()].map(({ id, notAfter }) => [id, Date.parse(notAfter) / 1000]),
      ),
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
    const sources = this.#collections.chunkSources();
    const backOff = new BackOff();
    while (!signal.aborted) {
      try {
        const { claims, certificates, keys } = await this.#publisher.takeOver(async () => {
          const lists = await Promise.all(sources.map((source) => source.list(signal)));
          const items = lists.flatMap((list) => list.items);
          return items.sort(byCreation).map(({ metadata }) => metadata.name);
        });
        this.#claims = claimsOf(claims);
        this.#certificates = byId(certificates);
        this.#sessionKey = keys.find(({ id }) => id === sessionKeyId) ?? this.#sessionKey;
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
    const startedCpu = process.cpuUsage();
    const before = this.#publisher.sequence;
    // What changes from here on asks for another cycle.
    this.#isDirty = false;
    this.#holdOff.acting();
    // Whoever has not been asked yet may understand less than all others.
    this.#acknowledgements.update(this.#candidates());
    try {
      const view = this.#view();
      const translation = this.#translator.translate(view);
      const { understanding } = this.#acknowledgements;
      const published = this.#publisher.head?.schema;
      const choice = this.#schemas.choose(translation.model, understanding, published);
      const bundle = this.#encoder.encode(choice.model, choice.schema);
      const claims = this.#ledger.entriesOf(translation.claims);
      this.#cycleSeconds = (performance.now() - startedMs) / 1000;
      const beyond = this.#beyond(before);
      const head = await this.#publisher.ensure({ bundle, claims, beyond }, this.#inventory());
      this.#claims = translation.claims;
      this.#certificates = byId(translation.model.certificates);
      for (const { at, message } of translation.problems) this.#warnOnce(`the setting ${at}: ${message}`);
      if (head.sequence !== before)
        log.info(
          {
            sequence: head.sequence,
            schema: head.schema,
            digest: head.digest.slice(0, 12),
            chunks: head.chunks.length,
          },
          'published a new revision',
        );
      this.#acknowledgements.update(this.#candidates());
      const { model, heldBack } = choice;
      this.#outcomes.publish({ sequence: head.sequence, model, heldBack, view, translation });
      return true;
    } catch (error) {
      if (error instanceof LostLeadership) throw error;
      this.#isDirty = true;
      this.#fail('a revision could not be published; trying again', error);
      return false;
    } finally {
      // Waiting for the API server costs nobody anything.
      const { user, system } = process.cpuUsage(startedCpu);
      this.#holdOff.acted((user + system) / 1000);
    }
  }

  #view(): ClusterView {
    const all = (name: CollectionName): readonly KubernetesObject[] => this.#collections.all(name);
    return {
      ingressRoutes: all('ingressRoutes'),
      ingresses: all('ingresses'),
      ingressClasses: all('ingressClasses'),
      services: all('services'),
      endpointSlices: all('endpointSlices'),
      secrets: all('secrets'),
      nodes: all('nodes'),
      issuedCertificates: all('issuedCertificates'),
      claims: this.#claims,
      lastGood: this.#certificates,
      sessionKey: this.#sessionKey,
      now: new Date().toISOString(),
    };
  }

  #inventory(): Inventory {
    const all = (name: CollectionName): readonly KubeObject[] =>
      this.#collections.all(name) as unknown as readonly KubeObject[];
    const [head] = all('head');
    const [chunks, secretChunks] = [all('chunks'), all('secretChunks')];
    return { head, chunks: secretChunks.length === 0 ? chunks : [...chunks, ...secretChunks] };
  }

  #candidates(): readonly Candidate[] {
    const nodes = this.#options.readsClusterScoped ? this.#collections.all('nodes') : undefined;
    return candidatesOf(this.#collections.all('pods'), nodes);
  }

  #onChange(name: CollectionName, change: Change<KubeObject>): void {
    if (name === 'pods' || name === 'nodes') {
      if (this.#collections.isComplete) this.#acknowledgements.update(this.#candidates());
      // The zone of a node is part of a model.
      if (name === 'nodes' && isZoneChange(change)) this.#holdOff.touch();
    } else if (name === 'publishedService') {
      // Looked at now and then.
    } else if (this.#isOwnWrite(name, change)) {
      // Only what others do to generated objects asks for work.
    } else if ((name === 'ingressRoutes' || name === 'ingresses') && isStatusChange(change)) {
      this.#outcomes.observe(name, change.after);
    } else if (!isUnchanged(change)) this.#holdOff.touch();
    if (change.kind !== 'Listed') return;
    // What changed while nobody watched is told by the list alone.
    if (name === 'ingressRoutes' || name === 'ingresses') this.#outcomes.observeAll(name);
    // The last list of all makes the collections complete.
    this.#holdOff.touch();
  }

  /** A new chunk is our own; one that is replaced, or goes without our doing, may be missed. */
  #isOwnWrite(name: CollectionName, change: Change<KubeObject>): boolean {
    if (change.kind === 'Listed') return false;
    const isChunk = name === 'chunks' || name === 'secretChunks';
    if (change.kind === 'Deleted')
      return isChunk && change.before !== undefined && this.#publisher.hasCollected(change.before);
    return isChunk ? change.before === undefined : name === 'head' && this.#publisher.isOwnHead(change.after);
  }

  #onAcknowledged(): void {
    this.#publishForReaders();
    this.#outcomes.refresh();
  }

  /**
   * Pods that serve a later revision than the head's: the head was lost, and has to go on above them. And those that are
   * there now may understand more, or less, than those before.
   */
  #publishForReaders(): void {
    const published = this.#publisher.sequence;
    const isBehind = published > 0 && this.#acknowledgements.beyond(published) > 0;
    if (isBehind || !this.#schemas.suits(this.#acknowledgements.understanding)) this.#holdOff.touch();
  }

  /** Pods face the internet: what one says may cost a revision now and then, not one after the other. */
  #beyond(published: number): number {
    const nowMs = performance.now();
    if (nowMs - this.#believedMs < believeEveryMs) return 0;
    const beyond = this.#acknowledgements.beyond(published);
    if (beyond > 0) this.#believedMs = nowMs;
    return beyond;
  }

  #onSilence(candidate: Candidate): void {
    const pod = this.#outcomes.tellOfSilence(candidate);
    this.#options.log.warn({ pod, node: candidate.node }, 'a pod is silent');
  }

  #tick(): void {
    this.#acknowledgements.findSilent();
    if (this.#collections.isComplete) this.#outcomes.observeAddresses();
    this.#outcomes.refresh();
    this.#touchAtMidnight();
    // What was not believed a moment ago may be by now; and who has left has said nothing.
    this.#publishForReaders();
    this.#wake();
  }

  async #collectGarbage(): Promise<void> {
    const { head } = this.#publisher;
    if (head === undefined || !this.#collections.isComplete) return;
    try {
      const inventory = this.#inventory();
      const named = new Set([...head.chunks, ...head.claims].map(chunkName));
      const stored = inventory.chunks.map(({ metadata }) => metadata.name);
      const due = this.#garbage.due(stored, named, performance.now());
      // Changes do not wait for it.
      await this.#publisher.collect(due, inventory, () => this.#isDirty);
    } catch (error) {
      if (error instanceof LostLeadership) throw error;
      this.#fail('old chunks could not be collected', error);
    }
  }

  /** Certificates are judged by the day. */
  #touchAtMidnight(): void {
    const day = new Date().toISOString().slice(0, 10);
    if (this.#day !== '' && this.#day !== day) this.#holdOff.touch();
    this.#day = day;
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.log.warn({}, message);
  }

  #fail(message: string, error: unknown): void {
    if (this.#leadership.signal.aborted) return;
    this.#failures++;
    // The API server's own words say it all; a stack says nothing more.
    this.#options.log.warn(error instanceof ApiError ? { error: error.message } : { err: error }, message);
  }
}

function byId(certificates: readonly Certificate[]): ReadonlyMap<string, Certificate> {
  return new Map(certificates.map((certificate) => [certificate.id, certificate]));
}

/** Of objects that never change; their timestamps know nothing below a second. */
function byCreation(a: KubeObject, b: KubeObject): number {
  return isNewer(a, b) ? 1 : -1;
}
