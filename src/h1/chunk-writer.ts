// Chunked framing around content: our own sizes, no extensions, no trailers (RFC 9112 7.1).

/** `size CRLF content CRLF` in one buffer. */
export function writeChunk(bytes: Buffer, start: number, end: number): Buffer {
  const size = (end - start).toString(16);
  const chunk = Buffer.allocUnsafe(size.length + 2 + (end - start) + 2);
  let at = chunk.write(size, 0, 'latin1');
  chunk[at++] = 13;
  chunk[at++] = 10;
  at += bytes.copy(chunk, at, start, end);
  chunk[at++] = 13;
  chunk[at] = 10;
  return chunk;
}

export const lastChunk: Buffer = Buffer.from('0\r\n\r\n', 'latin1');
