// The heads that a client gets: a backend's, re-serialised, or our own.
import type { HeadWriter } from '#h1/head-writer.ts';
import { Field, isHopByHop } from '#http/field.ts';
import { BodyFraming } from '#http/message-head.ts';
import type { RequestHead, ResponseHead } from '#http/message-head.ts';
import { statusText } from '#http/status-text.ts';
import type { HeaderChanges } from '#filter/header-changes.ts';
import type { LocalResponse } from './local-response.ts';

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
  changes: HeaderChanges | undefined,
  lines: string,
  takesTrailers: boolean,
): void {
  writer.begin();
  writeStatusLine(writer, head.status);
  writeFields(writer, head, changes, framing === 'Chunked' && takesTrailers);
  writer.text(lines);
  // A response whose backend has no clock gets a Date (9110 6.6.1).
  if (head.fields.indexOf(Field.Date) < 0 && changes?.dropsName('date') !== true)
    writer.field('Date', httpDate());
  if (framing === 'Chunked') writer.field('Transfer-Encoding', 'chunked');
  // The length of a HEAD or 304 response says what a GET would have brought; a 204 has none (9110 8.6).
  else if (framing === 'Length' || (head.framing === BodyFraming.Length && head.status !== 204))
    writer.field('Content-Length', String(head.contentLength));
  if (connection !== '') writer.field('Connection', connection);
  writer.end();
}

/** What a rule adds belongs to the final response; what it takes out, to none. */
export function writeInterimHead(
  writer: HeadWriter,
  head: ResponseHead,
  changes: HeaderChanges | undefined,
): void {
  writer.begin();
  writeStatusLine(writer, head.status);
  copyFields(writer, head, changes, false);
  writer.end();
}

/** How either side says that the connection turns into a WebSocket. */
export const upgradeLines = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** The 101 that ends HTTP on a connection. */
export function writeSwitchHead(
  writer: HeadWriter,
  head: ResponseHead,
  changes: HeaderChanges | undefined,
  lines: string,
): void {
  writer.begin();
  writeStatusLine(writer, head.status);
  writeFields(writer, head, changes, false);
  writer.text(lines);
  writer.text(upgradeLines);
  writer.end();
}

/** A whole response of our own. A 204 or 304 has no length either (9110 8.6). */
export function writeLocalResponse(
  writer: HeadWriter,
  { status, fields, body, changes }: LocalResponse,
  requestId: string,
  method: RequestHead['method'],
  connection: string,
): void {
  const write = (name: string, value: string): void => {
    if (changes?.dropsName(name.toLowerCase()) !== true) writer.field(name, value);
  };
  writer.begin();
  writeStatusLine(writer, status);
  write('Date', httpDate());
  if (status !== 204 && status !== 304) writer.field('Content-Length', String(Buffer.byteLength(body)));
  for (const { name, value } of fields) write(name, value);
  if (changes !== undefined) writer.text(changes.lines);
  if (requestId !== '') writer.field('X-Request-Id', requestId);
  if (connection !== '') writer.field('Connection', connection);
  writer.end();
  if (method !== 'HEAD') writer.utf8(body);
}

function writeStatusLine(writer: HeadWriter, status: number): void {
  writer.text('HTTP/1.1 ');
  writer.text(String(status));
  writer.text(' ');
  writer.text(statusText(status));
  writer.text('\r\n');
}

function writeFields(
  writer: HeadWriter,
  head: ResponseHead,
  changes: HeaderChanges | undefined,
  keepsTrailer: boolean,
): void {
  copyFields(writer, head, changes, keepsTrailer);
  if (changes !== undefined) writer.text(changes.lines);
}

function copyFields(
  writer: HeadWriter,
  head: ResponseHead,
  changes: HeaderChanges | undefined,
  keepsTrailer: boolean,
): void {
  const { fields } = head;
  for (let index = 0; index < fields.count; index++)
    if (goesOn(head, index, keepsTrailer) && changes?.drops(fields, index) !== true)
      writer.gatherField(fields, index);
  writer.endFields(fields);
}

/** Whether a field of the backend's is the client's business. */
function goesOn({ fields, connectionNames }: ResponseHead, index: number, keepsTrailer: boolean): boolean {
  const id = fields.ids[index]!;
  if (id === Field.Other) return connectionNames.length === 0 || !fields.isNamed(index, connectionNames);
  if (id === Field.Trailer) return keepsTrailer;
  return id !== Field.ContentLength && isHopByHop[id] === 0;
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
