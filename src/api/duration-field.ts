// A duration as a field of an object.
import { parseDurationMs } from './duration.ts';
import type { FieldReader } from './field-reader.ts';

/** Undefined where the field is absent, and where it is refused. */
export function readDurationMs(
  reader: FieldReader | undefined,
  key: string,
  leastMs = 0,
  mostMs = Infinity,
): number | undefined {
  const text = reader?.string(key);
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined) reader?.refuse(key, `"${text}" is no duration such as 250ms, 10s or 1m30s`);
  else if (ms < leastMs) reader?.refuse(key, `is shorter than ${leastMs}ms`);
  else if (ms > mostMs) reader?.refuse(key, `is longer than ${mostMs / 1000}s`);
  return ms;
}
