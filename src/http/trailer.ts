// Which fields may come after a body. A recipient has acted on the head by then, so nothing that it acts on may (9110 6.5.1).
import { Field, nameIs } from './field.ts';
import type { FieldSection } from './field-section.ts';

/** Authentication, cookies, conditions, caching and what describes the content. */
const actedOn: readonly string[] = [
  'authorization',
  'cookie',
  'set-cookie',
  'www-authenticate',
  'cache-control',
  'pragma',
  'warning',
  'expires',
  'age',
  'vary',
  'location',
  'range',
  'max-forwards',
  'content-encoding',
  'content-type',
  'content-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'retry-after',
  'x-flint-fault',
];

/** Whether trailer `index` may be passed on: nothing that frames, routes or belongs to a connection. */
export function mayTrail(trailers: FieldSection, index: number): boolean {
  if (trailers.ids[index] !== Field.Other) return false;
  const start = trailers.nameStart(index);
  const end = trailers.nameEnd(index);
  return !actedOn.some((name) => nameIs(trailers.bytes, start, end, name));
}
