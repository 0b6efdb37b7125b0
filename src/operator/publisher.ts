// Makes the stored bundle the wanted one: chunks first, then the head, with a precondition on every step that matters.
//
//   wanted chunk missing or wrong --> create, or verify and replace
//   all chunks there -----------------> head, if it differs, on the resourceVersion that was read
//
// Killed between any two steps, it leaves chunks that nobody names: a reader sees the old head or the new one. Another
// leader's head has a higher epoch, and its first write takes the resourceVersion away from everyone before it.
import { isApiError } from '#kube/api-client.ts';
import { configMapsOf, textOf } from '#kube/config-map.ts';
import { secretTextOf, secretValue, secretsOf } from '#kube/secret.ts';
import type { KubeObject } from '#kube/source.ts';
import type { ClusterObjects, ObjectKind } from '#cluster/objects.ts';
import type { Bundle } from '#model/bundle.ts';
import { decodeChunk } from '#model/chunk-reader.ts';
import { chunkName, isSecret, parseChunkName } from '#model/chunk.ts';
import type { Chunk, ChunkRef, StoredChunk } from '#model/chunk.ts';
import { ClaimsEncoder, decodeClaims } from '#model/claims-ledger.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { decodeHead, encodeHead, peekOrder } from '#model/head.ts';
import type { Head } from '#model/head.ts';
import { newestSchema } from '#model/route-model-schema.ts';
import type { Certificate, SigningKey } from '#model/route-model.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';

/** A newer leader has written the head. */
export class LostLeadership extends Error {
  override readonly name = 'LostLeadership';
}

export interface PublisherOptions {
  readonly objects: ClusterObjects;
  readonly namespace: string;
  /** Of this time in office: higher than that of every earlier one. */
  readonly term: number;
  /** Asked before every write. */
  readonly isLeading: () => boolean;
  readonly onRepair: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What is stored now, metadata alone: names, uids. */
export interface Inventory {
  readonly head: KubeObject | undefined;
  readonly chunks: readonly KubeObject[];
}

export interface Wanted {
  readonly bundle: Bundle;
  readonly claims: readonly LedgerEntry[];
  /** Some reader serves a revision of this sequence that nobody here has published: the next one must exceed it. */
  readonly beyond: number;
}

/** What an earlier leader has left, for the next model to be made from. */
export interface Legacy {
  readonly claims: readonly LedgerEntry[];
  /** What was served last. */
  readonly certificates: readonly Certificate[];
  readonly keys: readonly SigningKey[];
}

interface StoredHead {
  readonly object: KubeObject;
  readonly head: Head;
  readonly text: string;
}

export class Publisher {
  writes = 0;
  /** Of chunks and heads, as they were sent. */
  writtenBytes = 0;
  readonly #options: PublisherOptions;
  readonly #configMaps: ObjectKind;
  readonly #secrets: ObjectKind;
  readonly #claims = new ClaimsEncoder();
  /** Chunks that are there and right: name -> uid. */
  readonly #known = new Map<string, string>();
  /** Chunks that this leader has deleted, until the watch shows it: `name uid`. */
  readonly #collected = new Set<string>();
  readonly #digests = new Map<number, string>();
  #head: Head | undefined = undefined;
  #stored: StoredHead | undefined = undefined;
  #lastText = '';
  #lastDigest = '';
  #sequence = 0;
  #epoch: number;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#configMaps = configMapsOf(options.namespace);
    this.#secrets = secretsOf(options.namespace);
    this.#epoch = options.term;
  }

  /** The head as this leader last wrote it, whatever others have made of it since. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** The highest number that this leader has written or found; 0: none. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether this is the head that we wrote last, perhaps seen before the answer to that write. */
  isOwnHead(object: KubeObject): boolean {
    return textOf(object, headKey) === this.#lastText;
  }

  /** Whether this chunk is gone by our own doing. Asked once, when the watch shows it. */
  hasCollected({ metadata: { name, uid = '' } }: KubeObject): boolean {
    return this.#collected.delete(`${name} ${uid}`);
  }

