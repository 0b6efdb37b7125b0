// Properties of the request parser: valid input however it is cut, any bytes at all, and input without end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RequestParser } from '#h1/request-parser.ts';
import { demandFault, pieceBytes, smallLimits } from './endless-input.ts';
import type { Endless } from './endless-input.ts';
import { EventLog } from './event-log.ts';
import { cutsAt, fractions, request } from './message-arbitraries.ts';
import { recordRequests } from './request-recorder.ts';

test('valid requests are read as they were written, however they are cut', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), fractions, (requests, parts) => {
      const bytes = Buffer.concat(requests.map((each) => each.bytes));
      const log = new EventLog();
      for (const each of requests) each.describe(log);
      assert.deepEqual(recordRequests(bytes, cutsAt(parts, bytes.length)), log.finish(false));
    }),
    { numRuns: 1500 },
  );
});

test('any bytes are read the same way whole and cut, and never throw', () => {
  const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const piece = fc.oneof(
    noise,
    request.map(({ bytes }) => bytes),
    fc
      .tuple(request, fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([{ bytes }, part]) => bytes.subarray(0, Math.floor(part * bytes.length))),
    fc
      .constantFrom('\r\n', '\n', '\r', '\0', 'GET / HTTP/1.1\r\n', 'Host: a.example\r\n', '0\r\n\r\n')
      .map((text) => Buffer.from(text, 'latin1')),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fractions, fc.boolean(), (pieces, parts, isLimited) => {
      const bytes = Buffer.concat(pieces);
      const limits = isLimited ? smallLimits : undefined;
      assert.deepEqual(
        recordRequests(bytes, cutsAt(parts, bytes.length), limits),
        recordRequests(bytes, [], limits),
      );
    }),
    { numRuns: 3000 },
  );
});

const line = 'GET / HTTP/1.1\r\n';
const chunkedHead = `POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n`;

const endless: readonly Endless[] = [
  { name: 'a method', start: '', unit: 'M', mostBytes: smallLimits.headBytes },
  { name: 'a target', start: 'GET /', unit: 'a', mostBytes: smallLimits.headBytes },
  { name: 'a request line without meaning', start: '', unit: ' \0~', mostBytes: smallLimits.headBytes },
  { name: 'empty lines', start: '', unit: '\r\n', mostBytes: 4 },
  { name: 'a name', start: line, unit: 'N', mostBytes: smallLimits.headBytes - line.length },
  { name: 'a value', start: `${line}A: `, unit: 'v', mostBytes: smallLimits.headBytes - line.length - 3 },
  { name: 'short fields', start: line, unit: 'A: b\r\n', mostBytes: 6 * (smallLimits.fields + 1) },
  {
    name: 'long fields',
    start: line,
    unit: `A: ${'b'.repeat(200)}\r\n`,
    mostBytes: smallLimits.headBytes - line.length,
  },
  { name: 'zeros of a chunk size', start: chunkedHead, unit: '0', mostBytes: 14 },
  {
    name: 'an extension',
    start: `${chunkedHead}0;`,
    unit: 'e',
    mostBytes: smallLimits.chunkExtensionBytes + 1,
  },
  {
    name: 'extensions of many chunks',
    start: chunkedHead,
    unit: '1;ext\r\nx\r\n',
    mostBytes: 10 * (Math.floor(smallLimits.chunkExtensionBytes / 3) + 1),
  },
  { name: 'a trailer', start: `${chunkedHead}0\r\nA: `, unit: 'v', mostBytes: smallLimits.trailerBytes - 3 },
  {
    name: 'trailers',
    start: `${chunkedHead}0\r\n`,
    unit: 'A: b\r\n',
    mostBytes: 6 * (smallLimits.fields - 2 + 1),
  },
];

for (const each of endless) {
  test(`without end: ${each.name}`, () => {
    fc.assert(
      fc.property(pieceBytes, (sizes) => {
        const sink = { onRequestHead: () => {}, onBody: () => {}, onRequestEnd: () => {} };
        demandFault(new RequestParser(sink, smallLimits), each, sizes);
      }),
      { numRuns: 50 },
    );
  });
}
