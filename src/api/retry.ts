// retry of a rule, in the words of the Gateway API (GEP-1731).
import { readDurationMs } from './duration-field.ts';
import type { FieldReader } from './field-reader.ts';

export interface Retry {
  /** On top of the first one; 0: none. */
  readonly attempts?: number | undefined;
  readonly codes: readonly number[];
  readonly backoffMs?: number | undefined;
}

export function readRetry(retry: FieldReader | undefined): Retry | undefined {
  if (retry === undefined) return undefined;
  return {
    attempts: retry.integer('attempts', 0, 10),
    codes: retry.integers('codes', 16, 400, 599),
    backoffMs: readDurationMs(retry, 'backoff', 0, 60_000),
  };
}
