// Chunked framing into a batch, without a buffer of its own for every chunk.
import { chunkEnd, chunkSize } from '#h1/chunk-writer.ts';
import type { WriteBatch } from '#transport/write-batch.ts';

/** What a batch and a connection of a backend have in common. */
type Pieces = Pick<WriteBatch, 'add'>;

/** `size CRLF content CRLF`. */
export function addChunk(pieces: Pieces, bytes: Buffer, start: number, end: number): void {
  const size = chunkSize(end - start);
  pieces.add(size, 0, size.length);
  pieces.add(bytes, start, end);
  pieces.add(chunkEnd, 0, chunkEnd.length);
}
