// The chunks that a reader has proved: what remains of each, found by what it is named by.
import type { ChunkKind, ChunkRef } from './chunk.ts';
import type { References } from './references.ts';

/** What remains of a proved chunk. It has to know again what its content was known by, when the chunk goes. */
export interface Remains {
  keys(): readonly string[];
  references(): readonly References[];
}

export class HeldChunk<T extends Remains> {
  readonly kind: ChunkKind;
  readonly digest: string;
  readonly value: T;
  /** The reading that named it last. */
  namedIn = 0;

  constructor(kind: ChunkKind, digest: string, value: T) {
    this.kind = kind;
    this.digest = digest;
    this.value = value;
  }
}

export class HeldChunks<T extends Remains> {
  /** By kind and digest: a name for each would be made at every reading of a head. */
  readonly #chunks = new Map<string, Map<string, HeldChunk<T>>>();

  get({ kind, digest }: ChunkRef): HeldChunk<T> | undefined {
    return this.#chunks.get(kind)?.get(digest);
  }

  set(chunk: HeldChunk<T>): void {
    const ofKind = this.#chunks.get(chunk.kind);
    if (ofKind === undefined) this.#chunks.set(chunk.kind, new Map([[chunk.digest, chunk]]));
    else ofKind.set(chunk.digest, chunk);
  }

  delete({ kind, digest }: ChunkRef): void {
    this.#chunks.get(kind)?.delete(digest);
  }

  *values(): Generator<HeldChunk<T>> {
    for (const ofKind of this.#chunks.values()) yield* ofKind.values();
  }
}
