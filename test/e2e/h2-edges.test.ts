// Where HTTP/2 of a client meets what backends do, at the edges: connections that are full, and backends that do not keep to a WebSocket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { FloodClient } from './flood-client.ts';
import { answerOf, begin, httpBackend, openSession, sceneObjects } from './h2-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { eventually, mib, pause } from './process-figures.ts';

test('a request that comes while the client takes nothing is answered when it does', async (context) => {
  const seen: string[] = [];
  const port = await httpBackend(context, (request, response) => {
    seen.push(request.url ?? '');
    response.end(Buffer.alloc(request.url === '/large' ? 16 * mib : 10));
  });
  const manifests = yaml(simpleRoute('a.example', 'shop'), ...service('shop', [port]));
  const flint = await startFlint(context, manifests, ['--workers', '1']);
  const client = new FloodClient(context, flint.httpPort);
  client.send('SETTINGS INITIAL_WINDOW_SIZE=2147483647\nWINDOW_UPDATE 0 2000000000\nGET 1 /large');
  await client.until(() => client.heads === 1);
  client.pause();
  // Until the buffers of both systems are full.
  await pause(1000);
  for (let stream = 3; stream <= 21; stream += 2) client.send(`GET ${stream} /small`);
  const count = await eventually(
    () => seen.length,
    (requests) => requests === 11,
  );
  assert.equal(count, 11);
  client.resume();
  const ended = await eventually(
    () => client.ended,
    (answers) => answers === 11,
  );
  assert.equal(ended, 11);
  assert.deepEqual(client.resets, []);
});

test('a connection that begins to speak HTTP/2 during a drain ends with its stream', async (context) => {
  let finish: (() => void) | undefined;
  const port = await httpBackend(context, (_request, response) => {
    finish = () => response.end('done');
  });
  const manifests = yaml(simpleRoute('a.example', 'shop'), ...service('shop', [port]));
  const flint = await startFlint(context, manifests, ['--workers', '1', '--drain-delay', '0']);
  const early = new FloodClient(context, flint.httpPort);
  const late = new FloodClient(context, flint.httpPort, true);
  while ((await flint.metric('flint_connections')) < 2) await pause(10);
  const stopped = flint.stop('SIGTERM');
  await early.until(() => early.goAways.length > 0);
  late.greet();
  late.send('GET 1 /');
  await late.until(() => late.goAways.length === 2);
  assert.deepEqual(late.goAways, [2 ** 31 - 1, 1]);
  finish?.();
  const isClosed = await eventually(
    () => late.isClosed,
    (isOver) => isOver,
  );
  assert.ok(isClosed);
  assert.deepEqual([late.ended, await stopped], [1, 0]);
});

suite('a WebSocket that the backend does not open', () => {
  const asked = { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' };
  const answers = {
    'an answer of 200, as to a GET': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'an answer of 204': 'HTTP/1.1 204 No Content\r\n\r\n',
    'a 101 without the proof':
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
  };
  for (const [title, head] of Object.entries(answers))
    test(`${title} is no success over HTTP/2`, async (context) => {
      const { port } = await rawBackend(context, (socket) => socket.write(head));
      const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
      const session = await openSession(flint, 'http');
      context.after(() => session.destroy());
      const stream = session.request(
        { ...asked, ':authority': 'shop.test', ':path': '/', ':scheme': 'http' },
        { endStream: false },
      );
      stream.on('error', () => {});
      const { status, headers } = await answerOf(stream);
      assert.deepEqual([status, headers['x-flint-fault']], [502, 'backend-malformed']);
      await flint.until(() => flint.accessLog.length === 1);
      assert.deepEqual([flint.accessLog[0]?.status, flint.accessLog[0]?.fault], [502, 'backend-malformed']);
      assert.equal(await flint.metric('flint_active_requests'), 0);
    });

  test('any other answer is passed on', async (context) => {
    const port = await httpBackend(context, (_request, response) => response.writeHead(403).end('no'));
    const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
    const session = await openSession(flint, 'http');
    context.after(() => session.destroy());
    const stream = begin(session, { headers: { ...asked, ':scheme': 'http' } });
    const [{ status, body }] = await Promise.all([answerOf(stream), once(stream, 'response')]);
    assert.deepEqual([status, body.toString()], [403, 'no']);
  });
});