  /** The digest published as `sequence`, as far as this leader knows. */
  digestOf(sequence: number): string | undefined {
    return this.#digests.get(sequence);
  }

  /**
   * Shuts every earlier leader out and returns what it has left. From here on a write of theirs meets a head that has
   * changed. `chunkNames` are those that are stored, oldest first: asked for when the head is lost.
   */
  async takeOver(chunkNames: () => Promise<readonly string[]>): Promise<Legacy> {
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const object = await this.#getHead();
      const text = object === undefined ? '' : (textOf(object, headKey) ?? '');
      const decoded = object === undefined ? undefined : decodeHead(text);
      if (object === undefined || decoded?.kind !== 'Decoded') {
        // Lost or broken: the first publish replaces it. What it named is what its chunks still say.
        if (decoded?.kind === 'Refused') this.#options.onRepair(`the head is unreadable: ${decoded.message}`);
        const order = peekOrder(text);
        this.#epoch = Math.max(this.#epoch, order.epoch + 1);
        this.#sequence = Math.max(this.#sequence, order.sequence);
        return this.#legacyOf(await chunkNames(), newestSchema);
      }
      const { head } = decoded;
      this.#epoch = Math.max(this.#epoch, head.epoch + 1);
      if (await this.#writeHead({ ...head, epoch: this.#epoch }, object))
        return this.#legacyOf([...head.chunks, ...head.claims].map(chunkName), head.schema);
    }
    throw headUnwritable();
  }

  /** Resolves when what is stored is what is wanted; rejects with what went wrong, and may be called again. */
  async ensure({ bundle, claims, beyond }: Wanted, inventory: Inventory): Promise<Head> {
    const ledger = this.#claims.encode(claims);
    const uids = new Map(inventory.chunks.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
    const doubtful = [...bundle.chunks, ...ledger].filter((chunk) => {
      const uid = uids.get(chunkName(chunk));
      return uid === undefined || uid !== this.#known.get(chunkName(chunk));
    });
    await inParallel<StoredChunk>(doubtful, (chunk) => this.#ensureChunk(chunk, uids.has(chunkName(chunk))));
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const object = await this.#currentHead(inventory);
      const foreign = object === undefined ? undefined : this.#readForeign(object);
      // Some pod may have taken what another hand wrote: only a higher number takes it back.
      const isSame = this.#lastDigest === bundle.digest && foreign === undefined && beyond < this.#sequence;
      const head: Head = {
        schema: bundle.schema,
        epoch: this.#epoch,
        sequence: isSame ? this.#sequence : Math.max(this.#sequence, foreign?.sequence ?? 0, beyond) + 1,
        digest: bundle.digest,
        chunks: bundle.chunks.map(refOf),
        claims: ledger.map(refOf),
      };
      if (object !== undefined && this.#stored?.object === object && encodeHead(head) === this.#stored.text)
        return this.#stored.head;
      if (await this.#writeHead(head, object)) return head;
      this.#stored = undefined;
    }
    throw headUnwritable();
  }

  /**
   * Deletes chunks by name; one that has come back into use meanwhile is found missing and made again. A few at least, and
   * no more of them when it is enough.
   */
  async collect(
    names: readonly string[],
    inventory: Inventory,
    isEnough: () => boolean = () => false,
  ): Promise<void> {
    if (names.length === 0) return;
    // What no watch has shown by now, no watch will show.
    if (this.#collected.size > mostCollected) this.#collected.clear();
    const { objects, signal } = this.#options;
    const uids = new Map(inventory.chunks.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
    await inParallel(
      names,
      async (name) => {
        this.#assertLeading();
        const uid = uids.get(name) ?? '';
        this.#collected.add(`${name} ${uid}`);
        await objects.delete(this.#kindOf(name), name, uid, signal);
        this.#known.delete(name);
        this.writes++;
      },
      isEnough,
    );
  }

  /**
   * `isStored`: one of that name seems to be there already, perhaps another leader's. One of ours that the inventory does
   * not show is either too new for it or has been deleted: then the API server is asked.
   */
  async #ensureChunk(chunk: StoredChunk, isStored: boolean): Promise<void> {
    const { objects, signal, onRepair } = this.#options;
    const name = chunkName(chunk);
    const { text } = chunk;
    const kind = this.#kindOf(name);
    const mayCreate = !isStored && !this.#known.has(name);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      if ((mayCreate || attempt > 0) && (await this.#createChunk(name, chunk.kind, text))) return;
      const existing = await objects.get(kind, name, signal);
      if (existing === undefined) continue;
      const uid = existing.metadata.uid ?? '';
      if (storedText(existing) === text && existing['immutable'] === true) {
        this.#known.set(name, uid);
        return;
      }
      onRepair(`chunk ${name} is not what its name says; it is made anew`);
      this.#assertLeading();
      await objects.delete(kind, name, uid, signal);
      this.writes++;
    }
    throw new Error(`chunk ${name} is neither there nor can it be created`);
  }

  /** False when there is one of that name. */
  async #createChunk(name: string, kind: StoredChunk['kind'], text: string): Promise<boolean> {
    this.#assertLeading();
    try {
      const created = await this.#options.objects.create(
        this.#kindOf(name),
        chunkObject(name, kind, text),
        this.#options.signal,
      );
      this.writes++;
      this.writtenBytes += Buffer.byteLength(text);
      this.#known.set(name, created.metadata.uid ?? '');
      return true;
    } catch (error) {
      if (isApiError(error, 409)) return false;
      throw error;
    }
  }

  async #getHead(): Promise<KubeObject | undefined> {
    return this.#options.objects.get(this.#configMaps, headName, this.#options.signal);
  }

  /** The head as stored: our own last write unless the inventory shows another, and then the API server's word. */
  async #currentHead({ head }: Inventory): Promise<KubeObject | undefined> {
    const own = this.#stored?.object;
    if (own !== undefined && head?.metadata.resourceVersion === own.metadata.resourceVersion) return own;
    const object = await this.#getHead();
    return object?.metadata.resourceVersion === own?.metadata.resourceVersion ? own : object;
  }

