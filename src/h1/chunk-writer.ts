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

/** What stands before trailers, in place of a last chunk without any. */
export const lastChunkSize: Buffer = Buffer.from('0\r\n', 'latin1');

/** What gathers pieces of a message before they are sent. */
export interface Pieces {
  add(bytes: Buffer, start: number, end: number): void;
}

/** `size CRLF content CRLF`, without a buffer of its own for every chunk. */
export function addChunk(pieces: Pieces, bytes: Buffer, start: number, end: number): void {
  const size = chunkSize(end - start);
  pieces.add(size, 0, size.length);
  pieces.add(bytes, start, end);
  pieces.add(chunkEnd, 0, chunkEnd.length);
}

/** Which fields of a message a rule takes out. */
export interface FieldFilter {
  drops(fields: FieldSection, index: number): boolean;
}

/**
 * Those of the trailers that may be passed on, without those that Connection has named, and the empty line: what comes after
 * lastChunkSize.
 */
export function writeTrailers(
  writer: HeadWriter,
  trailers: FieldSection,
  filter: FieldFilter | undefined,
  connectionNames: readonly string[],
): void {
  writer.begin();
  for (let index = 0; index < trailers.count; index++) {
    if (!mayTrail(trailers, index) || trailers.isNamed(index, connectionNames)) continue;
    if (filter?.drops(trailers, index) !== true) writer.copyField(trailers, index);
  }
  writer.end();
}
