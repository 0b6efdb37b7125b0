// The heads that a client gets: a backend's, re-serialised, or our own.
import type { HeadWriter } from '#h1/head-writer.ts';
import type { Fault, FaultCode } from '#http/fault.ts';
import { Field, isHopByHop } from '#http/field.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { statusText } from '#http/status-text.ts';

/** How this response tells the client where it ends. */
export type ResponseFraming = 'None' | 'Length' | 'Chunked' | 'Close';

/** RFC 9112 6.3: by status and method there may be no body at all; then by length; else by chunks where they are known. */
export function responseFramingOf(
  head: ResponseHead,
  method: string,
  clientMinorVersion: number,
): ResponseFraming {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return 'None';
  if (head.framing === BodyFraming.Length) return 'Length';
  return clientMinorVersion === 1 ? 'Chunked' : 'Close';
}

export function writeResponseHead(
  writer: HeadWriter,
  head: ResponseHead,
  framing: ResponseFraming,
  connection: string,
): Buffer {
  writer.begin();
  writeStatusLine(writer, head.status);
  writeDatedFields(writer, head);
  if (framing === 'Chunked') writer.field('Transfer-Encoding', 'chunked');
  // The length of a HEAD or 304 response says what a GET would have brought; a 204 has none (9110 8.6).
  else if (framing === 'Length' || (head.framing === BodyFraming.Length && head.status !== 204))
    writer.field('Content-Length', String(head.contentLength));
  if (connection !== '') writer.field('Connection', connection);
  return writer.end();
}

export function writeInterimHead(writer: HeadWriter, head: ResponseHead): Buffer {
  writer.begin();
  writeStatusLine(writer, head.status);
  writeFields(writer, head);
  return writer.end();
}

/** A whole response of our own: the fault in one header, and in words for whoever reads the body. */
export function writeLocalResponse(
  writer: HeadWriter,
  status: number,
  code: FaultCode | undefined,
  fault: Fault | undefined,
  requestId: string,
  method: RequestHead['method'],
  connection: string,
): Buffer {
  const body = fault === undefined ? '' : `${status} ${statusText(status)}: ${fault.text} (${code})\n`;
  writer.begin();
  writeStatusLine(writer, status);
  writer.field('Date', httpDate());
  if (fault !== undefined) writer.field('Content-Type', 'text/plain; charset=utf-8');
  writer.field('Content-Length', String(body.length));
  if (code !== undefined) {
    writer.field('X-Flint-Fault', code);
    writer.field('Cache-Control', 'no-store');
  }
  if (status === 405) writer.field('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  if (status === 503) writer.field('Retry-After', '1');
  if (requestId !== '') writer.field('X-Request-Id', requestId);
  if (connection !== '') writer.field('Connection', connection);
  const head = writer.end();
  return method === 'HEAD' || body === '' ? head : Buffer.concat([head, Buffer.from(body, 'latin1')]);
}

function writeStatusLine(writer: HeadWriter, status: number): void {
  writer.text('HTTP/1.1 ');
  writer.text(String(status));
  writer.text(' ');
  writer.text(statusText(status));
  writer.text('\r\n');
}

/** Adds a Date to a response whose backend has no clock (9110 6.6.1). */
function writeDatedFields(writer: HeadWriter, head: ResponseHead): void {
  writeFields(writer, head);
  if (head.fields.indexOf(Field.Date) < 0) writer.field('Date', httpDate());
}

function writeFields(writer: HeadWriter, head: ResponseHead): void {
  const { fields } = head;
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index]!;
    if (id === Field.ContentLength || isHopByHop[id] === 1) continue;
    if (head.connectionNames.length > 0 && fields.isNamed(index, head.connectionNames)) continue;
    writer.copyField(fields, index);
  }
}

let dateText = '';
let dateSecond = -1;

/** IMF-fixdate, made once a second (RFC 9110 5.6.7). */
function httpDate(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}
