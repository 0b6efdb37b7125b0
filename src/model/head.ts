// The head: the one object that says which chunks are the model now, and which are the ledger of claims. It is written
// last and replaced as one value, so whoever reads it sees a whole model or the one before.
import { Ajv } from 'ajv';
import type { ChunkKind, Refusal } from './bundle.ts';
import { canonicalJson } from './canonical-json.ts';
import { configMapBytes } from './limits.ts';
import { schemaNumbers, validationMessage } from './route-model-schema.ts';

/** What the operator stores: the kinds of a model, and its own ledger, which no data plane reads. */
export type StoredKind = ChunkKind | 'claims';

export interface ChunkRef {
  readonly kind: StoredKind;
  readonly digest: string;
}

export interface Head {
  readonly schema: number;
  /** Grows with each leader. */
  readonly epoch: number;
  /** Orders revisions; digests only find them. A -> B -> A is three of them. */
  readonly sequence: number;
  /** Of the model. */
  readonly digest: string;
  readonly chunks: readonly ChunkRef[];
  readonly claims: readonly ChunkRef[];
}

export type DecodedHead =
  | { readonly kind: 'Decoded'; readonly head: Head }
  | { readonly kind: 'Refused'; readonly refusal: Refusal; readonly message: string };

/** The name of the object that holds a chunk: `flint-hosts-<SHA-256>`. */
export function chunkName({ kind, digest }: ChunkRef): string {
  return `flint-${kind}-${digest}`;
}

const namePattern = '^flint-(settings|hosts|upstreams|claims)-([0-9a-f]{64})$';
const nameRegExp = new RegExp(namePattern);

/** Undefined for any other name. */
export function parseChunkName(name: string): ChunkRef | undefined {
  const [, kind, digest] = nameRegExp.exec(name) ?? [];
  return kind === undefined || digest === undefined ? undefined : { kind: kind as StoredKind, digest };
}

export function encodeHead({ chunks, claims, ...head }: Head): string {
  return canonicalJson({
    ...head,
    chunks: chunks.map(chunkName).sort(),
    claims: claims.map(chunkName).sort(),
  });
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const names = { type: 'array', uniqueItems: true, items: { type: 'string', pattern: namePattern } };

const validate = new Ajv({ strict: true }).compile({
  type: 'object',
  required: ['epoch', 'sequence', 'digest', 'chunks', 'claims'],
  properties: {
    epoch: count,
    sequence: { ...count, minimum: 1 },
    digest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    chunks: names,
    claims: names,
  },
});

interface HeadText {
  readonly schema: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly digest: string;
  readonly chunks: readonly string[];
  readonly claims: readonly string[];
}

/** Total: any text gives a head or a refusal. */
export function decodeHead(text: string): DecodedHead {
  if (Buffer.byteLength(text) > configMapBytes) return refused('TooLarge', 'the head is too large');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return refused('Malformed', `the head is no JSON: ${error instanceof Error ? error.message : ''}`);
  }
  const schema: unknown =
    typeof content === 'object' && content !== null && 'schema' in content ? content.schema : undefined;
  // First of all: of another schema nothing else is known.
  if (!schemaNumbers.some((known) => known === schema))
    return refused(
      'UnknownSchema',
      `schema ${JSON.stringify(schema) ?? 'undefined'} is none of ${schemaNumbers.join(', ')}`,
    );
  if (!validate(content)) return refused('Malformed', `the head: ${validationMessage(validate)}`);
  // ajv has proved the shape, names included.
  const { chunks, claims, ...rest } = content as HeadText;
  const refs = (list: readonly string[]): ChunkRef[] => list.flatMap((name) => parseChunkName(name) ?? []);
  return { kind: 'Decoded', head: { ...rest, chunks: refs(chunks), claims: refs(claims) } };
}

function refused(refusal: Refusal, message: string): DecodedHead {
  return { kind: 'Refused', refusal, message };
}
