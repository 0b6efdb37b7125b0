// HTTP/2 under load while Flint changes or ends, and clients that read slowly: 0 failed requests, and nothing piles up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { suite, test } from 'node:test';
import { startFlint } from './flint-process.ts';
import {
  accountBackend,
  accountOf,
  ask,
  begin,
  httpBackend,
  openSession,
  sceneObjects,
  schemes,
} from './h2-clients.ts';
import { simpleRoute, yaml } from './manifests.ts';
import { eventually, mib, residentBytesOf, settled } from './process-figures.ts';

const sessions = 4;
const streamsEach = 8;

interface Load {
  requests: number;
  /** Paths of requests that the client did not send: those that wait in it when a GOAWAY comes. */
  readonly unsent: string[];
  readonly errors: string[];
}

function noLoad(): Load {
  return { requests: 0, unsent: [], errors: [] };
}

async function askOnce(session: ClientHttp2Session, load: Load): Promise<void> {
  const number = load.requests++;
  const path = `/${number}`;
  try {
    const body = number % 2 === 0 ? undefined : [Buffer.alloc(number % 5000)];
    const headers = { ':method': body === undefined ? 'GET' : 'POST', ':path': path };
    const answer = await ask(session, body === undefined ? { headers } : { headers, body });
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    assert.equal(accountOf(answer).url, path);
  } catch (error) {
    if (String(error).includes('REFUSED_STREAM')) load.unsent.push(path);
    else load.errors.push(String(error));
  }
}

/** Requests without a pause on one session, until it is told that no more are wanted, or `over` says so. */
async function loadOn(session: ClientHttp2Session, over: AbortSignal, load: Load): Promise<void> {
  const away = new AbortController();
  session.on('goaway', () => away.abort());
  await Promise.all(
    Array.from({ length: streamsEach }, async () => {
      while (!away.signal.aborted && !session.closed && !over.aborted) await askOnce(session, load);
    }),
  );
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('SIGTERM under load: two GOAWAYs, the first of which refuses nobody, and 0 failed requests', async (context) => {
      const objects = sceneObjects([await accountBackend(context)]);
      const flint = await startFlint(context, yaml(...objects), ['--drain-delay', '300']);
      const clients = await Promise.all(Array.from({ length: sessions }, () => openSession(flint, scheme)));
      const goneAway = clients.map((client) => {
        const seen: (readonly [code: number, lastStream: number | undefined])[] = [];
        client.on('goaway', (code, lastStream) => seen.push([code, lastStream]));
        return seen;
      });
      const closed = clients.map((client) => once(client, 'close'));
      const load = noLoad();
      const ended = Promise.all(clients.map((client) => loadOn(client, new AbortController().signal, load)));
      await eventually(
        () => load.requests,
        (requests) => requests > 300,
      );
      const exited = flint.stop('SIGTERM');
      await ended;
      assert.deepEqual(load.errors, []);
      await Promise.all(closed);
      assert.equal(await exited, 0);
      for (const seen of goneAway) assert.deepEqual(seen[0], [0, 2 ** 31 - 1]);
      const served = new Set(flint.accessLog.map((line) => line.path));
      assert.equal(served.size, load.requests - load.unsent.length);
      assert.ok(!load.unsent.some((path) => served.has(path)));
    });

    test('100 changes of routes under load: 0 failed requests, and no connection ends', async (context) => {
      const objects = sceneObjects([await accountBackend(context)]);
      const flint = await startFlint(context, yaml(...objects));
      const clients = await Promise.all(Array.from({ length: sessions }, () => openSession(flint, scheme)));
      const load = noLoad();
      const over = new AbortController();
      const ended = Promise.all(clients.map((client) => loadOn(client, over.signal, load)));
      for (let change = 0; change < 100; change++)
        await flint.apply(yaml(...objects, simpleRoute(`host-${change}.test`, 'shop')));
      over.abort();
      await ended;
      assert.deepEqual([load.errors, load.unsent], [[], []]);
      assert.ok(load.requests > 500, `${load.requests} requests`);
      for (const client of clients) {
        assert.equal(client.closed, false);
        client.destroy();
      }
    });

    test('a stream that nobody reads holds neither memory nor the others', async (context) => {
      const total = 256 * mib;
      let sent = 0;
      const port = await httpBackend(context, (request, response) => {
        if (request.url !== '/large') {
          response.end('small');
          return;
        }
        response.writeHead(200, { 'content-length': total });
        const more = (): void => {
          while (sent < total) {
            sent += mib;
            if (!response.write(Buffer.alloc(mib))) return;
          }
        };
        response.on('drain', more);
        more();
      });
      const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
      const session = await openSession(flint, scheme);
      assert.equal((await ask(session)).status, 200);
      const before = residentBytesOf(flint.pid);
      const stream = begin(session, { headers: { ':path': '/large' } });
      await once(stream, 'response');
      stream.pause();
      await settled(() => sent);
      assert.ok(sent < 64 * mib, `the backend has sent ${sent} bytes`);
      for (let round = 0; round < 50; round++) assert.equal((await ask(session)).body.toString(), 'small');
      const held = residentBytesOf(flint.pid) - before;
      context.diagnostic(`held for a stream that nobody reads: ${Math.round(held / mib)} MiB`);
      assert.ok(held < 48 * mib, `${Math.round(held / mib)} MiB are held`);
      let received = 0;
      stream.on('data', (piece: Buffer) => (received += piece.length));
      stream.resume();
      await once(stream, 'end');
      assert.equal(received, total);
      session.destroy();
    });

    test('an upload to a backend that does not read stops the client, and the others go on', async (context) => {
      const stuck = Promise.withResolvers<IncomingMessage>();
      let received = 0;
      const total = 64 * mib;
      const port = await httpBackend(context, (request, response) => {
        if (request.url !== '/stuck') {
          response.end('quick');
          return;
        }
        request.on('end', () => response.end(String(received)));
        request.on('data', (piece: Buffer) => (received += piece.length));
        request.pause();
        stuck.resolve(request);
      });
      const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
      // What waits at the client counts there, and would refuse its own streams.
      const session = await openSession(flint, scheme, { maxSessionMemory: 1000 });
      const before = residentBytesOf(flint.pid);
      const stream = begin(session, {
        headers: { ':method': 'POST', ':path': '/stuck' },
        body: Array.from({ length: total / mib }, () => Buffer.alloc(mib)),
      });
      const answer = once(stream, 'response');
      const request = await stuck.promise;
      await settled(() => stream.writableLength);
      assert.ok(stream.writableLength > total / 2, `${stream.writableLength} bytes wait at the client`);
      for (let round = 0; round < 20; round++) assert.equal((await ask(session)).body.toString(), 'quick');
      assert.ok(residentBytesOf(flint.pid) - before < 48 * mib);
      request.resume();
      assert.equal(Number((await answer)[0][':status']), 200);
      assert.equal(received, total);
      session.destroy();
    });
  });
