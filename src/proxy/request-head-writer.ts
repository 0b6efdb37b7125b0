// The head that a backend gets: parsed fields in their order, without what belongs to the client's connection, with
// what we know better than the client.
import type { HeadWriter } from '#h1/head-writer.ts';
import { upgradeLines } from './response-head-writer.ts';
import { Field, isHopByHop, nameIs } from '#http/field.ts';
import type { FieldSection } from '#http/field-section.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead } from '#http/message-head.ts';
import { rewrittenFields } from './forwarding.ts';
import type { Forwarding } from './forwarding.ts';
import type { RoutedRequest } from './routed-request.ts';

type ForwardedRequest = Pick<RoutedRequest, 'forwardedPath' | 'forwardedHost' | 'query' | 'route'>;

/** Path, query and Host are those of the routed request. */
export function writeRequestHead(
  writer: HeadWriter,
  head: RequestHead,
  { forwardedPath, forwardedHost, query, route }: ForwardedRequest,
  forwarding: Forwarding,
  requestId: string,
): void {
  writer.begin();
  writer.text(head.method);
  writer.text(' ');
  writer.text(forwardedPath);
  if (query !== '') {
    writer.text('?');
    writer.text(query);
  }
  writer.text(' HTTP/1.1\r\n');
  writer.field('Host', forwardedHost);
  const { fields } = head;
  const isChunked = head.framing === BodyFraming.Chunked;
  const changes = route?.filters?.requestHeaders;
  for (let index = 0; index < fields.count; index++)
    if (goesOn(head, index, forwarding) && changes?.drops(fields, index) !== true)
      writer.gatherField(fields, index);
  writer.endFields(fields);
  if (changes !== undefined) writer.text(changes.lines);
  if (head.framing === BodyFraming.Length) writer.field('Content-Length', String(head.contentLength));
  else if (isChunked) writer.field('Transfer-Encoding', 'chunked');
  if (head.expectsContinue && head.framing !== BodyFraming.None) writer.field('Expect', '100-continue');
  if (head.upgradesToWebSocket) {
    writer.text(upgradeLines);
    if (head.webSocketKey !== '') writer.field('Sec-WebSocket-Key', head.webSocketKey);
    // TE is hop by hop: this hop takes trailers exactly if the client does.
  } else if (head.acceptsTrailers && head.minorVersion === 1)
    writer.text('TE: trailers\r\nConnection: TE\r\n');
  writer.text(forwarding.lines);
  const askedHost = forwarding.host === '' ? head.authority : forwarding.host;
  if (askedHost !== '') writer.field('X-Forwarded-Host', askedHost);
  writer.field('X-Request-Id', requestId);
  writer.end();
}

/** Whether a field of the client's is the backend's business. */
function goesOn(head: RequestHead, index: number, forwarding: Forwarding): boolean {
  const { fields, connectionNames } = head;
  const id = fields.ids[index]!;
  if (id === Field.Other) return connectionNames.length === 0 || !fields.isNamed(index, connectionNames);
  if (id === Field.Forwarding) return forwarding.isFromTrusted && isKept(fields, index);
  if (id === Field.Trailer) return head.framing === BodyFraming.Chunked;
  return isHopByHop[id] === 0 && !isOurs(id);
}

/** Fields that are written anew; what the client said in them is not believed. */
function isOurs(id: number): boolean {
  return id === Field.Host || id === Field.ContentLength || id === Field.Expect || id === Field.RequestId;
}

/** X-Forwarded-Port and its like, which a trusted proxy knows and we do not; the others are written anew. */
function isKept(fields: FieldSection, index: number): boolean {
  for (const name of rewrittenFields)
    if (nameIs(fields.bytes, fields.nameStart(index), fields.nameEnd(index), name)) return false;
  return true;
}
