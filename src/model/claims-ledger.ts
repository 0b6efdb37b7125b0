// The ledger of claims as chunks: which namespace owns which host, and since when. It travels with the model, named by
// the same head, so that one write changes both.
import { Ajv } from 'ajv';
import { bucketChunks, compareText } from './bundle.ts';
import type { StoredChunk } from './bundle.ts';
import { digestOf, parseJson } from './canonical-json.ts';

export interface LedgerEntry {
  readonly host: string;
  readonly namespace: string;
  /** RFC 3339. */
  readonly since: string;
}

export function encodeClaims(entries: readonly LedgerEntry[]): readonly StoredChunk[] {
  return bucketChunks('claims', entries, (entry) => entry.host);
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
