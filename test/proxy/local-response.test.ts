// Responses of our own, as bytes: faults, redirects and direct responses.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderChanges } from '#filter/header-changes.ts';
import type { Answer } from '#filter/rule-filters.ts';
import { HeadWriter } from '#h1/head-writer.ts';
import { faults } from '#http/fault.ts';
import type { FaultCode } from '#http/fault.ts';
import type { HeaderChanges as Model } from '#model/filters.ts';
import { answerOf, faultResponse, serverOptions } from '#proxy/local-response.ts';
import type { LocalResponse } from '#proxy/local-response.ts';
import { writeLocalResponse } from '#proxy/response-head-writer.ts';

/** Status line and fields without the Date, and the body. */
function written(response: LocalResponse, method = 'GET'): { lines: readonly string[]; body: string } {
  const writer = new HeadWriter();
  writeLocalResponse(writer, response, '', method, '');
  const bytes = writer.bytes.toString('utf8', 0, writer.size);
  const end = bytes.indexOf('\r\n\r\n');
  const lines = bytes.slice(0, end).split('\r\n');
  return { lines: lines.filter((line) => !line.startsWith('Date: ')), body: bytes.slice(end + 4) };
}

const asked = { scheme: 'http', authority: 'shop.test', path: '/a', query: 'b' } as const;

const redirect: Answer = {
  kind: 'RequestRedirect',
  scheme: 'https',
  hostname: { kind: 'SameHost' },
  port: 0,
  path: { kind: 'SamePath' },
  status: 308,
};

function direct(status: number, body: string): Answer {
  return { kind: 'DirectResponse', status, contentType: 'text/html', body };
}

function changesOf(model: Partial<Model>): HeaderChanges {
  return new HeaderChanges({ remove: [], set: [], add: [], ...model });
}

function adding(...names: readonly string[]): HeaderChanges {
  return changesOf({ add: names.map((name, index) => ({ name, value: String(index + 1) })) });
}

test('a redirect has a Location and no body', () => {
  const response = answerOf(redirect, asked, adding('X-A'));
  assert.equal(response.closes, false);
  assert.deepEqual(written(response), {
    lines: [
      'HTTP/1.1 308 Permanent Redirect',
      'Content-Length: 0',
      'Location: https://shop.test/a?b',
      'X-A: 1',
    ],
    body: '',
  });
});

describe('a direct response', () => {
  test('has its body, and the length in bytes', () => {
    const response = answerOf(direct(200, 'grüß dich\n'), asked, adding('X-A', 'X-B'));
    assert.equal(response.closes, false);
    assert.deepEqual(written(response), {
      lines: ['HTTP/1.1 200 OK', 'Content-Length: 12', 'Content-Type: text/html', 'X-A: 1', 'X-B: 2'],
      body: 'grüß dich\n',
    });
  });

  test('to HEAD has the length of what GET would bring', () => {
    assert.deepEqual(written(answerOf(direct(200, 'hello'), asked, undefined), 'HEAD'), {
      lines: ['HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Type: text/html'],
      body: '',
    });
  });

  test('without a body has no type', () => {
    assert.deepEqual(written(answerOf(direct(503, ''), asked, undefined)).lines, [
      'HTTP/1.1 503 Service Unavailable',
      'Content-Length: 0',
    ]);
  });

  test('of a status that never has a body has no length either; 205 has that of nothing', () => {
    assert.deepEqual(written(answerOf(direct(204, ''), asked, undefined)).lines, ['HTTP/1.1 204 No Content']);
    assert.deepEqual(written(answerOf(direct(304, ''), asked, undefined)).lines, [
      'HTTP/1.1 304 Not Modified',
    ]);
    assert.deepEqual(written(answerOf(direct(205, ''), asked, undefined)).lines, [
      'HTTP/1.1 205 Reset Content',
      'Content-Length: 0',
    ]);
  });
});

test('OPTIONS * gets an empty 200', () => {
  assert.deepEqual(written(serverOptions, 'OPTIONS'), {
    lines: ['HTTP/1.1 200 OK', 'Content-Length: 0'],
    body: '',
  });
});

describe('a fault', () => {
  const codes = Object.keys(faults) as FaultCode[];

  test('is named in a field and in the body, and is never stored', () => {
    for (const code of codes) {
      const response = faultResponse(code);
      const { status, closes, text } = faults[code];
      assert.deepEqual([response.status, response.closes], [status, closes]);
      if (status === 0) continue;
      const { lines, body } = written(response);
      assert(lines.includes(`X-Flint-Fault: ${code}`));
      assert(lines.includes('Cache-Control: no-store'));
      assert(body.startsWith(`${status} `) && body.endsWith(`: ${text} (${code})\n`), body);
      assert.equal(faultResponse(code), response);
    }
  });

  test('says what else may be done', () => {
    const lines = (code: FaultCode): readonly string[] => written(faultResponse(code)).lines;
    assert(lines('method-refused').includes('Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'));
    assert(lines('endpoints-none').includes('Retry-After: 1'));
    assert(!lines('client-denied').some((line) => /^(?:Allow|Retry-After)/.test(line)));
  });
});

test('a rule may take a field of ours away', () => {
  const changes = changesOf({ remove: ['content-type', 'date'] });
  const writer = new HeadWriter();
  writeLocalResponse(writer, answerOf(direct(200, 'hello'), asked, changes), '', 'GET', '');
  const text = writer.bytes.toString('utf8', 0, writer.size);
  assert.equal(text, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
});

// A field that the rule sets takes the place of every field of that name, as the documents say, also of our own.
for (const [name, answer] of [
  ['Content-Type', direct(200, 'hello')],
  ['Location', redirect],
] as const)
  test(`a rule that sets ${name} sets it once`, () => {
    const changes = changesOf({ set: [{ name, value: 'other' }] });
    const found = written(answerOf(answer, asked, changes)).lines.filter((line) => line.startsWith(name));
    assert.deepEqual(found, [`${name}: other`]);
  });
