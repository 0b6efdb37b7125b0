// Chunked framing around content: our own sizes, no extensions (RFC 9112 7.1).
import type { FieldSection } from '#http/field-section.ts';
import { mayTrail } from '#http/trailer.ts';
import type { HeadWriter } from './head-writer.ts';

/** `size CRLF`: what stands before the content of a chunk. */
export function chunkSize(bytes: number): Buffer {
  return Buffer.from(`${bytes.toString(16)}\r\n`, 'latin1');
}

/** What stands after it. */
export const chunkEnd: Buffer = Buffer.from('\r\n', 'latin1');

export const lastChunk: Buffer = Buffer.from('0\r\n\r\n', 'latin1');

/** Which fields of a message a rule takes out. */
export interface FieldFilter {
  drops(fields: FieldSection, index: number): boolean;
}

/** The last chunk with those of the trailers that may be passed on, without those that Connection has named. */
export function writeTrailers(
  writer: HeadWriter,
  trailers: FieldSection,
  filter: FieldFilter | undefined,
  connectionNames: readonly string[],
): void {
  writer.begin();
  writer.text('0\r\n');
  for (let index = 0; index < trailers.count; index++) {
    if (!mayTrail(trailers, index) || trailers.isNamed(index, connectionNames)) continue;
    if (filter?.drops(trailers, index) !== true) writer.copyField(trailers, index);
  }
  writer.end();
}
