// Makes the stored bundle the wanted one: chunks first, then the head, with a precondition on every step that matters.
//
//   wanted chunk missing or wrong --> create, or verify and replace
//   all chunks there -----------------> head, if it differs, on the resourceVersion that was read
//
// Killed between any two steps, it leaves chunks that nobody names: a reader sees the old head or the new one. Another
// leader's head has a higher epoch, and its first write takes the resourceVersion away from everyone before it.
import { isApiError } from '#kube/api-client.ts';
import { configMapsOf, textOf } from '#kube/config-map.ts';
import type { KubeObject } from '#kube/source.ts';
import type { ClusterObjects, ObjectKind } from '#cluster/objects.ts';
import type { Bundle, StoredChunk } from '#model/bundle.ts';
import { decodeClaims, encodeClaims } from '#model/claims-ledger.ts';
import type { LedgerEntry } from '#model/claims-ledger.ts';
import { chunkName, decodeHead, encodeHead, parseChunkName } from '#model/head.ts';
import type { ChunkRef, Head } from '#model/head.ts';
import { chunkKey, headKey, headName, partLabel } from '#model/wire-names.ts';

/** A newer leader has written the head. */
export class LostLeadership extends Error {
  override readonly name = 'LostLeadership';
}

export interface PublisherOptions {
  readonly objects: ClusterObjects;
  readonly namespace: string;
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

interface StoredHead {
  readonly object: KubeObject;
  readonly head: Head;
  readonly text: string;
}

export class Publisher {
  writes = 0;
  readonly #options: PublisherOptions;
  readonly #kind: ObjectKind;
  /** Chunks that are there and right: name -> uid. */
  readonly #known = new Map<string, string>();
  readonly #digests = new Map<number, string>();
  #stored: StoredHead | undefined = undefined;
  #lastText = '';
  #lastDigest = '';
  /** The highest number that this leader has written or found. */
  #sequence = 0;
  #epoch = 1;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#kind = configMapsOf(options.namespace);
  }

  /** The head as this leader last wrote or found it. */
  get head(): Head | undefined {
    return this.#stored?.head;
  }

  /** Whether this is the head that we wrote last, perhaps seen before the answer to that write. */
  isOwnHead(object: KubeObject): boolean {
    return textOf(object, headKey) === this.#lastText;
  }

  /** The digest published as `sequence`, as far as this leader knows. */
  digestOf(sequence: number): string | undefined {
    return this.#digests.get(sequence);
  }

