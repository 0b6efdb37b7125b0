// Values in buckets by the hash of their key, each bucket a chunk.
//
//                 all values
//            0.../         \1...          a node is split by the next bit of the hash when its values outgrow a bucket,
//         bucket            /\            and only then: where a value stands depends on what is there, not on how it came
//                     bucket  bucket
//
// One value that changes rewrites one small chunk, never its neighbours, and costs a walk to its bucket.
import { digestOf } from './canonical-json.ts';
import { assertFits } from './chunk.ts';
import type { StoredChunk, StoredKind } from './chunk.ts';
import { bucketBytes } from './limits.ts';
import { ListDifference } from './list-difference.ts';
import { compareText } from './text-order.ts';

interface Entry<T> {
  readonly key: string;
  /** The first 32 bits of the key's digest. */
  readonly hash: number;
  readonly bytes: number;
  readonly value: T;
}

export interface BucketShape<T> {
  readonly keyOf: (value: T) => string;
  /** Canonical JSON. */
  readonly textOf: (value: T) => string;
}

const depths = 32;

export class Buckets<Kind extends StoredKind, T extends object> {
  readonly #shape: BucketShape<T>;
  readonly #difference = new ListDifference<T>();
  readonly #entries = new WeakMap<T, Entry<T>>();
  readonly #root: Node<Kind, T>;
  #chunks: readonly StoredChunk<Kind>[] = [];

  constructor(kind: Kind, shape: BucketShape<T>) {
    this.#shape = shape;
    this.#root = new Node<Kind, T>(kind, shape, 0);
  }

  /** In whatever order the values come, the same ones give the same chunks. Keys are unique. */
  chunksOf(values: readonly T[]): readonly StoredChunk<Kind>[] {
    const { added, removed } = this.#difference.update(values);
    if (added.length + removed.length > 0) {
      for (const value of removed) this.#root.remove(this.#entryOf(value));
      for (const value of added) this.#root.add(this.#entryOf(value));
      const chunks: StoredChunk<Kind>[] = [];
      this.#root.collect(chunks);
      this.#chunks = chunks;
    }
    return this.#chunks;
  }

  #entryOf(value: T): Entry<T> {
    const known = this.#entries.get(value);
    if (known !== undefined) return known;
    const { keyOf, textOf } = this.#shape;
    const key = keyOf(value);
    const hash = Number.parseInt(digestOf(key).slice(0, 8), 16);
    const entry = { key, hash, bytes: Buffer.byteLength(textOf(value)), value };
    this.#entries.set(value, entry);
    return entry;
  }
}

/** A bucket, or two nodes. */
class Node<Kind extends StoredKind, T> {
  readonly #kind: Kind;
  readonly #shape: BucketShape<T>;
  readonly #depth: number;
  /** Of all its values, with what separates them. */
  #bytes = 1;
  #count = 0;
  #entries: Set<Entry<T>> | undefined = new Set();
  #zero: Node<Kind, T> | undefined = undefined;
  #one: Node<Kind, T> | undefined = undefined;
  #chunk: BucketChunk<Kind, T> | undefined = undefined;

  constructor(kind: Kind, shape: BucketShape<T>, depth: number) {
    this.#kind = kind;
    this.#shape = shape;
    this.#depth = depth;
  }

  add(entry: Entry<T>): void {
    this.#bytes += entry.bytes + 1;
    this.#count++;
    if (this.#entries === undefined) {
      this.#childOf(entry).add(entry);
      return;
    }
    this.#chunk = undefined;
    this.#entries.add(entry);
    if (this.#isBucket()) return;
    const entries = this.#entries;
    this.#entries = undefined;
    this.#zero = new Node(this.#kind, this.#shape, this.#depth + 1);
    this.#one = new Node(this.#kind, this.#shape, this.#depth + 1);
    for (const each of entries) this.#childOf(each).add(each);
  }

  remove(entry: Entry<T>): void {
    this.#bytes -= entry.bytes + 1;
    this.#count--;
    if (this.#entries !== undefined) {
      this.#chunk = undefined;
      this.#entries.delete(entry);
      return;
    }
    this.#childOf(entry).remove(entry);
    if (!this.#isBucket()) return;
    const left: Entry<T>[] = [];
    this.gather(left);
    this.#entries = new Set(left);
    this.#zero = undefined;
    this.#one = undefined;
  }

  collect(chunks: StoredChunk<Kind>[]): void {
    if (this.#entries === undefined) {
      this.#zero?.collect(chunks);
      this.#one?.collect(chunks);
    } else if (this.#entries.size > 0) {
      this.#chunk ??= new BucketChunk(this.#kind, [...this.#entries], this.#shape.textOf);
      chunks.push(this.#chunk);
    }
  }

  #childOf({ hash }: Entry<T>): Node<Kind, T> {
    return ((hash >>> (depths - 1 - this.#depth)) & 1 ? this.#one : this.#zero) as Node<Kind, T>;
  }

  /** Whether its values stand together; one by itself does however large it is. */
  #isBucket(): boolean {
    return this.#bytes <= bucketBytes[this.#kind] || this.#count <= 1 || this.#depth === depths;
  }

  gather(into: Entry<T>[]): void {
    for (const entry of this.#entries ?? []) into.push(entry);
    for (const child of [this.#zero, this.#one]) child?.gather(into);
  }
}

/** Its text is made when it is asked for: once written it would only be memory. */
class BucketChunk<Kind extends StoredKind, T> implements StoredChunk<Kind> {
  readonly kind: Kind;
  readonly digest: string;
  readonly #entries: readonly Entry<T>[];
  readonly #textOf: (value: T) => string;

  constructor(kind: Kind, entries: readonly Entry<T>[], textOf: (value: T) => string) {
    this.kind = kind;
    this.#entries = entries;
    this.#textOf = textOf;
    const { text } = this;
    assertFits(kind, Buffer.byteLength(text));
    this.digest = digestOf(text);
  }

  get text(): string {
    const sorted = this.#entries.toSorted((a, b) => compareText(a.key, b.key));
    return `[${sorted.map(({ value }) => this.#textOf(value)).join(',')}]`;
  }
}
