// What is tried again, where, and how often: only what may be sent twice, and never more than a fifth of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Cleanup } from './backends.ts';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { httpBackend, openSession, ask, sceneObjects } from './h2-clients.ts';
import { request } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const host = 'shop.test';
const oneWorker = ['--workers', '1'];
const passive = { consecutive5xxErrors: 0, consecutiveConnectFailures: 0 };
/** So that every endpoint keeps its turn, whatever it does. */
const policy = { loadBalancing: { type: 'RoundRobin' }, healthCheck: { passive } };

interface Counted {
  readonly port: number;
  /** Bodies of the requests that came, in full. */
  readonly bodies: string[];
}

async function counted(context: Cleanup, answer: RequestListener): Promise<Counted> {
  const bodies: string[] = [];
  const port = await httpBackend(context, (incoming, response) => {
    let body = '';
    incoming.setEncoding('latin1');
    incoming.on('data', (piece: string) => {
      body += piece;
    });
    incoming.on('end', () => {
      bodies.push(body);
      answer(incoming, response);
    });
    incoming.on('error', () => {});
  });
  return { port, bodies };
}

const fine: RequestListener = (_, response) => void response.end('fine');
const unavailable: RequestListener = (_, response) => void response.writeHead(503).end('not now');

test('a status that the rule retries is left for another endpoint, and others are not', async (context) => {
  const bad = await counted(context, (incoming, response) =>
    response.writeHead(incoming.url === '/teapot' ? 418 : 503).end('not now'),
  );
  const good = await counted(context, fine);
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { retry: { codes: [503], backoff: '1ms' }, policy }),
      ...service('shop', [bad.port, good.port]),
    ),
    oneWorker,
  );
  for (let turn = 0; turn < 10; turn++) {
    const answer = await request(flint.httpPort, host, `/${turn}`);
    assert.deepEqual([answer.status, answer.body], [200, 'fine']);
  }
  assert.equal(good.bodies.length, 10);
  assert.equal(bad.bodies.length, 5, 'it had its turns');
  await flint.counted('flint_retries_total', 5);
  const statuses = [];
  for (let turn = 0; turn < 2; turn++) statuses.push((await request(flint.httpPort, host, '/teapot')).status);
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [200, 418],
  );
});

test('a body of up to 64 KiB is sent again to its last byte; a larger one, and what must not be sent twice, is not', async (context) => {
  const bad = await counted(context, unavailable);
  const good = await counted(context, fine);
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { retry: { codes: [503], backoff: '1ms' }, policy }),
      ...service('shop', [bad.port, good.port]),
    ),
    oneWorker,
  );
  const send = async (method: string, body: string): Promise<readonly number[]> => {
    const statuses = [];
    for (let turn = 0; turn < 2; turn++)
      statuses.push((await request(flint.httpPort, host, '/', { method, body })).status);
    return statuses.toSorted((a, b) => a - b);
  };
  const body = Array.from({ length: 65_536 }, (_, at) => String.fromCharCode(97 + (at % 23))).join('');
  assert.deepEqual(await send('PUT', body), [200, 200]);
  assert.deepEqual(good.bodies.splice(0), [body, body]);
  assert.deepEqual(await send('PUT', `${body}x`), [200, 503]);
  good.bodies.splice(0);
  assert.deepEqual(await send('POST', 'once'), [200, 503]);
  assert.deepEqual(good.bodies.splice(0), ['once']);

  const chunked = `${'8\r\nabcdefgh\r\n'.repeat(3)}0\r\n\r\n`;
  for (let turn = 0; turn < 2; turn++) {
    const answer = await request(flint.httpPort, host, '/', {
      method: 'PUT',
      headers: `Transfer-Encoding: chunked\r\n\r\n${chunked}X: `,
    }).catch(() => undefined);
    assert.equal(answer?.status, 200);
  }
  assert.deepEqual(good.bodies, ['abcdefgh'.repeat(3), 'abcdefgh'.repeat(3)]);
});

