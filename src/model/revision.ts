// What a data-plane pod says of itself on `/revision`: the words that operator and data plane share.
import { Ajv } from 'ajv';
import type { Refusal } from './chunk-reader.ts';
import { validationMessage } from './route-model-schema.ts';

export interface Revision {
  /** The newest revision that every worker serves; 0 before the first one. */
  readonly sequence: number;
  readonly digest: string;
  /** The schema numbers that this reader understands. */
  readonly schemas: readonly number[];
  readonly workers: number;
  /** What this pod could not take since the revision that it serves; null when nothing. */
  readonly refused: RefusedRevision | null;
}

export interface RefusedRevision {
  /** 0 when the head itself could not be read. */
  readonly sequence: number;
  readonly refusal: Refusal;
  readonly message: string;
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const text = { type: 'string', maxLength: 4096 };

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile<Revision>({
  type: 'object',
  required: ['sequence', 'digest', 'schemas', 'workers', 'refused'],
  properties: {
    sequence: count,
    digest: text,
    schemas: { type: 'array', maxItems: 100, items: count },
    workers: count,
    refused: {
      type: ['object', 'null'],
      required: ['sequence', 'refusal', 'message'],
      properties: { sequence: count, refusal: text, message: text },
    },
  },
});

/** Throws for anything else: the pod is of ours, so it is a fault, and no user's. */
export function parseRevision(content: string): Revision {
  const revision: unknown = JSON.parse(content);
  if (!validate(revision)) throw new Error(`the answer is no revision: ${validationMessage(validate)}`);
  return revision;
}
