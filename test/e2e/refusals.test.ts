// Bytes that no backend may see: each gets its status, the name of its fault, and the end of its connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n';
const post = 'POST / HTTP/1.1\r\nHost: shop.test\r\n';

const refusals: readonly (readonly [name: string, bytes: string, status: number, fault: string])[] = [
  [
    'length and chunks',
    `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'framing-ambiguous',
  ],
  ['length twice', `${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 400, 'framing-ambiguous'],
  ['a signed length', `${post}Content-Length: +3\r\n\r\nabc`, 400, 'framing-ambiguous'],
  ['an empty length', `${post}Content-Length:\r\n\r\n`, 400, 'framing-ambiguous'],
  ['a list of lengths', `${post}Content-Length: 3, 3\r\n\r\nabc`, 400, 'framing-ambiguous'],
  [
    'chunks in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'framing-ambiguous',
  ],
  ['an unknown coding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400, 'framing-ambiguous'],
  ['chunked twice', `${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 400, 'framing-ambiguous'],
  [
    'gzip before chunked',
    `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    501,
    'transfer-coding-unsupported',
  ],
  ['a folded field', `${get}X-A: a\r\n b\r\n\r\n`, 400, 'field-invalid'],
  ['a space before the colon', `${get}X-A : a\r\n\r\n`, 400, 'field-invalid'],
  ['a space before the first field', 'GET / HTTP/1.1\r\n Host: shop.test\r\n\r\n', 400, 'field-invalid'],
  ['a bare LF', 'GET / HTTP/1.1\nHost: shop.test\n\n', 400, 'request-line-invalid'],
  ['a NUL in a value', `${get}X-A: a\0b\r\n\r\n`, 400, 'field-invalid'],
  ['a CR in a value', `${get}X-A: a\rb\r\n\r\n`, 400, 'field-invalid'],
  ['an underscore in disguise', `${get}X_Forwarded_For: 6.6.6.6\r\n\r\n`, 400, 'field-invalid'],
  [
    'a chunk size with 0x',
    `${post}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n`,
    400,
    'chunk-invalid',
  ],
  [
    'a chunk without its end',
    `${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
    400,
    'chunk-invalid',
  ],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'host-invalid'],
  ['Host twice', `${get}Host: other.test\r\n\r\n`, 400, 'host-invalid'],
  ['Host with userinfo', 'GET / HTTP/1.1\r\nHost: me@shop.test\r\n\r\n', 400, 'host-invalid'],
  [
    'a target of another host',
    `GET http://other.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n`,
    400,
    'host-invalid',
  ],
  ['CONNECT', 'CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n', 405, 'method-refused'],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: shop.test\r\n\r\n', 405, 'method-refused'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: shop.test\r\n\r\n', 400, 'request-line-invalid'],
  ['HTTP/0.9', 'GET / HTTP/0.9\r\nHost: shop.test\r\n\r\n', 400, 'request-line-invalid'],
  ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: shop.test\r\n\r\n', 505, 'version-unsupported'],
  ['another expectation', `${get}Expect: the-unexpected\r\n\r\n`, 417, 'expectation-failed'],
  ['a head of 70 KB', `${get}X-A: ${'a'.repeat(70_000)}\r\n\r\n`, 431, 'head-too-large'],
  ['101 fields', `${get}${'X-A: a\r\n'.repeat(100)}\r\n`, 431, 'head-too-large'],
  [
    'a target of 17 KB',
    `GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: shop.test\r\n\r\n`,
    414,
    'target-too-long',
  ],
  ['an encoded slash', 'GET /a%2fb HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
  ['a backslash', 'GET /a\\b HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
  ['an encoded backslash', 'GET /a%5Cb HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
  ['an encoded NUL', 'GET /a%00b HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
  ['two slashes', 'GET //a HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
  ['a path parameter on ..', 'GET /a/..;/b HTTP/1.1\r\nHost: shop.test\r\n\r\n', 400, 'path-rejected'],
];

test('refused on the wire', async (context) => {
  let isReached = false;
  const backend = await rawBackend(context, (socket, received) => {
    // Broken chunks are seen only after the head has gone; then the connection breaks, and no whole request arrives.
    isReached ||= received.endsWith('0\r\n\r\n') || !received.includes('Transfer-Encoding: chunked');
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  for (const [name, bytes, status, fault] of refusals) {
    await context.test(name, async () => {
      const client = await HttpClient.open(flint.httpPort);
      client.send(`${bytes}GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
      const answer = await client.answer();
      assert.deepEqual(
        [answer.status, answer.headers['x-flint-fault'], answer.headers['connection']],
        [status, fault, 'close'],
      );
      await client.untilEnded();
      assert.equal(client.unread, '', 'nothing after a doubtful message is answered');
      client.close();
    });
  }
  assert.equal(isReached, false, 'a refused request reached the backend');
});

test('OPTIONS * is answered by the proxy itself', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('shop.test', 'shop')));
  const client = await HttpClient.open(flint.httpPort);
  client.send('OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.equal((await client.answer()).status, 200);
  client.close();
});

test('a head that does not arrive in ten seconds: 408', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('shop.test', 'shop')));
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: sho');
  const { status, headers } = await client.answer();
  assert.deepEqual([status, headers['x-flint-fault'], headers['connection']], [408, 'head-timeout', 'close']);
  await client.untilEnded();
});
