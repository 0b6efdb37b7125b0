// Chunks: their bytes, and the way back through the parser.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { lastChunk, writeChunk } from '#h1/chunk-writer.ts';
import { describeBytes } from './bytes-notation.ts';
import { content } from './message-arbitraries.ts';
import { recordResponse } from './response-recorder.ts';

describe('writeChunk', () => {
  test('writes the size in hex, and the content between line ends', () => {
    const bytes = Buffer.from('abcdefghijklmnopqrstuvwxyz');
    assert.equal(writeChunk(bytes, 0, bytes.length).toString(), '1a\r\nabcdefghijklmnopqrstuvwxyz\r\n');
  });

  test('writes only its range', () => {
    assert.equal(writeChunk(Buffer.from('abcdef'), 2, 4).toString(), '2\r\ncd\r\n');
  });

  test('copies the content', () => {
    const bytes = Buffer.from('ab');
    const chunk = writeChunk(bytes, 0, 2);
    bytes.fill('~');
    assert.equal(chunk.toString(), '2\r\nab\r\n');
  });

  test('ends with an empty chunk and no trailers', () => {
    assert.equal(lastChunk.toString(), '0\r\n\r\n');
  });

  test('is read as what was written', () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 1, maxLength: 20 }), (pieces) => {
        const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const chunks = pieces.map((piece) => writeChunk(piece, 0, piece.length));
        const bytes = Buffer.concat([head, ...chunks, lastChunk]);
        const events = recordResponse({ bytes, method: 'GET', isEnded: false });
        assert.deepEqual(events.slice(2), [`body "${describeBytes(Buffer.concat(pieces))}"`, 'end']);
      }),
    );
  });
});
