// The ledger of claims as chunks: which namespace owns which host, and since when. It travels with the model, named by
// the same head, so that one write changes both.
import { Ajv } from 'ajv';
import { Buckets } from './buckets.ts';
import { canonicalJson, digestOf, parseJson } from './canonical-json.ts';
import type { StoredChunk } from './chunk.ts';
import { compareText } from './text-order.ts';

export interface LedgerEntry {
  readonly host: string;
  readonly namespace: string;
  /** RFC 3339. */
  readonly since: string;
}

/** Remembers the entries that stayed the same from one ledger to the next. */
export class ClaimsEncoder {
  readonly #buckets = new Buckets<'claims', LedgerEntry>('claims', {
    keyOf: ({ host }) => host,
    textOf: canonicalJson,
  });

  encode(entries: readonly LedgerEntry[]): readonly StoredChunk[] {
    return this.#buckets.chunksOf(entries);
  }
}

/** One ledger by itself. */
export function encodeClaims(entries: readonly LedgerEntry[]): readonly StoredChunk[] {
  return new ClaimsEncoder().encode(entries);
}

const text = { type: 'string', minLength: 1 };

const validate = new Ajv({ strict: true }).compile({
  type: 'array',
  items: {
    type: 'object',
    required: ['host', 'namespace', 'since'],
    properties: { host: text, namespace: text, since: text },
  },
});

/** Undefined when the text is not what its digest or the schema says. */
export function decodeClaims(chunk: StoredChunk): readonly LedgerEntry[] | undefined {
  if (digestOf(chunk.text) !== chunk.digest) return undefined;
  const content = parseJson(chunk.text);
  if (!validate(content)) return undefined;
  return (content as readonly LedgerEntry[]).toSorted((a, b) => compareText(a.host, b.host));
}
