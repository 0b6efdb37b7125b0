// What goes through: methods, bodies, persistence, fields, in both directions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend, rawBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { route, service, simpleRoute, yaml } from './manifests.ts';

function echo(body: string): Echo {
  return JSON.parse(body) as Echo;
}

test('two hosts on one keep-alive connection reach two backends', async (context) => {
  const a = await echoBackend(context, 'a');
  const b = await echoBackend(context, 'b');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute('a.test', 'a'),
      simpleRoute('b.test', 'b'),
      ...service('a', [a.port]),
      ...service('b', [b.port]),
    ),
  );
  const client = await HttpClient.open(flint.httpPort);
  for (const name of ['a', 'b', 'a', 'b']) {
    client.send(`GET /${name} HTTP/1.1\r\nHost: ${name}.test\r\n\r\n`);
    const answer = await client.answer();
    assert.equal(answer.status, 200);
    assert.equal(echo(answer.body).backend, name);
  }
  client.close();
});

test('fields of the connection stay behind, and what a client says about itself is not believed', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const { body } = await request(flint.httpPort, 'shop.test:8080', '/a?b=c', {
    headers: [
      'Connection: keep-alive, X-Secret-Hop',
      'X-Secret-Hop: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Upgrade: h2c',
      'Proxy-Authorization: Basic x',
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Prefix: /admin',
      'Forwarded: for=6.6.6.6',
      'X-Real-IP: 6.6.6.6',
      'X-Request-Id: chosen-by-the-client',
      'Accept: text/html',
      'X-Custom:   spaced\t',
      '',
    ].join('\r\n'),
  });
  const { headers, url } = echo(body);
  assert.equal(url, '/a?b=c');
  const { 'x-request-id': requestId, connection: _, ...rest } = headers;
  assert.deepEqual(rest, {
    accept: 'text/html',
    host: 'shop.test:8080',
    'x-custom': 'spaced',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'shop.test:8080',
    'x-forwarded-proto': 'http',
    'x-real-ip': '127.0.0.1',
  });
  assert.match(requestId ?? '', /^[0-9a-f]{32}$/);
});

test('bodies go through by length and by chunks, small and large', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('POST /length HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello');
  assert.equal(echo((await client.answer()).body).body, 'hello');
  client.send(
    'PUT /chunks HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n',
  );
  const chunked = echo((await client.answer()).body);
  assert.equal(chunked.body, 'hello world');
  assert.equal(chunked.headers['transfer-encoding'], 'chunked');
  const large = 'x'.repeat(8_000_000);
  client.send(`POST /large HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
  assert.equal(echo((await client.answer()).body).body, String(large.length));
  client.send('POST /empty HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n');
  assert.equal(echo((await client.answer()).body).headers['content-length'], '0');
  client.close();
});

test('pipelined requests are answered in order, on one connection', async (context) => {
  const backend = await echoBackend(context, 'shop', 5);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
  client.send(
    paths
      .map((path, index) =>
        index % 2 === 0
          ? `GET ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`
          : `POST ${path} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc`,
      )
      .join(''),
  );
  const seen: string[] = [];
  for (const _ of paths) seen.push(echo((await client.answer()).body).url);
  assert.deepEqual(seen, paths);
  client.close();
});

test('responses end as they must: HEAD, 204, 304, chunks, until close, interim ones', async (context) => {
  const answers: Readonly<Record<string, string>> = {
    '/head': 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
    '/204': 'HTTP/1.1 204 No Content\r\n\r\n',
    '/304': 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n',
    '/chunks':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=9\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n',
    '/hints':
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    '/close': 'HTTP/1.1 200 OK\r\n\r\nuntil close',
  };
  const backend = await rawBackend(context, (socket, received) => {
    const requests = received.split('\r\n\r\n').slice(0, -1);
    const path = requests.at(-1)?.split(' ')[1] ?? '';
    socket.write(answers[path] ?? '');
    if (path === '/close') socket.end();
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  const get = async (path: string, method = 'GET') => {
    client.send(`${method} ${path} HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
    return client.answer(method);
  };
  assert.equal((await get('/head', 'HEAD')).headers['content-length'], '1234');
  const { date, ...none } = (await get('/204')).headers;
  assert.deepEqual(none, {});
  assert.match(date ?? '', / GMT$/, 'a backend without a clock is helped out');
  assert.equal((await get('/304')).headers['etag'], '"x"');
  const chunks = await get('/chunks');
  assert.equal(chunks.body, 'abcdefg');
  assert.deepEqual(Object.keys(chunks.headers), ['date', 'transfer-encoding']);
  client.send('GET /hints HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.deepEqual(await client.interim(), { status: 103, headers: { link: '</a.css>' } });
  assert.equal((await client.answer()).body, 'ok');
  const close = await get('/close');
  assert.deepEqual([close.body, close.headers['transfer-encoding']], ['until close', 'chunked']);
  assert.equal(
    (await get('/head', 'HEAD')).status,
    200,
    'the client connection outlives that of the backend',
  );
  client.close();
});

