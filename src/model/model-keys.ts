// What no schema can say of a model: its keys are unique, and every reference leads to something in it. Judged by what
// changes alone.
import type { ChunkKind } from './chunk.ts';
import type { HeldChunk, Remains } from './held-chunks.ts';
import { KeyIndex } from './key-index.ts';
import type { References } from './references.ts';
import { compareText } from './text-order.ts';

type Chunks = readonly HeldChunk<Remains>[];

export interface ChunkChange {
  readonly added: Chunks;
  readonly removed: Chunks;
}

const keyFaults = {
  zones: 'a node stands twice',
  hosts: 'a host stands twice',
  upstreams: 'an upstream stands twice',
  certificates: 'a certificate stands twice',
  keys: 'a key stands twice',
} as const;

type KeyedKind = keyof typeof keyFaults;
const keyedKinds = Object.keys(keyFaults) as readonly KeyedKind[];

type ReferredKind = Exclude<keyof References, 'owner'>;
/** In the order in which they are missed. */
const referredKindNames: Readonly<Record<ReferredKind, string>> = {
  certificates: 'certificate',
  upstreams: 'upstream',
  keys: 'key',
};
const referredKinds = Object.keys(referredKindNames) as readonly ReferredKind[];

/** The fault of a chunk that a bundle names twice; undefined when it holds nothing. */
export function repetitionFault({ kind, value }: HeldChunk<Remains>): string | undefined {
  return kind === 'settings' || value.keys().length === 0 ? undefined : keyFaults[kind];
}

export class ModelKeys {
  readonly #keys: Readonly<Record<KeyedKind, KeyIndex>> = {
    zones: new KeyIndex(),
    hosts: new KeyIndex(),
    upstreams: new KeyIndex(),
    certificates: new KeyIndex(),
    keys: new KeyIndex(),
  };

  of(kind: KeyedKind): Pick<KeyIndex, 'size' | 'bytes'> {
    return this.#keys[kind];
  }

  /** Why the model would not be sound after the change; undefined when it would. `present`: all chunks before it. */
  fault(change: ChunkChange, present: () => Iterable<HeldChunk<Remains>>): string | undefined {
    return this.#keyFault(change) ?? this.#referenceFault(change, present);
  }

  take({ added, removed }: ChunkChange): void {
    for (const kind of keyedKinds) for (const key of keysIn(added, kind)) this.#keys[kind].add(key);
    this.#refer(removed, -1);
    this.#refer(added, 1);
    // Last, since a key that only moved to another chunk keeps those who refer to it.
    for (const kind of keyedKinds) {
      const fresh = new Set(keysIn(added, kind));
      for (const key of keysIn(removed, kind)) if (!fresh.has(key)) this.#keys[kind].delete(key);
    }
  }

  #refer(chunks: Chunks, times: number): void {
    for (const { value } of chunks)
      for (const references of value.references())
        for (const kind of referredKinds)
          for (const key of references[kind]) this.#keys[kind].refer(key, times);
  }

  #keyFault({ added, removed }: ChunkChange): string | undefined {
    for (const kind of keyedKinds) {
      const gone = new Set(keysIn(removed, kind));
      const fresh = new Set<string>();
      for (const key of keysIn(added, kind)) {
        if (fresh.has(key) || (this.#keys[kind].has(key) && !gone.has(key))) return keyFaults[kind];
        fresh.add(key);
      }
    }
    return undefined;
  }

  /** The new references have to lead somewhere, and so have the old ones to what is gone. */
  #referenceFault(change: ChunkChange, present: () => Iterable<HeldChunk<Remains>>): string | undefined {
    const after = referredKinds.map((kind) => ({ kind, keys: this.#keysAfter(kind, change) }));
    const faultOf = (references: References): string | undefined => {
      for (const { kind, keys } of after) {
        const unknown = references[kind].find((key) => !keys.has(key));
        if (unknown !== undefined) return `refers to the unknown ${referredKindNames[kind]} ${unknown}`;
      }
      return undefined;
    };
    const fault = firstFault(change.added, faultOf);
    if (fault !== undefined || !after.some(({ keys }) => keys.isMissed)) return fault;
    // Some reference that stays leads nowhere: only now it is worth the search.
    const gone = new Set(change.removed);
    return firstFault(
      [...present()].filter((chunk) => !gone.has(chunk)),
      faultOf,
    );
  }

  #keysAfter(kind: ReferredKind, { added, removed }: ChunkChange): KeysAfter {
    const keys = this.#keys[kind];
    const fresh = new Set(keysIn(added, kind));
    const gone = new Map<string, number>();
    for (const key of keysIn(removed, kind)) if (!fresh.has(key)) gone.set(key, keys.references(key));
    if (gone.size > 0)
      for (const { value } of removed)
        for (const references of value.references())
          for (const key of references[kind]) {
            const count = gone.get(key);
            if (count !== undefined) gone.set(key, count - 1);
          }
    return {
      has: (key) => fresh.has(key) || (keys.has(key) && !gone.has(key)),
      isMissed: [...gone.values()].some((count) => count > 0),
    };
  }
}

interface KeysAfter {
  has(key: string): boolean;
  /** Something that stays refers to a key that is gone. */
  readonly isMissed: boolean;
}

function* keysIn(chunks: Chunks, kind: ChunkKind): Generator<string> {
  for (const chunk of chunks) if (chunk.kind === kind) yield* chunk.value.keys();
}

/** Hosts by their keys, then the settings: which fault is told must not depend on the order of chunks. */
function firstFault(
  chunks: Chunks,
  faultOf: (references: References) => string | undefined,
): string | undefined {
  const faults = chunks.flatMap(({ kind, value }) =>
    value.references().flatMap((each) => {
      const fault = faultOf(each);
      return fault === undefined ? [] : [{ kind, owner: each.owner, fault }];
    }),
  );
  const [first] = faults.sort((a, b) => compareText(a.kind, b.kind) || compareText(a.owner, b.owner));
  if (first === undefined) return undefined;
  return `${first.kind === 'hosts' ? `host ${first.owner}` : first.owner} ${first.fault}`;
}