test('an attempt that takes too long is given up for another endpoint, where the rule retries', async (context) => {
  const mute = await counted(context, () => {});
  const good = await counted(context, fine);
  const timeouts = { request: '10s', backendRequest: '1s' };
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { timeouts, retry: { backoff: '1ms' }, policy }),
      simpleRoute('once.test', 'shop', { timeouts, policy }),
      ...service('shop', [mute.port, good.port]),
    ),
    oneWorker,
  );
  for (let turn = 0; turn < 4; turn++) assert.equal((await request(flint.httpPort, host, '/')).status, 200);
  assert.equal(mute.bodies.length, 2);
  const once = [];
  for (let turn = 0; turn < 2; turn++) once.push(await request(flint.httpPort, 'once.test', '/'));
  const codes = once.map(({ status, headers }) => `${status} ${headers['x-flint-fault'] ?? ''}`.trim());
  assert.deepEqual(codes.sort(), ['200', '504 backend-timeout']);
});

test('a backend that breaks off before its answer: another one, without a word of the rule, for what may be sent twice', async (context) => {
  const broken = await rawBackend(context, (socket) => socket.destroy());
  const good = await counted(context, fine);
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop', { policy }), ...service('shop', [broken.port, good.port])),
    oneWorker,
  );
  for (let turn = 0; turn < 6; turn++) assert.equal((await request(flint.httpPort, host, '/')).status, 200);
  const posts = [];
  for (let turn = 0; turn < 2; turn++)
    posts.push(await request(flint.httpPort, host, '/', { method: 'POST', body: 'x' }));
  const codes = posts.map(({ status, headers }) => `${status} ${headers['x-flint-fault'] ?? ''}`.trim());
  assert.deepEqual(codes.sort(), ['200', '502 backend-reset']);
  assert.equal(good.bodies.filter((body) => body === 'x').length, 1, 'delivered once');
});

test('with a single endpoint that fails for a moment the same one is asked again', async (context) => {
  let failures = 2;
  const flaky = await counted(context, (_, response) =>
    failures-- > 0 ? response.writeHead(502).end() : response.end('fine'),
  );
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { retry: { attempts: 2, codes: [502], backoff: '1ms' }, policy }),
      ...service('shop', [flaky.port]),
    ),
    oneWorker,
  );
  assert.equal((await request(flint.httpPort, host, '/')).body, 'fine');
  assert.equal(flaky.bodies.length, 3);
  failures = 3;
  const answer = await request(flint.httpPort, host, '/');
  assert.deepEqual([answer.status, answer.headers['x-flint-fault']], [502, undefined], 'its last answer');
});

test('when everything fails, a fifth is repeated and no more', async (context) => {
  const bad = await counted(context, unavailable);
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { retry: { attempts: 3, codes: [503], backoff: '0s' }, policy }),
      ...service('shop', [bad.port]),
    ),
    oneWorker,
  );
  for (let number = 0; number < 200; number++)
    assert.equal((await request(flint.httpPort, host, `/${number}`)).status, 503);
  const repeated = bad.bodies.length - 200;
  assert.ok(repeated >= 40 && repeated <= 10 + 40 + 1, `${repeated} of 200 were repeated`);
  await flint.counted('flint_retries_total', repeated);
});

test('backends over HTTP/2: a status that is retried ends its stream alone', async (context) => {
  const seen: string[] = [];
  const streams = async (name: string, status: number): Promise<number> => {
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      seen.push(name);
      stream.respond({ ':status': status });
      stream.end(name);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.after(() => server.close());
    return (server.address() as AddressInfo).port;
  };
  const ports = [await streams('bad', 503), await streams('good', 200)];
  const [plain, ...slices] = service('shop', ports) as readonly [{ readonly spec: object }];
  const spoken = { ...plain, spec: { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] } };
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop', { retry: { codes: [503], backoff: '1ms' }, policy }), spoken, ...slices),
    oneWorker,
  );
  for (let turn = 0; turn < 8; turn++) {
    const answer = await request(flint.httpPort, host, `/${turn}`);
    assert.deepEqual([answer.status, answer.body], [200, 'good']);
  }
  assert.equal(seen.filter((name) => name === 'bad').length, 4);
});

test('over HTTP/2 the same', async (context) => {
  const bad = await counted(context, unavailable);
  const good = await counted(context, fine);
  const flint = await startFlint(
    context,
    yaml(...sceneObjects([bad.port, good.port], { retry: { codes: [503], backoff: '1ms' }, policy })),
    oneWorker,
  );
  const session = await openSession(flint, 'https');
  for (let turn = 0; turn < 6; turn++) assert.equal((await ask(session)).status, 200);
  session.close();
  assert.equal(bad.bodies.length, 3);
});
