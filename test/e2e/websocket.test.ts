// WebSocket upgrades: a tunnel from the 101 on, and not a byte before it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const upgrade = (path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';

async function flintBefore(
  context: TestContext,
  serve: (socket: Socket, received: string, connection: number) => void,
  rule = {},
): Promise<FlintProcess> {
  const backend = await rawBackend(context, serve);
  return startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop', rule), ...service('shop', [backend.port])),
  );
}

/** Says 101, then gives back whatever comes. */
function echoTunnel(socket: Socket, received: string): void {
  if (!received.endsWith('\r\n\r\n') || socket.listenerCount('data') > 1) return;
  socket.write(switching);
  socket.on('data', (bytes) => socket.write(bytes));
}

async function open(flint: FlintProcess): Promise<HttpClient> {
  const client = await HttpClient.open(flint.httpPort);
  client.send(upgrade());
  assert.equal((await client.interim()).status, 101);
  return client;
}

async function unread(client: HttpClient, text: string): Promise<void> {
  while (client.unread !== text) await once(client.socket, 'data');
}

test('after 101 bytes go both ways as they are', async (context) => {
  let head = '';
  const flint = await flintBefore(context, (socket, received) => {
    if (head === '') head = received;
    echoTunnel(socket, received);
  });
  const client = await HttpClient.open(flint.httpPort);
  client.send(upgrade('/chat?room=1'));
  const { status, headers } = await client.interim();
  assert.equal(status, 101);
  assert.equal(headers['upgrade'], 'websocket');
  assert.equal(headers['connection'], 'Upgrade');
  assert.equal(headers['sec-websocket-accept'], 'x');
  assert.match(head, /^GET \/chat\?room=1 HTTP\/1\.1\r\n/);
  assert.match(head, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  assert.match(head, /\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n/);
  client.send('GET / HTTP/1.1\r\n\r\n\0\x81');
  await unread(client, 'GET / HTTP/1.1\r\n\r\n\0\x81');
  client.socket.end();
  await client.untilEnded();
  assert.equal(client.isReset, false);
  await flint.until(() => flint.accessLog.length === 1);
  const [line] = flint.accessLog;
  assert.deepEqual([line?.status, line?.fault], [101, '']);
});

test('megabytes pass through in both directions, unchanged', async (context) => {
  const flint = await flintBefore(context, echoTunnel);
  const client = await open(flint);
  const bytes = Buffer.alloc(4 << 20, 'abcdefghijklmnopqrstuvwxyz0123456789');
  const sent = createHash('sha256').update(bytes).digest('hex');
  const hash = createHash('sha256');
  let left = bytes.length;
  client.socket.removeAllListeners('data');
  const done = new Promise<void>((resolve) => {
    client.socket.on('data', (piece: Buffer) => {
      hash.update(piece);
      left -= piece.length;
      if (left === 0) resolve();
    });
  });
  client.socket.write(bytes);
  await done;
  assert.equal(hash.digest('hex'), sent);
});

test('what follows an upgrade request waits for the 101', async (context) => {
  const received: string[] = [];
  let answer: () => void = () => {};
  const flint = await flintBefore(context, (socket, text) => {
    received.push(text);
    answer = (): void => {
      socket.write(switching);
    };
  });
  const client = await HttpClient.open(flint.httpPort);
  client.send(`${upgrade()}early`);
  while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(received.at(-1)?.endsWith('\r\n\r\n'), true);
  answer();
  while (received.at(-1)?.endsWith('early') !== true) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('on any other answer what follows is the next request', async (context) => {
  const paths: string[] = [];
  const flint = await flintBefore(context, (socket, received) => {
    const requests = received.split('\r\n\r\n').slice(0, -1);
    const last = requests.at(-1) ?? '';
    paths.push(last.split(' ')[1] ?? '');
    socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno');
  });
  const client = await HttpClient.open(flint.httpPort);
  client.send(`${upgrade('/first')}GET /second HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
  assert.deepEqual([(await client.answer()).status, (await client.answer()).status], [426, 426]);
  assert.deepEqual(paths, ['/first', '/second']);
});

test('101 without being asked is a broken backend', async (context) => {
  const flint = await flintBefore(context, (socket) => socket.write(switching));
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const { status, headers } = await client.answer();
  assert.deepEqual([status, headers['x-flint-fault']], [502, 'backend-malformed']);
});

test('silence ends a tunnel after the idle timeout, traffic does not', async (context) => {
  const flint = await flintBefore(context, echoTunnel, { timeouts: { idle: '2s' } });
  const client = await open(flint);
  const startedMs = performance.now();
  let text = '';
  for (let turn = 0; turn < 8; turn++) {
    client.send('x');
    text += 'x';
    await unread(client, text);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(performance.now() - startedMs > 2000);
  assert.equal(client.isEnded, false);
  await client.untilEnded();
  await flint.until(() => flint.accessLog.some(({ fault }) => fault === 'tunnel-timeout'));
});

test('a backend that breaks ends the client, a client that breaks ends the backend', async (context) => {
  const sockets: Socket[] = [];
  const flint = await flintBefore(context, (socket, received) => {
    sockets.push(socket);
    echoTunnel(socket, received);
  });
  const first = await open(flint);
  sockets.at(-1)?.resetAndDestroy();
  await first.untilEnded();
  const second = await open(flint);
  const backend = sockets.at(-1);
  assert.ok(backend !== undefined);
  const closed = once(backend, 'close');
  second.socket.resetAndDestroy();
  await closed;
});

test('a tunnel outlives a change of routes and its own route', async (context) => {
  const flint = await flintBefore(context, echoTunnel);
  const client = await open(flint);
  await flint.apply(yaml(simpleRoute('other.test', 'shop'), ...service('shop', [1])));
  client.send('still here');
  await unread(client, 'still here');
});
