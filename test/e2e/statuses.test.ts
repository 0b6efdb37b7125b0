// Statuses that mean something: what a client is told when there is no route, no endpoint, or a backend that fails.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { closedPort, echoBackend, rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { silentPort } from './raw-server.ts';
import { route, service, simpleRoute, yaml } from './manifests.ts';

const host = 'shop.test';

test('404: no route; 503: a route but nobody home; 500: all weights are 0', async (context) => {
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'empty'),
      ...service('empty', []),
      simpleRoute('missing.test', 'missing'),
      route('zero', {
        hostnames: ['zero.test'],
        rules: [
          { matches: [{ path: { value: '/z' } }], backendRefs: [{ name: 'empty', port: 80, weight: 0 }] },
        ],
      }),
    ),
  );
  const faultOf = async (name: string, path: string): Promise<unknown[]> => {
    const { status, headers } = await request(flint.httpPort, name, path);
    return [status, headers['x-flint-fault'], headers['retry-after']];
  };
  assert.deepEqual(await faultOf('nobody.test', '/'), [404, 'route-not-found', undefined]);
  assert.deepEqual(await faultOf('zero.test', '/other'), [404, 'route-not-found', undefined]);
  assert.deepEqual(await faultOf(host, '/'), [503, 'endpoints-none', '1']);
  assert.deepEqual(await faultOf('missing.test', '/'), [503, 'backend-unresolved', '1']);
  assert.deepEqual(await faultOf('zero.test', '/z'), [500, 'weights-zero', undefined]);
});

test('a refused connection goes to the next endpoint; when all refuse, 503', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const dead = closedPort;
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'half'),
      ...service('half', [dead, backend.port]),
      simpleRoute('dead.test', 'dead'),
      ...service('dead', [dead]),
    ),
  );
  for (let round = 0; round < 20; round++)
    assert.equal((await request(flint.httpPort, host, '/', { method: 'POST', body: 'x' })).status, 200);
  assert.equal(backend.requests.length, 20, 'each was delivered once');
  const { status, headers } = await request(flint.httpPort, 'dead.test', '/');
  assert.deepEqual([status, headers['x-flint-fault']], [503, 'connect-refused']);
});

test('a backend that never accepts: the next endpoint after a second, 504 when there is none', async (context) => {
  const silent = await silentPort(context);
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'half'),
      ...service('half', [silent, backend.port]),
      simpleRoute('silent.test', 'silent'),
      ...service('silent', [silent]),
    ),
  );
  const answers = await Promise.all(Array.from({ length: 6 }, () => request(flint.httpPort, host, '/')));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const { status, headers } = await request(flint.httpPort, 'silent.test', '/');
  assert.deepEqual([status, headers['x-flint-fault']], [504, 'connect-timeout']);
});

test('a backend that accepts and never answers: 504 at the timeout of the rule', async (context) => {
  const hole = await rawBackend(context, () => {});
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'hole', { timeouts: { request: '300ms' } }),
      simpleRoute('attempt.test', 'hole', { timeouts: { request: '10s', backendRequest: '300ms' } }),
      ...service('hole', [hole.port]),
    ),
  );
  const client = await HttpClient.open(flint.httpPort);
  for (const name of [host, 'attempt.test']) {
    client.send(`POST / HTTP/1.1\r\nHost: ${name}\r\nContent-Length: 2\r\n\r\nhi`);
    const { status, headers } = await client.answer();
    assert.deepEqual([status, headers['x-flint-fault']], [504, 'backend-timeout']);
  }
  client.close();
});

test('a body that stops arriving: 408 at the idle timeout of the rule; one that moves lives on', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { timeouts: { request: '400ms', idle: '400ms' } }),
      simpleRoute('moving.test', 'shop', { timeouts: { request: '2s', idle: '2s' } }),
      ...service('shop', [backend.port]),
    ),
  );
  const stalled = await HttpClient.open(flint.httpPort);
  stalled.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nhi`);
  const { status, headers } = await stalled.answer();
  assert.deepEqual([status, headers['x-flint-fault'], headers['connection']], [408, 'body-timeout', 'close']);
  await stalled.untilEnded();
  const moving = await HttpClient.open(flint.httpPort);
  moving.send('POST / HTTP/1.1\r\nHost: moving.test\r\nContent-Length: 10\r\n\r\n');
  for (let sent = 0; sent < 10; sent++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    moving.send('x');
  }
  assert.equal((await moving.answer()).status, 200);
  moving.close();
});

const brokenBackends: Readonly<Record<string, string>> = {
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  'length and chunks':
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  'chunked twice':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a junk status line': 'HTTP/1.1 OK\r\n\r\n',
  'no HTTP at all': 'SSH-2.0-OpenSSH_9.2\r\n',
  'a bare LF': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a CR in a value': 'HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n',
  'an upgrade that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'bytes after the response': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc',
};

test('a backend that does not speak HTTP/1.1: 502, and its connection is never used again', async (context) => {
  for (const [name, bytes] of Object.entries(brokenBackends)) {
    await context.test(name, async (each) => {
      const backend = await rawBackend(each, (socket, received) => {
        if (received.endsWith('\r\n\r\n')) socket.write(bytes);
      });
      const flint = await startFlint(
        each,
        yaml(simpleRoute(host, 'shop'), ...service('shop', [backend.port])),
        ['--workers', '1'],
      );
      for (let round = 1; round <= 2; round++) {
        const { status, headers } = await request(flint.httpPort, host, '/');
        assert.deepEqual([status, headers['x-flint-fault']], [502, 'backend-malformed']);
        assert.equal(backend.connections, round);
      }
    });
  }
});

test('a backend that closes before its response: 502; in its middle: never a complete-looking body', async (context) => {
  const backend = await rawBackend(context, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return;
    if (received.includes('/length')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    if (received.includes('/chunks'))
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    socket.end();
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop'), ...service('shop', [backend.port])),
  );
  const { status, headers } = await request(flint.httpPort, host, '/none');
  assert.deepEqual([status, headers['x-flint-fault']], [502, 'backend-reset']);
  await assert.rejects(request(flint.httpPort, host, '/length'));
  await assert.rejects(request(flint.httpPort, host, '/chunks'));
  // A client of HTTP/1.0 reads until close: only a reset tells it that there was more.
  const old = await HttpClient.open(flint.httpPort);
  old.send(`GET /chunks HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  await assert.rejects(old.answer(), /reset/);
  await flint.until(() => flint.accessLog.filter(({ fault }) => fault === 'backend-truncated').length === 3);
});

test('a backend that was killed and came back is found again without an error for idempotent requests', async (context) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const flint = await startFlint(context, yaml(simpleRoute(host, 'shop'), ...service('shop', [port])), [
    '--workers',
    '1',
  ]);
  for (let round = 0; round < 10; round++) {
    assert.equal((await request(flint.httpPort, host, '/')).status, 200);
    // The pooled connection dies, and Flint may or may not have noticed when the next request comes.
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  }
});

test('a client that goes away mid-request ends the request to the backend', async (context) => {
  let isClosed: () => void;
  const closed = new Promise<void>((resolve) => {
    isClosed = resolve;
  });
  const backend = await rawBackend(context, (socket) => {
    socket.on('close', () => isClosed());
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nhi`);
  while (backend.connections === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  client.close();
  await closed;
  await flint.until(() => flint.accessLog.some(({ fault }) => fault === 'client-closed'));
});
