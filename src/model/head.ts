// The head: the one object that says which chunks are the model now, and which are the ledger of claims. It is written
// last and replaced as one value, so whoever reads it sees a whole model or the one before.
import { canonicalJson, parseJson } from './canonical-json.ts';
import { refused } from './chunk-reader.ts';
import type { Refused } from './chunk-reader.ts';
import { chunkName, chunkNamePattern, parseChunkName, storedKinds } from './chunk.ts';
import type { ChunkRef, StoredKind } from './chunk.ts';
import { compileSchema } from './json-schema.ts';
import { configMapBytes } from './limits.ts';
import { schemaNumbers, validationMessage } from './route-model-schema.ts';

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

export type DecodedHead = { readonly kind: 'Decoded'; readonly head: Head } | Refused;

/**
 * Of schema 1 and 2: whole names. From 3 on digests by kind, in base64url, since a head is written at every change: 46
 * bytes a chunk instead of 80.
 */
export function encodeHead({ chunks, claims, ...head }: Head): string {
  const refs = [...chunks, ...claims];
  return canonicalJson(
    head.schema < 3
      ? { ...head, chunks: chunks.map(chunkName).sort(), claims: claims.map(chunkName).sort() }
      : {
          ...head,
          chunks: Object.fromEntries(
            storedKinds.map((kind) => [
              kind,
              refs
                .flatMap((ref) => (ref.kind === kind ? [ref.digest] : []))
                .sort()
                .map(shortened),
            ]),
          ),
        },
  );
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const names = { type: 'array', uniqueItems: true, items: { type: 'string', pattern: chunkNamePattern } };
/** 32 bytes; the last character has four bits, so that each digest is written in one way. */
const shortDigest = { type: 'string', pattern: '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$' };
const digests = { type: 'array', uniqueItems: true, items: shortDigest };

const common = { epoch: count, sequence: { ...count, minimum: 1 }, digest };

const validateNamed = compileSchema({
  type: 'object',
  required: ['epoch', 'sequence', 'digest', 'chunks', 'claims'],
  properties: { ...common, chunks: names, claims: names },
});

const validateByKind = compileSchema({
  type: 'object',
  required: ['epoch', 'sequence', 'digest', 'chunks'],
  properties: {
    ...common,
    chunks: {
      type: 'object',
      required: ['claims', 'settings'],
      properties: Object.fromEntries(storedKinds.map((kind) => [kind, digests])),
    },
  },
});

type HeadFields = Pick<Head, 'schema' | 'epoch' | 'sequence' | 'digest'>;

interface NamedHead extends HeadFields {
  readonly chunks: readonly string[];
  readonly claims: readonly string[];
}

interface HeadByKind extends HeadFields {
  readonly chunks: Readonly<Partial<Record<StoredKind, readonly string[]>>>;
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
  if (typeof schema !== 'number' || !schemaNumbers.includes(schema))
    return refused(
      'UnknownSchema',
      `schema ${JSON.stringify(schema) ?? 'undefined'} is none of ${schemaNumbers.join(', ')}`,
    );
  const validate = schema < 3 ? validateNamed : validateByKind;
  if (!validate(content)) return refused('Malformed', `the head: ${validationMessage(validate)}`);
  // The schema has proved the shape, names included.
  const { epoch, sequence, digest: modelDigest } = content as HeadFields;
  const refs = schema < 3 ? namedRefs(content as NamedHead) : refsByKind(content as HeadByKind);
  return { kind: 'Decoded', head: { schema, epoch, sequence, digest: modelDigest, ...refs } };
}

/** Of a head that cannot be read otherwise, one of a later schema say: what orders it; zeros where it does not say. */
export function peekOrder(text: string): Pick<Head, 'epoch' | 'sequence'> {
  const content = parseJson(text);
  const fields: Readonly<Record<string, unknown>> =
    typeof content === 'object' && content !== null ? { ...content } : {};
  const number = (value: unknown): number =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < largestPeeked
      ? value
      : 0;
  return { epoch: number(fields['epoch']), sequence: number(fields['sequence']) };
}

/** A broken head must not use up the numbers. */
const largestPeeked = 2 ** 52;

type Refs = Pick<Head, 'chunks' | 'claims'>;

function namedRefs({ chunks, claims }: NamedHead): Refs {
  const refsOf = (list: readonly string[]): ChunkRef[] => list.flatMap((name) => parseChunkName(name) ?? []);
  return { chunks: refsOf(chunks), claims: refsOf(claims) };
}

function refsByKind({ chunks }: HeadByKind): Refs {
  const refsOf = (kind: StoredKind): ChunkRef[] =>
    (chunks[kind] ?? []).map((short) => ({ kind, digest: lengthened(short) }));
  return {
    chunks: storedKinds.filter((kind) => kind !== 'claims').flatMap(refsOf),
    claims: refsOf('claims'),
  };
}

function shortened(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url');
}

function lengthened(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('hex');
}
