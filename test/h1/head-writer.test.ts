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
  return writer.end();
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
    assert.equal(writer.end().toString('latin1'), 'HTTP/1.1 200 OK\r\nA: b\r\nEmpty: \r\n\r\n');
  });

  test('writes text of every length in Latin-1', () => {
    const writer = new HeadWriter();
    for (let length = 0; length < 80; length++) {
      const text = 'a\xe9\xff'.repeat(27).slice(0, length);
      writer.begin();
      writer.text(text);
      assert.equal(writer.end().toString('latin1'), `${text}\r\n`);
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
      assert.equal(writer.end().toString('latin1'), `${expected}\r\n`);
    }
  });

  test('copies a field that is larger than the scratch buffer', () => {
    const head = `GET / HTTP/1.1\r\nHost: a\r\nA: ${'v'.repeat(30_000)}\r\n\r\n`;
    assert.equal(rewrite(new HeadWriter(), Buffer.from(head)).toString('latin1'), head);
  });

  test('gives a head that later heads do not change', () => {
    const writer = new HeadWriter();
    writer.begin();
    writer.field('A', 'first');
    const first = writer.end();
    writer.begin();
    writer.field('B', 'second');
    writer.end();
    assert.equal(first.toString('latin1'), 'A: first\r\n\r\n');
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
