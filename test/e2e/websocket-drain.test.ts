// SIGTERM under open WebSockets: they live for as long as the grace period allows, and are told before they end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { mib, pause, settled } from './process-figures.ts';
import {
  closeOf,
  echo,
  exchanged,
  openWebSocket,
  schemes,
  webSocketBackend,
  webSocketObjects,
} from './websockets.ts';

const upgrade =
  'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';
const closeFrame = '\x88\x02\x03\xe9';
/** A frame of ten bytes in its two parts, and one that a server sends after it. */
const frame = { first: '\x82\x0aabcd', rest: 'efghij', next: '\x81\x01x' };
/** The same from a client, under a mask of zeros. */
const masked = { first: '\x82\x8a\0\0\0\0abcd', rest: 'efghij', next: '\x81\x81\0\0\0\0x' };
const graceArguments = ['--drain-delay', '0', '--grace', '4000', '--workers', '1'];

interface RawEnds {
  readonly flint: FlintProcess;
  readonly client: HttpClient;
  readonly backend: Socket;
  /** All that the backend has read after the head of the request. */
  readonly atBackend: () => string;
}

async function rawEnds(context: TestContext): Promise<RawEnds> {
  let received = '';
  let backend: Socket | undefined = undefined;
  const { port } = await rawBackend(context, (socket, all) => {
    received = all.slice(all.indexOf('\r\n\r\n') + 4);
    if (backend === undefined) socket.write(switching);
    backend = socket;
  });
  const manifests = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [port]));
  const flint = await startFlint(context, manifests, graceArguments);
  const client = await HttpClient.open(flint.httpPort);
  client.send(upgrade);
  assert.equal((await client.interim()).status, 101);
  assert.ok(backend !== undefined);
  return { flint, client, backend, atBackend: () => received };
}

async function untilRead(client: HttpClient, text: string): Promise<void> {
  while (!client.unread.includes(text)) await once(client.socket, 'data');
}

/** What a Close frame under a mask says: its code. */
function maskedCode(text: string): number {
  const bytes = Buffer.from(text, 'latin1');
  assert.deepEqual([bytes.length, bytes[0], bytes[1]], [8, 0x88, 0x82]);
  return ((bytes[6]! ^ bytes[2]!) << 8) | (bytes[7]! ^ bytes[3]!);
}

for (const scheme of schemes)
  test(`over ${scheme}: served on until the grace period ends, then 1001 on both sides`, async (context) => {
    const backend = await webSocketBackend(context, echo);
    const flint = await startFlint(context, yaml(...webSocketObjects([backend.port])), graceArguments);
    const clients = await Promise.all(Array.from({ length: 20 }, () => openWebSocket(flint, scheme)));
    const closed = [...clients, ...backend.sockets].map(closeOf);
    const stopped = flint.stop('SIGTERM');
    await flint.until(() => flint.said('no longer ready'));
    const startedMs = performance.now();
    // Longer than silent connections are waited for.
    while (performance.now() - startedMs < 1200)
      for (const client of clients) {
        assert.equal((await exchanged(client, 'still here')).data.toString(), 'still here');
        await pause(5);
      }
    assert.deepEqual(new Set((await Promise.all(closed)).map(String)), new Set(['1001,']));
    assert.equal(await stopped, 0);
    assert.deepEqual(
      flint.accessLog.map(({ status, fault }) => `${status} ${fault}`),
      clients.map(() => '101 '),
    );
  });

test('a WebSocket that ends by itself does not hold up the drain', async (context) => {
  const backend = await webSocketBackend(context, echo);
  const manifests = yaml(...webSocketObjects([backend.port]));
  const flint = await startFlint(context, manifests, ['--drain-delay', '0', '--grace', '600000']);
  const client = await openWebSocket(flint);
  const stopped = flint.stop('SIGTERM');
  await flint.until(() => flint.said('no longer ready'));
  assert.equal((await exchanged(client, 'last')).data.toString(), 'last');
  client.close(1000, 'done');
  assert.deepEqual(await closeOf(client), [1000, 'done']);
  assert.equal(await stopped, 0);
});

suite('in the middle of a frame', () => {
  test('of the backend: its rest is waited for, then the Close frame comes, and nothing after it', async (context) => {
    const { flint, client, backend, atBackend } = await rawEnds(context);
    backend.write(frame.first, 'latin1');
    await untilRead(client, frame.first);
    const stopped = flint.stop('SIGTERM');
    // The backend is between two frames of the client, and so it is told first.
    while (atBackend() === '') await once(backend, 'data');
    assert.equal(maskedCode(atBackend()), 1001);
    assert.equal(client.unread, frame.first);
    backend.write(frame.rest + frame.next, 'latin1');
    await client.untilEnded();
    assert.equal(client.unread, frame.first + frame.rest + closeFrame);
    client.close();
    assert.equal(await stopped, 0);
  });

  test('of the client: the backend gets its rest, then the Close frame', async (context) => {
    const { flint, client, backend, atBackend } = await rawEnds(context);
    client.send(masked.first);
    while (atBackend() === '') await once(backend, 'data');
    const stopped = flint.stop('SIGTERM');
    await client.untilEnded();
    assert.equal(client.unread, closeFrame);
    assert.equal(atBackend(), masked.first);
    const ended = once(backend, 'end');
    client.send(masked.rest + masked.next);
    await ended;
    const [whole, close] = [masked.first + masked.rest, atBackend().slice(-8)];
    assert.equal(atBackend(), whole + close);
    assert.equal(maskedCode(close), 1001);
    client.close();
    assert.equal(await stopped, 0);
  });

  test('that never ends: no Close frame, only the end', async (context) => {
    const { flint, client, backend, atBackend } = await rawEnds(context);
    backend.write(frame.first, 'latin1');
    client.send(masked.first);
    await untilRead(client, frame.first);
    while (atBackend() === '') await once(backend, 'data');
    const backendEnded = once(backend, 'end');
    assert.equal(await flint.stop('SIGTERM'), 0);
    await client.untilEnded();
    await backendEnded;
    assert.deepEqual([client.unread, atBackend()], [frame.first, masked.first]);
  });
});

test('no second Close frame follows one that has passed', async (context) => {
  const { flint, client, backend, atBackend } = await rawEnds(context);
  const own = '\x88\x02\x03\xe8';
  backend.write(own, 'latin1');
  await untilRead(client, own);
  const stopped = flint.stop('SIGTERM');
  await client.untilEnded();
  assert.equal(client.unread, own);
  while (atBackend() === '') await once(backend, 'data');
  assert.equal(maskedCode(atBackend()), 1001);
  client.close();
  assert.equal(await stopped, 0);
});

test('a reader that has stalled does not hold up the end', async (context) => {
  const backend = await webSocketBackend(context, () => {});
  const manifests = yaml(...webSocketObjects([backend.port]));
  const flint = await startFlint(context, manifests, graceArguments);
  const stalled = await openWebSocket(flint);
  const [server] = backend.sockets;
  stalled.pause();
  for (let sent = 0; sent < 64; sent++) server?.send(Buffer.alloc(mib));
  await settled(() => server?.bufferedAmount ?? 0);
  const startedMs = performance.now();
  assert.equal(await flint.stop('SIGTERM'), 0);
  assert.ok(performance.now() - startedMs < 20_000);
  stalled.terminate();
});
