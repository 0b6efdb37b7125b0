// Memory that runs short, and clients that want all of it: what is refused, what is given up, and that the rest goes on.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask as askSecond, begin, openSession } from './h2-clients.ts';
import { request } from './http-client.ts';
import { ask, closeAll, openClient } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { eventually, mib, pause, residentBytesOf } from './process-figures.ts';
import { listenRaw, stream } from './raw-server.ts';

const slow = 'GET /slow HTTP/1.1\r\nHost: shop.test\r\n\r\n';

/** `shop.test` answers at once, `/slow` not at all, and `big.test` with more than anybody reads. */
/** Comes with the head of the large response, in one piece: more than a stream must hold to be worth a reset. */
const firstBytes = 32_768;

async function start(context: TestContext, limitBytes: number): Promise<FlintProcess> {
  const big = await listenRaw(context, (socket) => {
    socket.once('data', () => {
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${1024 * mib}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head), Buffer.alloc(firstBytes)]));
      stream(socket, 1024 * mib - firstBytes);
    });
  });
  const shop = await rawBackend(context, (socket, received) => {
    if (received.endsWith('\r\n\r\n') && !received.includes('/slow'))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const manifests = yaml(
    simpleRoute('big.test', 'big'),
    simpleRoute('shop.test', 'shop'),
    ...service('big', [big]),
    ...service('shop', [shop.port]),
  );
  const options = ['--workers', '1', '--set', `limits.memory=${Math.round(limitBytes)}`];
  const flint = await startFlint(context, manifests, options);
  for (let number = 0; number < 50; number++)
    await request(flint.httpPort, 'shop.test', '/').then(({ status }) => assert.equal(status, 200));
  return flint;
}

/** What it holds with nothing to do: the same process will hold about as much again. */
let knownBytes = 0;
async function baseline(context: TestContext): Promise<number> {
  if (knownBytes === 0) {
    const flint = await start(context, 0);
    assert.equal(await flint.metric('flint_memory_limit_bytes'), 0);
    knownBytes = residentBytesOf(flint.pid);
    await flint.stop('SIGTERM');
  }
  return knownBytes;
}

/** Sessions with as many streams each as they may have, of which nothing is read. */
async function openHogs(flint: FlintProcess, sessions: number): Promise<ClientHttp2Session[]> {
  const hogs: ClientHttp2Session[] = [];
  const endMs = performance.now() + 40_000;
  for (let number = 0; number < sessions && performance.now() < endMs; number++) {
    // One that is refused says no settings.
    const opened = openSession(flint, 'http').catch(() => undefined);
    const session = await Promise.race([opened, pause(2000).then(() => undefined)]);
    if (session === undefined) break;
    hogs.push(session);
    for (let each = 0; each < 100; each++) {
      if (session.destroyed || session.closed) break;
      const asked = begin(session, { headers: { ':authority': 'big.test' } });
      asked.on('error', () => {});
      asked.pause();
    }
  }
  return hogs;
}

describe('memory', { concurrency: 1 }, () => {
  test('too little of it: connections end with their responses, and only one request at a time is served', async (context) => {
    // However much a collector finds, it stays above the limit.
    const flint = await start(context, (await baseline(context)) * 0.5);
    await flint.until(() => flint.said('memory is short'));
    const alone = await request(flint.httpPort, 'shop.test', '/');
    assert.deepEqual([alone.status, alone.headers['connection']], [200, 'close']);
    const session = await openSession(flint, 'http');
    const goneAway = new Promise<number>((resolve) => {
      session.on('goaway', (code) => resolve(code));
    });
    assert.equal((await askSecond(session)).status, 200);
    assert.equal(await goneAway, constants.NGHTTP2_NO_ERROR);
    session.destroy();

    const busy = openClient(flint.httpPort);
    void ask(busy, slow);
    while ((await flint.metric('flint_active_requests')) !== 1) await pause(20);
    const { status, headers } = await request(flint.httpPort, 'shop.test', '/');
    assert.deepEqual(
      [status, headers['x-flint-fault'], headers['retry-after'], headers['connection']],
      [503, 'overloaded', '1', 'close'],
    );
    closeAll([busy]);
  });

  test('new connections are refused when even that is too much', async (context) => {
    const flint = await start(context, (await baseline(context)) * 0.5);
    const clients = Array.from({ length: 30 }, () => openClient(flint.httpPort));
    const open = await eventually(
      () => clients.filter(({ isClosed }) => !isClosed).length,
      (count) => count <= 16,
    );
    assert.ok(open <= 16, `${open} are open`);
    assert.ok((await flint.metric('flint_refused_connections_total{reason="memory"}')) > 0);
    closeAll(clients);
  });

  test('a stream that holds much is reset', async (context) => {
    const flint = await start(context, (await baseline(context)) * 0.5);
    const reader = openClient(flint.httpPort);
    reader.socket.pause();
    const big = 'GET / HTTP/1.1\r\nHost: big.test\r\n\r\n';
    reader.socket.write(big);
    await flint.until(() =>
      flint.accessLog.some(({ fault, status }) => fault === 'overloaded' && status === 200),
    );
    reader.socket.resume();
    await eventually(
      () => reader.isClosed,
      (isClosed) => isClosed,
    );
    // Nothing of it can be passed on.
    const session = await openSession(flint, 'http', { settings: { initialWindowSize: 0 } });
    const stream = begin(session, { headers: { ':authority': 'big.test' } });
    const code = await new Promise((resolve) => {
      stream.on('error', () => {});
      stream.on('close', () => resolve(stream.rstCode));
    });
    assert.notEqual(code, constants.NGHTTP2_NO_ERROR);
    assert.equal(await flint.metric('flint_faults_total{fault="overloaded"}'), 2);
    session.destroy();
  });

  test('one client that reads nothing of what it asks for never fills it', async (context) => {
    const limitBytes = (await baseline(context)) + 200 * mib;
    const flint = await start(context, limitBytes);
    let mostBytes = 0;
    const looking = setInterval(() => {
      mostBytes = Math.max(mostBytes, residentBytesOf(flint.pid));
    }, 10);
    context.after(() => clearInterval(looking));
    // Without a limit each of them holds 1 to 4 MiB.
    const hogs = await openHogs(flint, 400);
    assert.ok(flint.said('memory is short'), 'it was felt');
    const overloaded = await flint.metric('flint_faults_total{fault="overloaded"}');
    context.diagnostic(
      `${(mostBytes / mib).toFixed(0)} of ${(limitBytes / mib).toFixed(0)} MiB; ${overloaded} overloaded`,
    );
    assert.ok(mostBytes < limitBytes, `${mostBytes} bytes of ${limitBytes}`);
    for (const session of hogs) session.destroy();
    // When they have gone connections are kept again.
    let last: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined;
    const endMs = performance.now() + 60_000;
    while (last?.status !== 200 || last.headers['connection'] === 'close') {
      assert.ok(performance.now() < endMs, `still ${last?.status} ${last?.headers['connection']}`);
      last = await request(flint.httpPort, 'shop.test', '/').catch(() => undefined);
      await pause(100);
    }
    assert.equal(flint.said('worker'), false, 'no worker has died');
  });
});
