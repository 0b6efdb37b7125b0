// The head that a backend gets: parsed fields in their order, without what belongs to the client's connection, with
// what we know better than the client.
import type { HeadWriter } from '#h1/head-writer.ts';
import { Field, isHopByHop, nameIs } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import type { Forwarding } from './forwarding.ts';
import type { RoutedRequest } from './routed-request.ts';

/** The path and query are those of the routed request. */
export function writeRequestHead(
  writer: HeadWriter,
  head: RequestHead,
  { path, query }: Pick<RoutedRequest, 'path' | 'query'>,
  forwarding: Forwarding,
  requestId: string,
): Buffer {
  writer.begin();
  writer.text(head.method);
  writer.text(' ');
  writer.text(path);
  if (query !== '') {
    writer.text('?');
    writer.text(query);
  }
  writer.text(' HTTP/1.1\r\n');
  writer.field('Host', head.authority);
  const { fields } = head;
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index]!;
    if (isOurs(id) || isHopByHop[id] === 1) continue;
    if (id === Field.Forwarding && !(forwarding.isFromTrusted && isKept(fields, index))) continue;
    if (head.connectionNames.length > 0 && fields.isNamed(index, head.connectionNames)) continue;
    writer.copyField(fields, index);
  }
  if (head.framing === BodyFraming.Length) writer.field('Content-Length', String(head.contentLength));
  else if (head.framing === BodyFraming.Chunked) writer.field('Transfer-Encoding', 'chunked');
  if (head.expectsContinue && head.framing !== BodyFraming.None) writer.field('Expect', '100-continue');
  writer.text(forwarding.lines);
  const forwardedHost = forwarding.host === '' ? head.authority : forwarding.host;
  if (forwardedHost !== '') writer.field('X-Forwarded-Host', forwardedHost);
  writer.field('X-Request-Id', requestId);
  return writer.end();
}

/** Fields that are written anew; what the client said in them is not believed. */
function isOurs(id: number): boolean {
  return id === Field.Host || id === Field.ContentLength || id === Field.Expect || id === Field.RequestId;
}

/** X-Forwarded-Port and its like, which a trusted proxy knows and we do not; the others are written anew. */
function isKept(fields: FieldSection, index: number): boolean {
  for (const name of rewritten)
    if (nameIs(fields.bytes, fields.nameStart(index), fields.nameEnd(index), name)) return false;
  return true;
}

const rewritten = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip', 'forwarded'];
