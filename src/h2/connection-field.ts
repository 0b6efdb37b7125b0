// Fields that only connections of HTTP/1 have: a message with one is malformed (RFC 9113 8.2.2).
import { Field } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';

export function hasConnectionField(fields: FieldSection): boolean {
  for (let index = 0; index < fields.count; index++)
    switch (fields.ids[index]!) {
      case Field.Connection:
      case Field.KeepAlive:
      case Field.ProxyConnection:
      case Field.TransferEncoding:
      case Field.Upgrade:
        return true;
      case Field.Te:
        if (!fields.isValue(index, 'trailers')) return true;
        break;
    }
  return false;
}
