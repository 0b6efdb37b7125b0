// Properties of the response parser: valid input however it is cut, any bytes at all, and input without end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ResponseParser } from '#h1/response-parser.ts';
import { demandFault, pieceBytes, smallLimits } from './endless-input.ts';
import type { Endless } from './endless-input.ts';
import { EventLog } from './event-log.ts';
import {
  chunkedBody,
  content,
  cutsAt,
  fieldLines,
  fractions,
  lengthBody,
  message,
} from './message-arbitraries.ts';
import type { Body, Message } from './message-arbitraries.ts';
import { recordResponse } from './response-recorder.ts';

const untilClose: fc.Arbitrary<Body> = content.map((bytes) => ({
  framing: 'framing=until-close',
  field: [],
  bytes,
  content: bytes,
}));

const interim: fc.Arbitrary<Message> = fc
  .tuple(fc.constantFrom(100, 102, 103, 199), fieldLines)
  .map(([status, fields]) => ({
    bytes: Buffer.from(`HTTP/1.1 ${status} x\r\n${fields.map(({ line }) => line).join('')}\r\n`, 'latin1'),
    describe: (log) => {
      log.line(`interim ${status} HTTP/1.1`);
      for (const { event } of fields) log.line(event);
    },
  }));

const response: fc.Arbitrary<Message> = fc
  .tuple(
    fc.array(interim, { maxLength: 3 }),
    fc.constantFrom(200, 201, 206, 302, 404, 500, 599),
    fieldLines,
    fc.oneof(lengthBody, chunkedBody, untilClose),
  )
  .map(([interims, status, fields, body]) => {
    const final = message(
      `HTTP/1.1 ${status} Reason`,
      `head ${status} HTTP/1.1 ${body.framing} keep-alive`,
      fields,
      body,
    );
    return {
      bytes: Buffer.concat([...interims, final].map((each) => each.bytes)),
      describe: (log) => {
        for (const each of [...interims, final]) each.describe(log);
      },
    };
  });

test('a valid response is read as it was written, however it is cut', () => {
  fc.assert(
    fc.property(response, fractions, ({ bytes, describe }, parts) => {
      const log = new EventLog();
      describe(log);
      const input = { bytes, method: 'GET', isEnded: true };
      assert.deepEqual(recordResponse(input, cutsAt(parts, bytes.length)), log.finish(false));
    }),
    { numRuns: 1500 },
  );
});

test('any bytes are read the same way whole and cut, and never throw', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    response.map(({ bytes }) => bytes),
    fc
      .tuple(response, fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([{ bytes }, part]) => bytes.subarray(0, Math.floor(part * bytes.length))),
    fc
      .constantFrom('\r\n', '\n', '\r', '\0', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 103 x\r\n\r\n', '0\r\n\r\n')
      .map((text) => Buffer.from(text, 'latin1')),
  );
  const input = fc.record({
    bytes: fc.array(piece, { maxLength: 5 }).map((pieces) => Buffer.concat(pieces)),
    method: fc.constantFrom('GET', 'HEAD'),
    isEnded: fc.boolean(),
  });
  fc.assert(
    fc.property(input, fractions, fc.boolean(), (input, parts, isLimited) => {
      const limits = isLimited ? smallLimits : undefined;
      const cut = recordResponse(input, cutsAt(parts, input.bytes.length), limits);
      assert.deepEqual(cut, recordResponse(input, [], limits));
    }),
    { numRuns: 3000 },
  );
});

const line = 'HTTP/1.1 200 OK\r\n';
const chunkedHead = `${line}Transfer-Encoding: chunked\r\n\r\n`;

const endless: readonly Endless[] = [
  { name: 'a status line', start: '', unit: 'H', mostBytes: smallLimits.headBytes },
  { name: 'a value', start: `${line}A: `, unit: 'v', mostBytes: smallLimits.headBytes - line.length - 3 },
  { name: 'fields', start: line, unit: 'A: b\r\n', mostBytes: 6 * (smallLimits.fields + 1) },
  { name: 'interim responses', start: '', unit: 'HTTP/1.1 102 x\r\n\r\n', mostBytes: 18 * 17 },
  {
    name: 'an extension',
    start: `${chunkedHead}0;`,
    unit: 'e',
    mostBytes: smallLimits.chunkExtensionBytes + 1,
  },
  { name: 'a trailer', start: `${chunkedHead}0\r\nA: `, unit: 'v', mostBytes: smallLimits.trailerBytes - 3 },
];

for (const each of endless) {
  test(`without end: ${each.name}`, () => {
    fc.assert(
      fc.property(pieceBytes, (sizes) => {
        const sink = {
          onInterimHead: () => {},
          onResponseHead: () => {},
          onBody: () => {},
          onResponseEnd: () => {},
          onSwitch: () => {},
        };
        const parser = new ResponseParser(sink, smallLimits);
        parser.begin('GET');
        demandFault(parser, each, sizes);
      }),
      { numRuns: 50 },
    );
  });
}
