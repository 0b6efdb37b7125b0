// A chunk: one piece of what is stored, named by its content.
import { digestOf } from './canonical-json.ts';
import { chunkBytes } from './limits.ts';

/** What a model travels as. */
export type ChunkKind = 'settings' | 'zones' | 'hosts' | 'upstreams' | 'certificates' | 'keys';

/** What the operator stores: the kinds of a model, and its own ledger, which no data plane reads. */
export type StoredKind = ChunkKind | 'claims';

export const storedKinds: readonly StoredKind[] = [
  'settings',
  'zones',
  'hosts',
  'upstreams',
  'certificates',
  'keys',
  'claims',
];

/** What tells one chunk from another. */
export interface ChunkRef<Kind extends StoredKind = StoredKind> {
  readonly kind: Kind;
  /** SHA-256 of the text. */
  readonly digest: string;
}

export interface StoredChunk<Kind extends StoredKind = StoredKind> extends ChunkRef<Kind> {
  /** Canonical JSON of one value, or of a list of them. Where isSecret says so it is never logged. */
  readonly text: string;
}

export type Chunk = StoredChunk<ChunkKind>;

/** Key material is stored where only its readers may look. */
export function isSecret(kind: StoredKind): boolean {
  return kind === 'certificates' || kind === 'keys';
}

/** The name of the object that holds a chunk: `flint-hosts-<SHA-256>`. */
export function chunkName({ kind, digest }: ChunkRef): string {
  return `flint-${kind}-${digest}`;
}

export const chunkNamePattern = `^flint-(${storedKinds.join('|')})-([0-9a-f]{64})$`;
const nameRegExp = new RegExp(chunkNamePattern);

/** Undefined for any other name. */
export function parseChunkName(name: string): ChunkRef | undefined {
  const [, kind, digest] = nameRegExp.exec(name) ?? [];
  return kind === undefined || digest === undefined ? undefined : { kind: kind as StoredKind, digest };
}

/** Throws for a text that no object can hold: translation keeps to the limits that make it impossible. */
export function chunkOf<Kind extends StoredKind>(kind: Kind, text: string): StoredChunk<Kind> {
  assertFits(kind, Buffer.byteLength(text));
  return { kind, digest: digestOf(text), text };
}

export function assertFits(kind: StoredKind, bytes: number): void {
  if (bytes > chunkBytes) throw new RangeError(`a ${kind} chunk of ${bytes} bytes exceeds ${chunkBytes}`);
}
