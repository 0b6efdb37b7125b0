// Chunks: their bytes, and the way back through the parser.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { chunkEnd, chunkSize, lastChunk, lastChunkSize, writeTrailers } from '#h1/chunk-writer.ts';
import { HeadWriter } from '#h1/head-writer.ts';
import { FieldSection } from '#http/field-section.ts';
import { describeBytes } from './bytes-notation.ts';
import { content } from './message-arbitraries.ts';
import { recordResponse } from './response-recorder.ts';

describe('chunks', () => {
  test('have their size in hex before their content', () => {
    assert.equal(chunkSize(26).toString(), '1a\r\n');
    assert.equal(chunkEnd.toString(), '\r\n');
  });

  test('end with an empty one', () => {
    assert.equal(lastChunk.toString(), '0\r\n\r\n');
    const writer = new HeadWriter();
    writeTrailers(writer, new FieldSection(0), undefined, []);
    assert.equal(
      `${lastChunkSize.toString()}${writer.bytes.toString('latin1', 0, writer.size)}`,
      lastChunk.toString(),
    );
  });

  test('are read as what was written', () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 1, maxLength: 20 }), (pieces) => {
        const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const chunks = pieces.flatMap((piece) => [chunkSize(piece.length), piece, chunkEnd]);
        const bytes = Buffer.concat([head, ...chunks, lastChunk]);
        const events = recordResponse({ bytes, method: 'GET', isEnded: false });
        assert.deepEqual(events.slice(2), [`body "${describeBytes(Buffer.concat(pieces))}"`, 'end']);
      }),
    );
  });
});