test('100-continue: the body waits for the word of the backend', async (context) => {
  const backend = await rawBackend(context, (socket, received) => {
    if (received.endsWith('\r\n\r\n')) {
      assert.match(received, /\r\nExpect: 100-continue\r\n/);
      if (received.lastIndexOf('POST /no') > received.lastIndexOf('POST /yes'))
        socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      else socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    } else if (received.endsWith('hello')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  const head = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
  client.send(head('/yes'));
  assert.equal((await client.interim()).status, 100);
  client.send('hello');
  assert.equal((await client.answer()).status, 200);
  client.send(head('/no'));
  const refused = await client.answer();
  assert.equal(refused.status, 403);
  assert.equal(refused.headers['connection'], 'close', 'the unsent body would be taken for the next request');
  await client.untilEnded();
  client.close();
});

test('HTTP/1.0 clients get no chunks, and keep the connection only if they ask', async (context) => {
  const backend = await rawBackend(context, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return;
    const isChunked = received.lastIndexOf('/chunks') > received.lastIndexOf('/length');
    socket.write(
      isChunked
        ? 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
        : 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
    );
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET /length HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n');
  const kept = await client.answer();
  assert.deepEqual([kept.body, kept.headers['connection']], ['abc', 'keep-alive']);
  client.send('GET /chunks HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n');
  const closed = await client.answer();
  assert.deepEqual([closed.body, Object.keys(closed.headers)], ['abc', ['date', 'connection']]);
  client.close();
});

test('a client that half-closes after its request still gets the answer', async (context) => {
  const backend = await echoBackend(context, 'shop', 20);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET /half HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  client.socket.end();
  assert.equal(echo((await client.answer()).body).url, '/half');
  await client.untilEnded();
});

test('paths are routed and forwarded as one string', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const admin = await echoBackend(context, 'admin');
  const flint = await startFlint(
    context,
    yaml(
      route('shop', {
        hostnames: ['shop.test'],
        rules: [
          { matches: [{ path: { value: '/admin' } }], backendRefs: [{ name: 'admin', port: 80 }] },
          { backendRefs: [{ name: 'shop', port: 80 }] },
        ],
      }),
      ...service('shop', [backend.port]),
      ...service('admin', [admin.port]),
    ),
  );
  for (const [sent, forwarded] of [
    ['/x/../admin/y', '/admin/y'],
    ['/%61dmin', '/admin'],
    ['/x/%2e%2E/admin?q=%2e', '/admin?q=%2e'],
  ] as const) {
    const answer = echo((await request(flint.httpPort, 'shop.test', sent)).body);
    assert.deepEqual([answer.backend, answer.url], ['admin', forwarded]);
  }
  assert.equal(echo((await request(flint.httpPort, 'shop.test', '/administrator')).body).backend, 'shop');
  const absolute = await request(flint.httpPort, 'shop.test', 'http://shop.test/admin/z');
  assert.equal(echo(absolute.body).url, '/admin/z');
});

test('a slow reader holds back the backend, not memory', async (context) => {
  const chunk = Buffer.alloc(1_000_000, 'x');
  const total = 200;
  let written = 0;
  const backend = await rawBackend(context, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${chunk.length * total}\r\n\r\n`);
    const more = (): void => {
      while (written < total) {
        written++;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', more);
    more();
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--workers', '1'],
  );
  const client = await HttpClient.open(flint.httpPort);
  client.socket.pause();
  client.send('GET /big HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  // Kernel buffers on both sides take several megabytes; two hundred they do not.
  assert.ok(written < 60, `${written} MB were read from the backend for a client that reads nothing`);
  let received = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  client.socket.resume();
  while (received < chunk.length * total) await new Promise((resolve) => client.socket.once('data', resolve));
  client.close();
});

test('a client that ends in the middle of a body ends the request, even if the backend was not connected yet', async (context) => {
  const backend = await rawBackend(context, () => {});
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100\r\n\r\nabc');
  client.socket.end();
  await client.untilEnded();
  await flint.until(() => flint.accessLog.some(({ fault }) => fault === 'client-closed'));
  assert.equal(await flint.metric('flint_active_requests'), 0);
});

test('pipelined requests and a half-close at once: every whole request is answered', async (context) => {
  const backend = await echoBackend(context, 'shop', 10);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send(
    'GET /1 HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /3 HT',
  );
  client.socket.end();
  for (const path of ['/1', '/2']) assert.equal(echo((await client.answer()).body).url, path);
  await client.untilEnded();
  assert.equal(client.unread, '');
});

test('a late byte of a client that closes takes nothing of a large answer away', async (context) => {
  const body = 'x'.repeat(1_000_000);
  const backend = await rawBackend(context, (socket, received) => {
    if (received.endsWith('abc'))
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.socket.pause();
  client.send('POST / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc');
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.send('\r\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.socket.resume();
  assert.equal((await client.answer()).body.length, body.length);
});