  /** A head that is not the one that we wrote last. Throws when a newer leader wrote it. */
  #readForeign(object: KubeObject): Pick<Head, 'sequence'> | undefined {
    if (object === this.#stored?.object) return undefined;
    const text = textOf(object, headKey) ?? '';
    if (text === this.#stored?.text) {
      // Only its metadata has changed.
      this.#stored = { ...this.#stored, object };
      return undefined;
    }
    const decoded = decodeHead(text);
    // Also of a head that is unreadable to us: an operator of a later version may have written it.
    const order = decoded.kind === 'Refused' ? peekOrder(text) : decoded.head;
    if (order.epoch > this.#epoch)
      throw new LostLeadership(`the head is of epoch ${order.epoch}, this leader's is ${this.#epoch}`);
    if (decoded.kind === 'Refused') {
      this.#options.onRepair(`the head is unreadable and made anew: ${decoded.message}`);
      return order;
    }
    if (this.#stored !== undefined)
      this.#options.onRepair('the head was changed by another hand; it is made anew');
    return decoded.head;
  }

  /** False when the stored head is no longer the one that this write was meant to follow. */
  async #writeHead(head: Head, before: KubeObject | undefined): Promise<boolean> {
    const { objects, signal } = this.#options;
    this.#assertLeading();
    const text = encodeHead(head);
    this.#lastText = text;
    const content = { data: { [headKey]: text }, metadata: { name: headName, labels: labels('head') } };
    try {
      const object =
        before === undefined
          ? await objects.create(this.#configMaps, content, signal)
          : await objects.replace(
              this.#configMaps,
              {
                apiVersion: 'v1',
                kind: 'ConfigMap',
                ...content,
                metadata: { ...content.metadata, resourceVersion: before.metadata.resourceVersion ?? '' },
              },
              signal,
            );
      this.writes++;
      this.writtenBytes += Buffer.byteLength(text);
      this.#head = head;
      this.#stored = { object, head, text };
      this.#lastDigest = head.digest;
      this.#sequence = Math.max(this.#sequence, head.sequence);
      this.#digests.set(head.sequence, head.digest);
      for (const sequence of this.#digests.keys())
        if (sequence < head.sequence - rememberedRevisions) this.#digests.delete(sequence);
      return true;
    } catch (error) {
      if (isApiError(error, 409)) return false;
      throw error;
    }
  }

  #kindOf(name: string): ObjectKind {
    const ref = parseChunkName(name);
    return ref !== undefined && isSecret(ref.kind) ? this.#secrets : this.#configMaps;
  }

  /** The union of what these chunks say; where two say something of one host or Secret, the later one holds. */
  async #legacyOf(names: readonly string[], schema: number): Promise<Legacy> {
    const claims = new Map<string, LedgerEntry>();
    const certificates = new Map<string, Certificate>();
    const keys = new Map<string, SigningKey>();
    for (const name of names) {
      const ref = parseChunkName(name);
      if (ref === undefined || !isHistory(ref.kind)) continue;
      const object = await this.#options.objects.get(this.#kindOf(name), name, this.#options.signal);
      const text = object === undefined ? undefined : storedText(object);
      const lost = (): void => this.#options.onRepair(`${ref.kind} are lost: ${name} is missing or broken`);
      if (text === undefined) lost();
      else if (ref.kind === 'claims') {
        const entries = decodeClaims({ ...ref, text });
        if (entries === undefined) lost();
        for (const entry of entries ?? []) claims.set(entry.host, entry);
      } else {
        const content = decodeChunk({ ...ref, text } as Chunk, schema);
        if (content.kind === 'certificates')
          for (const certificate of content.certificates) certificates.set(certificate.id, certificate);
        else if (content.kind === 'keys') for (const key of content.keys) keys.set(key.id, key);
        else lost();
      }
    }
    return {
      claims: [...claims.values()],
      certificates: [...certificates.values()],
      keys: [...keys.values()],
    };
  }

  #assertLeading(): void {
    if (!this.#options.isLeading()) throw new LostLeadership('the lease is no longer held');
  }
}

/** What cannot be derived from objects: it is read back. */
function isHistory(kind: StoredChunk['kind']): boolean {
  return kind === 'claims' || isSecret(kind);
}

/** Of a chunk its name is enough: its text would stay for as long as this leader leads. */
function refOf({ kind, digest }: ChunkRef): ChunkRef {
  return { kind, digest };
}

/** A conflict ends with the next look, unless it is none: a quota is refused with the same answer. Who calls may wait. */
const mostAttempts = 10;

function headUnwritable(): Error {
  return new Error('the head has changed at every attempt to write it');
}

const rememberedRevisions = 1000;
const mostCollected = 100_000;
const parallelWrites = 8;

/** A few at a time, each of them until it is enough; rejects with the first failure when those that run have ended. */
async function inParallel<T>(
  values: readonly T[],
  work: (value: T) => Promise<void>,
  isEnough: () => boolean = () => false,
): Promise<void> {
  const rest = [...values].reverse();
  const results = await Promise.allSettled(
    Array.from({ length: Math.min(parallelWrites, rest.length) }, async () => {
      for (let value = rest.pop(); value !== undefined; value = isEnough() ? undefined : rest.pop())
        await work(value);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function labels(part: 'head' | 'chunk'): Readonly<Record<string, string>> {
  return { [partLabel]: part, 'app.kubernetes.io/managed-by': 'flint-operator' };
}

/** Of a ConfigMap or a Secret. */
function storedText(object: KubeObject): string | undefined {
  return object.kind === 'Secret' ? secretTextOf(object, chunkKey) : textOf(object, chunkKey);
}

function chunkObject(
  name: string,
  kind: StoredChunk['kind'],
  text: string,
): Readonly<Record<string, unknown>> {
  const value = isSecret(kind) ? secretValue(text) : text;
  return { metadata: { name, labels: labels('chunk') }, immutable: true, data: { [chunkKey]: value } };
}
