// Peers that read or send more slowly than the other side, or not at all: the other side waits, memory does not grow,
// nobody else notices, and who makes no progress is ended.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { request } from './http-client.ts';
import { ask, inTurns, openClient } from './many-clients.ts';
import type { Client } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { descriptorsOf, eventually, mib, pause, residentBytesOf, settled } from './process-figures.ts';
import { bytesTaken, listenRaw, pieceBytes, stream } from './raw-server.ts';

const gib = 1024 * mib;
/** Buffers of the kernel, two sockets on each side of Flint, take some of it too. */
const heldBytes = 24 * mib;
/** A runtime's own noise included; the promise is 1 MiB buffered for a connection. */
const growthBytes = 16 * mib;
/** From src/proxy/exchange.ts: a reader gets this long, however short the idle timeout. */
const slowReaderMs = 30_000;
const get = 'GET / HTTP/1.1\r\nHost: big.test\r\n\r\n';

interface Scene {
  readonly flint: FlintProcess;
  /** The connections of the backend under test. */
  readonly sockets: readonly Socket[];
}

/** `big.test` leads to `serve`, `shop.test` to a backend that answers at once. */
async function scene(context: TestContext, idle: string, serve: (socket: Socket) => void): Promise<Scene> {
  const sockets: Socket[] = [];
  const port = await listenRaw(context, (socket) => {
    sockets.push(socket);
    serve(socket);
  });
  const shop = await rawBackend(context, (socket, received) => {
    if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const manifests = yaml(
    simpleRoute('big.test', 'big', { timeouts: { idle } }),
    simpleRoute('shop.test', 'shop'),
    ...service('big', [port]),
    ...service('shop', [shop.port]),
  );
  const flint = await startFlint(context, manifests, ['--workers', '1']);
  // Warm, so that what grows later is what is measured.
  await othersAreServed(flint, 200);
  return { flint, sockets };
}

async function othersAreServed(flint: FlintProcess, requests: number): Promise<void> {
  for (let number = 0; number < requests; number++)
    assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
}

/** A backend that answers with 1 GiB, as fast as it is taken. */
function serveOneGib(socket: Socket): void {
  socket.once('data', () => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${gib}\r\n\r\n`);
    stream(socket, gib);
  });
}

function openReader(context: TestContext, port: number): Socket {
  const client = connect({ port, host: '127.0.0.1' });
  client.on('error', () => {});
  context.after(() => client.destroy());
  return client;
}

function assertBounded(context: TestContext, flint: FlintProcess, before: number, held: number): void {
  const grown = residentBytesOf(flint.pid) - before;
  context.diagnostic(
    `${(grown / mib).toFixed(1)} MiB grown, ${(held / mib).toFixed(1)} MiB taken from the sender`,
  );
  assert.ok(grown < growthBytes, `${grown} bytes of memory`);
  assert.ok(held < heldBytes, `${held} bytes were taken from the sender`);
}

describe('slow peers', { concurrency: true }, () => {
  test('a client that reads nothing of 1 GiB: the backend waits, and the client is ended after 30 s', async (context) => {
    const { flint, sockets } = await scene(context, '1s', serveOneGib);
    const before = residentBytesOf(flint.pid);
    const startedMs = performance.now();
    const client = openReader(context, flint.httpPort);
    client.write(get);
    client.pause();
    await eventually(
      () => sockets.length,
      (count) => count === 1,
    );
    const held = await settled(() => bytesTaken(sockets[0]!));
    assert.ok(held > 64 * 1024, 'it has begun');
    await othersAreServed(flint, 20);
    assertBounded(context, flint, before, held);
    const end = await eventually(
      () => flint.accessLog.find(({ fault }) => fault === 'response-timeout'),
      (line) => line !== undefined,
      slowReaderMs + 15_000,
    );
    const lastedMs = performance.now() - startedMs;
    context.diagnostic(`ended after ${(lastedMs / 1000).toFixed(1)} s`);
    assert.ok(end !== undefined && lastedMs >= slowReaderMs);
    assert.equal(await eventually(() => sockets[0]!.destroyed, Boolean), true, 'the backend is told');
    // What Node has not yet given to the kernel counts as taken once the socket is gone.
    assert.ok(bytesTaken(sockets[0]!) <= held + 2 * pieceBytes, 'nothing more was taken meanwhile');
  });

  test('a client that reads 1 GiB slowly: the backend goes as slowly, far beyond its idle timeout', async (context) => {
    const { flint, sockets } = await scene(context, '1s', serveOneGib);
    const before = residentBytesOf(flint.pid);
    const client = openReader(context, flint.httpPort);
    client.write(get);
    client.pause();
    await eventually(
      () => sockets.length,
      (count) => count === 1,
    );
    await settled(() => bytesTaken(sockets[0]!));
    let read = 0;
    for (let round = 0; round < 40; round++) {
      await pause(100);
      read += (client.read() as Buffer | null)?.length ?? 0;
    }
    await othersAreServed(flint, 20);
    assert.ok(read > 0 && !client.destroyed);
    context.diagnostic(`${(read / mib).toFixed(1)} MiB read in 4 s`);
    assertBounded(context, flint, before, bytesTaken(sockets[0]!) - read);
    // Who comes back to life gets the rest.
    client.resume();
    const target = read + 100 * mib;
    await eventually(
      () => client.bytesRead,
      (bytes) => bytes > target,
    );
    assert.ok(client.bytesRead > target, `${client.bytesRead} bytes read`);
    assert.deepEqual(
      flint.accessLog.filter(({ fault }) => fault !== ''),
      [],
    );
  });

  for (const [framing, head] of [
    ['length', `Content-Length: ${gib}\r\n\r\n`],
    ['chunks', `Transfer-Encoding: chunked\r\n\r\n${gib.toString(16)}\r\n`],
  ] as const)
    test(`an upload of 1 GiB by ${framing} to a backend that reads none of it: the client waits, then 504`, async (context) => {
      const { flint, sockets } = await scene(context, '3s', (socket) => socket.pause());
      const before = residentBytesOf(flint.pid);
      const client = openReader(context, flint.httpPort);
      let answer = '';
      client.on('data', (bytes: Buffer) => {
        answer += bytes.toString('latin1');
      });
      client.write(`POST / HTTP/1.1\r\nHost: big.test\r\n${head}`);
      stream(client, gib);
      await eventually(
        () => sockets.length,
        (count) => count === 1,
      );
      const held = await settled(() => bytesTaken(client), 1000);
      assert.ok(held > 64 * 1024, 'it has begun');
      await othersAreServed(flint, 20);
      assertBounded(context, flint, before, held);
      await eventually(
        () => answer,
        (text) => text.includes('backend-timeout'),
      );
      assert.match(answer, /^HTTP\/1\.1 504 [^]*\r\nX-Flint-Fault: backend-timeout\r\n/);
    });

  test('two hundred heads at a byte a second: 408 for each after ten seconds, and others are served', async (context) => {
    const { flint } = await scene(context, '60s', () => {});
    const descriptorsBefore = descriptorsOf(flint.pid);
    const clients: Client[] = [];
    await inTurns(200, 20, async (number) => {
      const client = openClient(flint.httpPort);
      clients.push(client);
      // Half of them have been good clients before.
      if (number % 2 === 0) assert.equal(await ask(client, 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n'), 200);
    });
    const head = 'GET / HTTP/1.1\r\nHost: shop.test\r\nCookie: a=b; c=d\r\n\r\n';
    const startedMs = performance.now();
    let sent = 0;
    const isRefused = ({ statuses }: Client): boolean => statuses.at(-1) === 408;
    while (sent < head.length - 1 && !clients.every(isRefused)) {
      for (const client of clients) if (!isRefused(client)) client.socket.write(head[sent] ?? '');
      sent++;
      await othersAreServed(flint, 5);
      await pause(1000);
    }
    assert.equal(clients.filter(isRefused).length, clients.length);
    const lastedMs = performance.now() - startedMs;
    context.diagnostic(`all refused after ${(lastedMs / 1000).toFixed(1)} s`);
    // The whole head takes 53.
    assert.ok(lastedMs < 40_000, 'a byte now and then must not win more time');
    // Each has been sent FIN after its answer; the sockets here close by themselves.
    await eventually(
      () => clients.filter(({ isClosed }) => isClosed).length,
      (count) => count === clients.length,
    );
    assert.equal(clients.filter(({ isClosed }) => !isClosed).length, 0);
    const left = await eventually(
      () => descriptorsOf(flint.pid),
      (count) => count <= descriptorsBefore,
    );
    assert.ok(left <= descriptorsBefore, `${left} descriptors, ${descriptorsBefore} before`);
  });
});
