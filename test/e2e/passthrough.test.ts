// tls.mode Passthrough: the name of a ClientHello chooses a backend, and that backend ends TLS.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { helloMessage, inRecords, serverName } from '../tls/hello-bytes.ts';
import { closedPort, echoBackend, rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import { route, service, yaml } from './manifests.ts';
import { ask, authority, failureOf, open, pairFor, secret, secureRoute } from './tls-clients.ts';

type Serve = (socket: TLSSocket) => void;

/** A backend that ends TLS with a certificate of its own; resolves to its port. */
async function tlsBackend(context: TestContext, name: string, serve: Serve): Promise<number> {
  const pair = pairFor(name);
  const options = { cert: authority.chainOf(pair), key: pair.keyPem, allowHalfOpen: true };
  const server = createServer(options, (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const echo: Serve = (socket) => void socket.pipe(socket);

function passthrough(
  hostname: string,
  serviceName: string,
  { tls = {}, ...more }: Record<string, unknown> = {},
  rule: object = {},
): unknown {
  return route(hostname.replaceAll('.', '-'), {
    hostnames: [hostname],
    tls: { mode: 'Passthrough', ...(tls as object) },
    rules: [{ backendRefs: [{ name: serviceName, port: 80 }], ...rule }],
    ...more,
  });
}

async function textOf(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  return text;
}

test('a connection is ended by the backend of its name, beside hosts that are ended here', async (context) => {
  const flint = await startFlint(
    context,
    yaml(
      ...service('db', [await tlsBackend(context, 'db.test', echo)]),
      ...service('shop', [(await echoBackend(context, 'shop')).port]),
      secret('shop-tls', pairFor('shop.test')),
      secureRoute('shop.test', 'shop', 'shop-tls'),
      passthrough('db.test', 'db'),
    ),
  );
  const socket = await open(flint, 'db.test');
  assert.equal(socket.getPeerCertificate().subjectaltname, 'DNS:db.test');
  socket.end('hello');
  assert.equal(await textOf(socket), 'hello');
  assert.equal((await ask(flint, 'shop.test')).status, 200);
  const misdirected = await ask(flint, 'shop.test', { headers: { host: 'db.test' } });
  assert.deepEqual([misdirected.status, misdirected.fault], [421, 'misdirected']);
  await flint.until(() => flint.accessLog.some(({ path }) => path === ''));
  const line = flint.accessLog.find(({ path }) => path === '');
  assert.deepEqual([line?.status, line?.fault, line?.['route']], [0, '', 'default/db-test/rules[0]']);
  assert.ok(Number(line?.['requestBytes']) > 5 && Number(line?.['responseBytes']) > 5);
  assert.equal(await flint.metric('flint_tls_handshakes_total{outcome="passed-through"}'), 1);
  assert.equal(
    await flint.metric('flint_passthrough_bytes_total{from="client"}'),
    Number(line?.['requestBytes']),
  );
});

const hello = inRecords(helloMessage({ extensions: [serverName('db.test')] }));

/** A client that says what it wants after its ClientHello, in the clear: nobody on the way minds. */
async function plainClient(httpsPort: number, text: string): Promise<Socket> {
  const socket = connectPlain({ host: '127.0.0.1', port: httpsPort, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(Buffer.concat([hello, Buffer.from(text)]));
  return socket;
}

test('either side may end first, and what the other still says arrives', async (context) => {
  let late = '';
  const backend = await rawBackend(context, (socket, text) => {
    late = text;
    if (text.endsWith('you first')) socket.end('first');
    else if (text.endsWith('me first'))
      // In place of the end that this backend answers with otherwise.
      socket.removeAllListeners('end').on('end', () => socket.end(Buffer.alloc(1_000_000, 'x')));
  });
  const flint = await startFlint(
    context,
    yaml(...service('db', [backend.port]), passthrough('db.test', 'db')),
  );
  const second = await plainClient(flint.httpsPort, 'you first');
  let text = '';
  second.on('data', (bytes: Buffer) => (text += String(bytes)));
  await once(second, 'end');
  assert.equal(text, 'first');
  second.end('late');
  await once(second, 'close');
  await flint.until(() => flint.accessLog.length === 1);
  assert.ok(late.endsWith('you firstlate'));
  const first = await plainClient(flint.httpsPort, 'me firs');
  first.end('t');
  let size = 0;
  first.on('data', (bytes: Buffer) => (size += bytes.length));
  await once(first, 'close');
  assert.equal(size, 1_000_000);
  await flint.until(() => flint.accessLog.length === 2);
  assert.deepEqual(
    flint.accessLog.map(({ fault }) => fault),
    ['', ''],
  );
});

test('large transfers both ways arrive whole, and a slow reader holds its sender up', async (context) => {
  let sent = 0;
  const port = await tlsBackend(context, 'db.test', (socket) => {
    socket.once('data', (bytes: Buffer) => {
      if (String(bytes) !== 'flood') {
        socket.write(bytes);
        socket.pipe(socket);
        return;
      }
      const more = (): void => {
        while (sent < 256_000_000) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return;
        }
      };
      socket.on('drain', more);
      more();
    });
  });
  const flint = await startFlint(context, yaml(...service('db', [port]), passthrough('db.test', 'db')));
  const slow = await open(flint, 'db.test');
  slow.pause();
  slow.write('flood');
  const fast = await open(flint, 'db.test');
  const bytes = Buffer.alloc(5_000_000, 'abcdefghij');
  const received: Buffer[] = [];
  fast.on('data', (each: Buffer) => received.push(each));
  fast.end(bytes);
  await once(fast, 'end');
  assert.ok(Buffer.concat(received).equals(bytes));
  // What is on the way is bounded by the buffers of sockets.
  assert.ok(sent < 64_000_000, `${sent} bytes were taken of a reader that takes none`);
  slow.destroy();
});

test('another endpoint is tried where one does not accept; nobody at all is told at once', async (context) => {
  const dead = closedPort;
  const alive = await tlsBackend(context, 'db.test', echo);
  const flint = await startFlint(
    context,
    yaml(
      ...service('db', [dead, alive]),
      ...service('down', [dead]),
      ...service('empty', []),
      passthrough('db.test', 'db'),
      passthrough('down.test', 'down'),
      passthrough('empty.test', 'empty'),
      passthrough('gone.test', 'gone'),
    ),
    ['--workers', '1'],
  );
  for (let round = 0; round < 8; round++) {
    const socket = await open(flint, 'db.test');
    socket.end('x');
    assert.equal(await textOf(socket), 'x');
  }
  // At random among two, the dead one is met three times in the end, and then left alone.
  while ((await flint.metric('flint_ejections_total{reason="connect"}')) === 0)
    (await open(flint, 'db.test')).destroy();
  for (const [name, fault] of [
    ['down.test', 'connect-refused'],
    ['empty.test', 'endpoints-none'],
    ['gone.test', 'backend-unresolved'],
  ] as const) {
    assert.match(await failureOf(flint, { servername: name }), /INTERNAL_ERROR/, name);
    await flint.until(() => flint.accessLog.some(({ host }) => host === name));
    assert.equal(flint.accessLog.find(({ host }) => host === name)?.fault, fault);
  }
});

test('silence for the idle timeout of the rule ends it, bytes do not', async (context) => {
  const port = await tlsBackend(context, 'db.test', echo);
  const rule = { timeouts: { idle: '2s' } };
  const flint = await startFlint(
    context,
    yaml(...service('db', [port]), passthrough('db.test', 'db', {}, rule)),
  );
  const socket = await open(flint, 'db.test');
  for (let round = 0; round < 8; round++) {
    socket.write('x');
    await once(socket, 'data');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await once(socket, 'close');
  await flint.until(() => flint.accessLog.length > 0);
  assert.equal(flint.accessLog[0]?.fault, 'tunnel-timeout');
});

test('a backend that breaks off in the middle breaks the client off, and a client the backend', async (context) => {
  const closed: Promise<unknown>[] = [];
  const backend = await rawBackend(context, (socket, text) => {
    if (text.endsWith('break')) socket.resetAndDestroy();
    else socket.write('seen');
    closed.push(once(socket, 'close'));
  });
  const flint = await startFlint(
    context,
    yaml(...service('db', [backend.port]), passthrough('db.test', 'db')),
  );
  const socket = await plainClient(flint.httpsPort, 'break');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
  const other = await plainClient(flint.httpsPort, 'x');
  await once(other, 'data');
  other.resetAndDestroy();
  await flint.until(() => flint.accessLog.length === 2);
  assert.deepEqual(flint.accessLog.map(({ fault }) => fault).sort(), ['backend-truncated', 'client-closed']);
  assert.equal(closed.length, 2);
  await Promise.all(closed);
});

test('plain HTTP is sent on by default and refused on demand; addresses may be kept out', async (context) => {
  const port = await tlsBackend(context, 'db.test', echo);
  const flint = await startFlint(
    context,
    yaml(
      ...service('db', [port]),
      passthrough('db.test', 'db'),
      passthrough('shut.test', 'db', { tls: { plaintext: 'Reject' } }),
      passthrough('private.test', 'db', { policy: { clientIP: { deny: ['127.0.0.0/8'] } } }),
    ),
  );
  const sentOn = await request(flint.httpPort, 'db.test', '/a');
  assert.deepEqual([sentOn.status, sentOn.headers['location']], [308, `https://db.test/a`]);
  assert.equal((await request(flint.httpPort, 'shut.test', '/')).status, 403);
  assert.equal((await request(flint.httpPort, 'db.test', '/.well-known/acme-challenge/x')).status, 404);
  assert.match(await failureOf(flint, { servername: 'private.test' }), /ACCESS_DENIED/);
});

test('a load balancer says whom it speaks for; the backend gets what comes after that, byte for byte', async (context) => {
  const received: string[] = [];
  const backend = await rawBackend(context, (_, text) => received.push(text));
  const flint = await startFlint(
    context,
    yaml(...service('db', [backend.port]), passthrough('db.test', 'db')),
    ['--set', 'proxyProtocol=127.0.0.0/8'],
  );
  const pieces = inRecords(helloMessage({ extensions: [serverName('db.test')] }), 40);
  const plain = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
  plain.on('error', () => {});
  plain.write('PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n');
  plain.write(pieces);
  plain.end('and more');
  plain.resume();
  await once(plain, 'close');
  await flint.until(() => flint.accessLog.length > 0);
  assert.equal(flint.accessLog[0]?.['client'], '192.0.2.7');
  assert.equal(received.at(-1), `${pieces.toString('latin1')}and more`);
});

test('a drain lets it end by itself, and ends it when its time is up', async (context) => {
  const port = await tlsBackend(context, 'db.test', echo);
  const flint = await startFlint(context, yaml(...service('db', [port]), passthrough('db.test', 'db')));
  const socket = await open(flint, 'db.test');
  const stopped = flint.stop('SIGTERM');
  await flint.until(() => flint.said('stopping'));
  socket.write('still here');
  assert.equal(String((await once(socket, 'data'))[0]), 'still here');
  socket.end();
  socket.resume();
  assert.equal(await stopped, 0);
});

test('swaps of the table touch no connection', async (context) => {
  const port = await tlsBackend(context, 'db.test', echo);
  const other = await tlsBackend(context, 'db.test', (socket) => void socket.end('other'));
  const objects = (target: number): string => yaml(...service('db', [target]), passthrough('db.test', 'db'));
  const flint = await startFlint(context, objects(port));
  const socket = connect({
    host: '127.0.0.1',
    port: flint.httpsPort,
    servername: 'db.test',
    ca: authority.root.certificate,
  });
  await once(socket, 'secureConnect');
  await flint.apply(objects(other));
  socket.write('still here');
  assert.equal(String((await once(socket, 'data'))[0]), 'still here');
  socket.destroy();
  assert.equal(await textOf(await open(flint, 'db.test')), 'other');
});
