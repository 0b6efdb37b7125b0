// Bundles, one after another -> what changed from each to the next. A reader trusts no writer.
//
//   chunks that are new -> digest, schema --\
//   digest of the whole ---------------------> keys unique? references lead somewhere? -> change -> take
//
// Only what changed is read and judged: a revision costs the size of the chunks that it changed, not that of the model.
// What the reader remembers of the others are their keys, and how often each is referred to.
import { bundleDigest } from './bundle.ts';
import { decodeChunk, refused } from './chunk-reader.ts';
import type { ChunkContent, Refused } from './chunk-reader.ts';
import { chunkName } from './chunk.ts';
import type { Chunk, ChunkKind, ChunkRef } from './chunk.ts';
import { HeldChunk, HeldChunks } from './held-chunks.ts';
import type { Remains } from './held-chunks.ts';
import { ModelKeys, repetitionFault } from './model-keys.ts';
import { schemaNumbers } from './route-model-schema.ts';

/** A bundle as it comes to a reader: chunks that it has already come without their texts. */
export interface Delivery {
  readonly schema: number;
  readonly digest: string;
  readonly chunks: readonly (Chunk | ChunkRef<ChunkKind>)[];
}

export interface Kept<T extends Remains> {
  readonly kind: 'Kept';
  readonly value: T;
}

/** Whoever keeps what remains of chunks. */
export interface Keeper<T extends Remains> {
  /** Of a chunk that is proved; it may still be refused, for a reason of the keeper's own. */
  keep(content: ChunkContent): Kept<T> | Refused;
  /** What was kept is of no bundle that was taken. */
  forget(value: T): void;
}

export interface ModelChange<T extends Remains> {
  readonly kind: 'Changed';
  readonly schema: number;
  readonly added: readonly HeldChunk<T>[];
  readonly removed: readonly HeldChunk<T>[];
}

export class ModelReader<T extends Remains> {
  readonly #keeper: Keeper<T>;
  /** Of the model that was taken last. */
  readonly #present = new HeldChunks<T>();
  readonly #keys = new ModelKeys();
  #schema = 0;
  /** Proved, but of no model yet. */
  readonly #offered = new HeldChunks<T>();
  #offeredSchema = 0;
  #reading = 0;

  constructor(keeper: Keeper<T>) {
    this.#keeper = keeper;
  }

  /** How many values of this kind there are, and how long their keys are together. */
  size(kind: Exclude<ChunkKind, 'settings'>): { readonly keys: number; readonly bytes: number } {
    const { size: keys, bytes } = this.#keys.of(kind);
    return { keys, bytes };
  }

  /** The chunks that a bundle of these would have to bring. What was offered for another bundle is forgotten. */
  missing<Ref extends ChunkRef>(schema: number, refs: readonly Ref[]): readonly Ref[] {
    if (schema !== this.#offeredSchema) this.#forgetOffered(() => true);
    this.#offeredSchema = schema;
    const reading = ++this.#reading;
    const missing = refs.filter((ref) => {
      const held = this.#find(schema, ref);
      if (held !== undefined) held.namedIn = reading;
      return held === undefined;
    });
    this.#forgetOffered(({ namedIn }) => namedIn !== reading);
    return missing;
  }

  /** One that is missing, by itself: what is offered as it comes need not wait for the others as a text. */
  offer(chunk: Chunk): Refused | undefined {
    if (this.#offered.get(chunk) !== undefined) return undefined;
    const read = this.#readChunk(chunk, this.#offeredSchema);
    if (read.kind === 'Refused') return read;
    this.#offered.set(read);
    return undefined;
  }

  /** Total: any delivery, however broken, gives a change or a refusal, and changes nothing here. */
  read(delivery: Delivery): ModelChange<T> | Refused {
    const brought = new HeldChunks<T>();
    const change = this.#judge(delivery, brought);
    if (change.kind === 'Refused') for (const { value } of brought.values()) this.#keeper.forget(value);
    return change;
  }

  /** Makes a change of the last `read` the present state. */
  take(change: ModelChange<T>): void {
    this.#keys.take(change);
    for (const chunk of change.removed) this.#present.delete(chunk);
    for (const chunk of change.added) {
      this.#present.set(chunk);
      this.#offered.delete(chunk);
    }
    this.#forgetOffered(() => true);
    this.#schema = change.schema;
  }

  /** `brought`: gets the chunks that came with their texts. */
  #judge({ schema, digest, chunks }: Delivery, brought: HeldChunks<T>): ModelChange<T> | Refused {
    if (!schemaNumbers.includes(schema))
      return refused('UnknownSchema', `schema ${String(schema)} is none of ${schemaNumbers.join(', ')}`);
    const reading = ++this.#reading;
    const added: HeldChunk<T>[] = [];
    let settings = 0;
    let repeated: string | undefined;
    for (const chunk of chunks) {
      const known = this.#find(schema, chunk) ?? brought.get(chunk);
      const held = known ?? this.#readChunk(chunk, schema);
      if (held.kind === 'Refused') return held;
      if (known === undefined) brought.set(held);
      if (held.kind === 'settings' && ++settings > 1)
        return refused('Malformed', 'there are two settings chunks');
      if (held.namedIn === reading) repeated ??= repetitionFault(held);
      else if (schema !== this.#schema || this.#present.get(held) === undefined) added.push(held);
      held.namedIn = reading;
    }
    if (bundleDigest(schema, chunks) !== digest)
      return refused('DigestMismatch', 'the chunks are not those that the head names');
    if (settings === 0) return refused('Malformed', 'there is no settings chunk');
    const removed: HeldChunk<T>[] = [];
    for (const held of this.#present.values())
      if (schema !== this.#schema || held.namedIn !== reading) removed.push(held);
    const fault = repeated ?? this.#keys.fault({ added, removed }, () => this.#present.values());
    return fault === undefined ? { kind: 'Changed', schema, added, removed } : refused('Malformed', fault);
  }

  #find(schema: number, ref: ChunkRef): HeldChunk<T> | undefined {
    const present = schema === this.#schema ? this.#present.get(ref) : undefined;
    return present ?? (schema === this.#offeredSchema ? this.#offered.get(ref) : undefined);
  }

  #forgetOffered(isForgotten: (chunk: HeldChunk<T>) => boolean): void {
    for (const chunk of this.#offered.values()) {
      if (!isForgotten(chunk)) continue;
      this.#offered.delete(chunk);
      this.#keeper.forget(chunk.value);
    }
  }

  #readChunk(chunk: Chunk | ChunkRef<ChunkKind>, schema: number): HeldChunk<T> | Refused {
    if (!('text' in chunk)) return refused('ChunkMissing', `there is no chunk ${chunkName(chunk)}`);
    const content = decodeChunk(chunk, schema);
    if (content.kind === 'Refused') return content;
    const kept = this.#keeper.keep(content);
    return kept.kind === 'Refused' ? kept : new HeldChunk(content.kind, chunk.digest, kept.value);
  }
}