  /**
   * Shuts every earlier leader out and returns the ledger of claims that was stored. From here on a write of theirs
   * meets a head that has changed. `chunkNames` are those that are stored, oldest first: asked for when the head is lost.
   */
  async takeOver(chunkNames: () => Promise<readonly string[]>): Promise<readonly LedgerEntry[]> {
    for (;;) {
      const object = await this.#getHead();
      const decoded = object === undefined ? undefined : decodeHead(textOf(object, headKey) ?? '');
      if (object === undefined || decoded?.kind !== 'Decoded') {
        // Lost or broken: the first publish replaces it. The ledger is what its chunks still say.
        if (decoded?.kind === 'Refused') this.#options.onRepair(`the head is unreadable: ${decoded.message}`);
        return this.#claimsOf(await chunkNames());
      }
      this.#epoch = decoded.head.epoch + 1;
      if (await this.#writeHead({ ...decoded.head, epoch: this.#epoch }, object))
        return this.#claimsOf(decoded.head.claims.map(chunkName));
    }
  }

  /** Resolves when what is stored is what is wanted; rejects with what went wrong, and may be called again. */
  async ensure({ bundle, claims, beyond }: Wanted, inventory: Inventory): Promise<Head> {
    const ledger = encodeClaims(claims);
    const uids = new Map(inventory.chunks.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
    const doubtful = [...bundle.chunks, ...ledger].filter((chunk) => {
      const uid = uids.get(chunkName(chunk));
      return uid === undefined || uid !== this.#known.get(chunkName(chunk));
    });
    await inParallel<StoredChunk>(doubtful, (chunk) => this.#ensureChunk(chunk, uids.has(chunkName(chunk))));
    for (;;) {
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
  }

  /** Deletes chunks by name; one that has come back into use meanwhile is found missing and made again. */
  async collect(names: readonly string[], inventory: Inventory): Promise<void> {
    const uids = new Map(inventory.chunks.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
    for (const name of names) {
      this.#assertLeading();
      await this.#options.objects.delete(this.#kind, name, uids.get(name) ?? '', this.#options.signal);
      this.#known.delete(name);
      this.writes++;
    }
  }

  /**
   * `isStored`: one of that name seems to be there already, perhaps another leader's. One of ours that the inventory does
   * not show is either too new for it or has been deleted: then the API server is asked.
   */
  async #ensureChunk(chunk: StoredChunk, isStored: boolean): Promise<void> {
    const { objects, signal, onRepair } = this.#options;
    const name = chunkName(chunk);
    for (let mayCreate = !isStored && !this.#known.has(name); ; mayCreate = true) {
      if (mayCreate && (await this.#createChunk(name, chunk.text))) return;
      const existing = await objects.get(this.#kind, name, signal);
      if (existing === undefined) continue;
      const uid = existing.metadata.uid ?? '';
      if (textOf(existing, chunkKey) === chunk.text && existing['immutable'] === true) {
        this.#known.set(name, uid);
        return;
      }
      onRepair(`chunk ${name} is not what its name says; it is made anew`);
      this.#assertLeading();
      await objects.delete(this.#kind, name, uid, signal);
      this.writes++;
    }
  }

  /** False when there is one of that name. */
  async #createChunk(name: string, text: string): Promise<boolean> {
    this.#assertLeading();
    try {
      const created = await this.#options.objects.create(
        this.#kind,
        chunkObject(name, text),
        this.#options.signal,
      );
      this.writes++;
      this.#known.set(name, created.metadata.uid ?? '');
      return true;
    } catch (error) {
      if (isApiError(error, 409)) return false;
      throw error;
    }
  }

  async #getHead(): Promise<KubeObject | undefined> {
    return this.#options.objects.get(this.#kind, headName, this.#options.signal);
  }

  /** The head as stored: our own last write unless the inventory shows another, and then the API server's word. */
  async #currentHead({ head }: Inventory): Promise<KubeObject | undefined> {
    const own = this.#stored?.object;
    if (own !== undefined && head?.metadata.resourceVersion === own.metadata.resourceVersion) return own;
    const object = await this.#getHead();
    return object?.metadata.resourceVersion === own?.metadata.resourceVersion ? own : object;
  }

  /** A head that is not the one that we wrote last. Throws when a newer leader wrote it. */
  #readForeign(object: KubeObject): Head | undefined {
    if (object === this.#stored?.object) return undefined;
    const text = textOf(object, headKey) ?? '';
    if (text === this.#stored?.text) {
      // Only its metadata has changed.
      this.#stored = { ...this.#stored, object };
      return undefined;
    }
    const decoded = decodeHead(text);
    if (decoded.kind === 'Refused') {
      this.#options.onRepair(`the head is unreadable and made anew: ${decoded.message}`);
      return undefined;
    }
    if (decoded.head.epoch > this.#epoch)
      throw new LostLeadership(`the head is of epoch ${decoded.head.epoch}, this leader's is ${this.#epoch}`);
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
          ? await objects.create(this.#kind, content, signal)
          : await objects.replace(
              this.#kind,
              {
                apiVersion: 'v1',
                kind: 'ConfigMap',
                ...content,
                metadata: { ...content.metadata, resourceVersion: before.metadata.resourceVersion ?? '' },
              },
              signal,
            );
      this.writes++;
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

  /** The union of these chunks' claims; where two name one host, the later one holds. */
  async #claimsOf(names: readonly string[]): Promise<readonly LedgerEntry[]> {
    const entries = new Map<string, LedgerEntry>();
    for (const name of names) {
      const ref = parseChunkName(name);
      if (ref?.kind !== 'claims') continue;
      const object = await this.#options.objects.get(this.#kind, name, this.#options.signal);
      const claims =
        object === undefined ? undefined : decodeClaims({ ...ref, text: textOf(object, chunkKey) ?? '' });
      if (claims === undefined) this.#options.onRepair(`claims are lost: ${name} is missing or broken`);
      for (const entry of claims ?? []) entries.set(entry.host, entry);
    }
    return [...entries.values()];
  }

  #assertLeading(): void {
    if (!this.#options.isLeading()) throw new LostLeadership('the lease is no longer held');
  }
}

/** Of a chunk its name is enough: its text would stay for as long as this leader leads. */
function refOf({ kind, digest }: ChunkRef): ChunkRef {
  return { kind, digest };
}

const rememberedRevisions = 1000;
const parallelWrites = 8;

/** A few at a time; rejects with the first failure when those that run have ended. */
async function inParallel<T>(values: readonly T[], work: (value: T) => Promise<void>): Promise<void> {
  const rest = [...values].reverse();
  const results = await Promise.allSettled(
    Array.from({ length: Math.min(parallelWrites, rest.length) }, async () => {
      for (let value = rest.pop(); value !== undefined; value = rest.pop()) await work(value);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function labels(part: 'head' | 'chunk'): Readonly<Record<string, string>> {
  return { [partLabel]: part, 'app.kubernetes.io/managed-by': 'flint-operator' };
}

function chunkObject(name: string, text: string): Readonly<Record<string, unknown>> {
  return { metadata: { name, labels: labels('chunk') }, immutable: true, data: { [chunkKey]: text } };
}
