// Heads out of parsed fields: the bytes, the growth of the scratch buffer, and the way back through the parser.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HeadWriter } from '#h1/head-writer.ts';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { RequestParser } from '#h1/request-parser.ts';
import type { RequestHead } from '#http/message-head.ts';
import { request } from './message-arbitraries.ts';

function write(writer: HeadWriter, head: RequestHead): Buffer {
  writer.begin();
  writer.text(`${head.method} ${head.target} HTTP/1.${head.minorVersion}\r\n`);
  for (let index = 0; index < head.fields.count; index++) writer.copyField(head.fields, index);
  return ended(writer);
}

/** The head as bytes of its own. */
function ended(writer: HeadWriter): Buffer {
  writer.end();
  return Buffer.from(writer.bytes.subarray(0, writer.size));
}

/** As write, but canonical fields that follow each other are copied in one piece. */
function writeRuns(writer: HeadWriter, { fields }: RequestHead): Buffer {
  writer.begin();
  for (let index = 0; index < fields.count; index++) writer.gatherField(fields, index);
  writer.endFields(fields);
  return ended(writer);
}

/** Parses `bytes` and writes the first head again. */
function rewrite(writer: HeadWriter, bytes: Buffer): Buffer {
  let written = Buffer.alloc(0);
  const sink = {
    onRequestHead: (head: RequestHead) => {
      written = Buffer.from(write(writer, head));
    },
    onBody: () => {},
    onRequestEnd: () => {},
  };
  new RequestParser(sink, defaultParserLimits).push(bytes, 0, bytes.length);
  return written;
}

describe('HeadWriter', () => {
  test('writes lines and fields', () => {
    const writer = new HeadWriter();
    writer.begin();
    writer.text('HTTP/1.1 200 OK\r\n');
    writer.field('A', 'b');
    writer.field('Empty', '');
    assert.equal(ended(writer).toString('latin1'), 'HTTP/1.1 200 OK\r\nA: b\r\nEmpty: \r\n\r\n');
  });

  test('writes text of every length in Latin-1', () => {
    const writer = new HeadWriter();
    for (let length = 0; length < 80; length++) {
      const text = 'a\xe9\xff'.repeat(27).slice(0, length);
      writer.begin();
      writer.text(text);
      assert.equal(ended(writer).toString('latin1'), `${text}\r\n`);
    }
  });

  test('copies fields of every length', () => {
    const writer = new HeadWriter();
    for (let length = 0; length < 80; length++) {
      const head = `GET / HTTP/1.1\r\nHost: a\r\nN${'n'.repeat(length)}: ${'\xe9'.repeat(length)}\r\n\r\n`;
      assert.equal(rewrite(writer, Buffer.from(head, 'latin1')).toString('latin1'), head);
    }
  });

  test('grows, in small steps and at once, and keeps what it has', () => {
    for (const length of [10, 31, 33, 5000, 9000, 40_000]) {
      const writer = new HeadWriter();
      writer.begin();
      let expected = '';
      for (let line = 0; expected.length < 70_000; line++) {
        const value = String(line).padEnd(length, 'v');
        writer.field('A', value);
        expected += `A: ${value}\r\n`;
      }
      assert.equal(ended(writer).toString('latin1'), `${expected}\r\n`);
    }
  });

  test('copies a field that is larger than the scratch buffer', () => {
    const head = `GET / HTTP/1.1\r\nHost: a\r\nA: ${'v'.repeat(30_000)}\r\n\r\n`;
    assert.equal(rewrite(new HeadWriter(), Buffer.from(head)).toString('latin1'), head);
  });

  test('runs of canonical fields are the bytes of the fields one by one', () => {
    const writer = new HeadWriter();
    fc.assert(
      fc.property(request, ({ bytes }) => {
        const sink = {
          onRequestHead: (head: RequestHead) => {
            writer.begin();
            for (let index = 0; index < head.fields.count; index++) writer.copyField(head.fields, index);
            assert.deepEqual(writeRuns(new HeadWriter(), head), ended(writer));
          },
          onBody: () => {},
          onRequestEnd: () => {},
        };
        new RequestParser(sink, defaultParserLimits).push(bytes, 0, bytes.length);
      }),
      { numRuns: 300 },
    );
  });

  test('only a field with one space before its value and none after it is canonical', () => {
    const lines = ['A: b', 'A:b', 'A:  b', 'A:\tb', 'A: b ', 'A: b\t', 'A:', 'A: ', 'A: b c'];
    const seen: boolean[] = [];
    const sink = {
      onRequestHead: ({ fields }: RequestHead) => {
        for (let index = 0; index < fields.count; index++) seen.push(fields.isCanonical(index));
      },
      onBody: () => {},
      onRequestEnd: () => {},
    };
    const bytes = Buffer.from(`GET / HTTP/1.0\r\n${lines.join('\r\n')}\r\n\r\n`);
    new RequestParser(sink, defaultParserLimits).push(bytes, 0, bytes.length);
    assert.deepEqual(seen, [true, false, false, false, false, false, false, true, true]);
  });

  test('writes the body of a short response in UTF-8', () => {
    const writer = new HeadWriter();
    writer.begin();
    writer.utf8('grüße'.repeat(4000));
    assert.equal(ended(writer).toString(), `${'grüße'.repeat(4000)}\r\n`);
  });

  test('what was written is read as what was parsed', () => {
    const writer = new HeadWriter();
    fc.assert(
      fc.property(request, ({ bytes }) => {
        const once = rewrite(writer, bytes);
        assert.notEqual(once.length, 0);
        assert.deepEqual(rewrite(writer, once), once);
      }),
      { numRuns: 300 },
    );
  });
});
