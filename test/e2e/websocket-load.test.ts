// Many WebSockets, and slow ones: what they cost, what is held for them, and changes of routes under all of them.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { WebSocket } from 'ws';
import { startFlint } from './flint-process.ts';
import { simpleRoute, yaml } from './manifests.ts';
import { eventually, kib, mib, residentBytesOf, settled } from './process-figures.ts';
import { echo, exchanged, openWebSocket, schemes, webSocketBackend, webSocketObjects } from './websockets.ts';
import type { Scheme } from './websockets.ts';

const sockets = 1000;
/** Both of its connections, one with TLS: the runtimes differ, and what is measured here is that nothing piles up. */
const mostBytesEach = 256 * kib;
const messages = 256;
const mostHeldBytes = 64 * mib;
/** While all of it flows, garbage of the runtime counts too: up to 70 MiB on Node until its collector comes, 17 on Bun. */
const mostGrownBytes = (messages * mib) / 2;

/** Not all in one go: the backend lives in this process, and could accept none while clients greet. */
const openedAtOnce = 50;

async function opened(count: number, open: () => Promise<WebSocket>): Promise<readonly WebSocket[]> {
  const clients: WebSocket[] = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(openedAtOnce, count - clients.length) }, open);
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}

/** As many mebibytes as `messages` says, to a peer that reads none of them at first. */
async function sendToSlowReader(
  context: TestContext,
  pid: number,
  sender: WebSocket,
  reader: WebSocket,
): Promise<void> {
  const before = residentBytesOf(pid);
  let received = 0;
  reader.on('message', (data) => (received += (data as Buffer).length));
  reader.pause();
  const message = Buffer.alloc(mib, 'slow');
  for (let sent = 0; sent < messages; sent++) sender.send(message);
  // The system's own buffers take some; everything else stays with the sender.
  const waiting = await settled(() => sender.bufferedAmount);
  assert.ok(waiting > (messages * mib) / 2, `${waiting} bytes wait at the sender`);
  const held = residentBytesOf(pid) - before;
  context.diagnostic(`held for a reader that reads nothing: ${Math.round(held / mib)} MiB`);
  assert.ok(held < mostHeldBytes, `${Math.round(held / mib)} MiB are held`);
  reader.resume();
  const total = await eventually(
    () => received,
    (bytes) => bytes === messages * mib,
    60_000,
  );
  assert.equal(total, messages * mib);
  const grown = residentBytesOf(pid) - before;
  assert.ok(grown < mostGrownBytes, `${Math.round(grown / mib)} MiB more after all of it went through`);
}

async function withBackend(context: TestContext, scheme: Scheme, serve: (socket: WebSocket) => void) {
  const backend = await webSocketBackend(context, serve);
  const flint = await startFlint(context, yaml(...webSocketObjects([backend.port])), ['--workers', '1']);
  const client = await openWebSocket(flint, scheme);
  const [server] = backend.sockets;
  assert.ok(server !== undefined);
  return { flint, client, server };
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('1000 at once, each with its own echo', async (context) => {
      const backend = await webSocketBackend(context, echo);
      const flint = await startFlint(context, yaml(...webSocketObjects([backend.port])));
      await exchanged(await openWebSocket(flint, scheme), 'warm');
      const before = residentBytesOf(flint.pid);
      const clients = await opened(sockets, () => openWebSocket(flint, scheme));
      for (const round of ['first', 'second']) {
        const answers = await Promise.all(
          clients.map((client, index) => exchanged(client, `${round} of ${index}`)),
        );
        for (const [index, { data }] of answers.entries())
          assert.equal(data.toString(), `${round} of ${index}`);
      }
      const each = (residentBytesOf(flint.pid) - before) / sockets;
      context.diagnostic(`${Math.round(each / kib)} KiB a WebSocket`);
      assert.ok(each < mostBytesEach, `${Math.round(each / kib)} KiB a WebSocket`);
      for (const client of clients) client.close();
    });

    test('a client that does not read stops the backend, and nothing is lost', async (context) => {
      const { flint, client, server } = await withBackend(context, scheme, () => {});
      await sendToSlowReader(context, flint.pid, server, client);
      client.close();
    });

    test('a backend that does not read stops the client, and nothing is lost', async (context) => {
      const { flint, client, server } = await withBackend(context, scheme, () => {});
      await sendToSlowReader(context, flint.pid, client, server);
      client.close();
    });

    test('100 changes of routes under WebSockets that echo touch none of them', async (context) => {
      const backend = await webSocketBackend(context, echo);
      const objects = webSocketObjects([backend.port]);
      const flint = await startFlint(context, yaml(...objects));
      const clients = await opened(20, () => openWebSocket(flint, scheme));
      const over = new AbortController();
      let exchanges = 0;
      const echoing = Promise.all(
        clients.map(async (client, index) => {
          while (!over.signal.aborted) {
            const text = `${index} says ${exchanges}`;
            assert.equal((await exchanged(client, text)).data.toString(), text);
            exchanges++;
          }
        }),
      );
      for (let change = 0; change < 100; change++)
        await flint.apply(yaml(...objects, simpleRoute(`host-${change}.test`, 'shop')));
      over.abort();
      await echoing;
      assert.ok(exchanges > 100, `${exchanges} exchanges`);
      assert.equal(backend.sockets.size, clients.length);
      for (const client of clients) client.close();
    });
  });

test('what a backend sends does not wait for turns of the runtime, with TLS as without', async (context) => {
  const durationOf = async (scheme: Scheme): Promise<number> => {
    const { client, server } = await withBackend(context, scheme, () => {});
    let received = 0;
    client.on('message', (data) => (received += (data as Buffer).length));
    const startedMs = performance.now();
    for (let sent = 0; sent < 128; sent++) server.send(Buffer.alloc(mib));
    await eventually(
      () => received,
      (bytes) => bytes === 128 * mib,
      60_000,
    );
    const durationMs = performance.now() - startedMs;
    client.close();
    return durationMs;
  };
  // It was 13 times as long when each piece waited for up to 50 ms, every time.
  const most = 6;
  const factors: number[] = [];
  while (factors.length < 3 && !factors.some((factor) => factor < most)) {
    const [plainMs, secureMs] = [await durationOf('ws'), await durationOf('wss')];
    context.diagnostic(`128 MiB: ${Math.round(plainMs)} ms, with TLS ${Math.round(secureMs)} ms`);
    factors.push(secureMs / plainMs);
  }
  assert.ok(
    Math.min(...factors) < most,
    `${factors.map((factor) => factor.toFixed(1)).join(', ')} times as long with TLS`,
  );
});
