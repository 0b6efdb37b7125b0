// What the fields of a message say about it, the same in both directions (RFC 9113 8.1.1, 8.2).
import { noContentLength, parseContentLength } from '#http/content-length.ts';
import { Field } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { hasConnectionField } from './connection-field.ts';

/** Fills in where the body ends. False: the message is malformed. */
export function readFraming(head: RequestHead | ResponseHead, isEnd: boolean): boolean {
  const { fields } = head;
  if (hasConnectionField(fields)) return false;
  const length = contentLengthOf(fields);
  if (length === undefined) return false;
  if (length !== noContentLength) {
    head.framing = BodyFraming.Length;
    head.contentLength = length;
  } else head.framing = isEnd ? BodyFraming.None : BodyFraming.Chunked;
  return true;
}

/** Undefined for a length that is none, or that stands twice. */
function contentLengthOf(fields: FieldSection): number | undefined {
  let length = noContentLength;
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== Field.ContentLength) continue;
    if (length !== noContentLength) return undefined;
    length = parseContentLength(fields, index);
    if (length < 0) return undefined;
  }
  return length;
}
