// Limits of rules and upstreams: what is too much is told at once, what fits waits its turn, and nobody else notices.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Cleanup } from './backends.ts';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import type { Answer } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { eventually, pause } from './process-figures.ts';

const host = 'shop.test';
const oneWorker = ['--workers', '1'];

/** Holds every request until it is told to answer. */
class Holding {
  port = 0;
  mostConnections = 0;
  #connections = 0;
  readonly waiting: ServerResponse[] = [];

  async listen(context: Cleanup): Promise<void> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (_, response) => this.waiting.push(response));
    server.on('connection', (socket) => {
      this.mostConnections = Math.max(this.mostConnections, ++this.#connections);
      socket.on('close', () => this.#connections--);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.after(() => {
      server.close();
      server.closeAllConnections();
    });
    this.port = (server.address() as AddressInfo).port;
  }

  async until(count: number): Promise<void> {
    const found = await eventually(
      () => this.waiting.length,
      (waiting) => waiting === count,
    );
    assert.equal(found, count);
  }

  answer(count: number): void {
    for (const response of this.waiting.splice(0, count)) response.end('done');
  }
}

async function held(context: Cleanup): Promise<Holding> {
  const holding = new Holding();
  await holding.listen(context);
  return holding;
}

function send(flint: FlintProcess, count: number): Promise<Answer>[] {
  return Array.from({ length: count }, () => request(flint.httpPort, host, '/'));
}

function codeOf({ status, headers }: Answer): string {
  return `${status} ${headers['x-flint-fault'] ?? ''}`.trim();
}

test('a rule takes as many requests as it allows, the others get 503 at once, and other rules do not notice', async (context) => {
  const backend = await held(context);
  const echo = await echoBackend(context, 'other');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { policy: { maxConcurrentRequests: 3 } }),
      simpleRoute('other.test', 'other'),
      ...service('shop', [backend.port]),
      ...service('other', [echo.port]),
    ),
    oneWorker,
  );
  const taken = send(flint, 3);
  await backend.until(3);
  const refused = await Promise.all(send(flint, 5));
  assert.deepEqual(new Set(refused.map(codeOf)), new Set(['503 route-overloaded']));
  assert.equal(refused[0]?.headers['retry-after'], '1');
  assert.equal((await request(flint.httpPort, 'other.test', '/')).status, 200);
  backend.answer(1);
  await Promise.race(taken);
  const next = send(flint, 1);
  await backend.until(3);
  backend.answer(3);
  assert.deepEqual((await Promise.all([...taken, ...next])).map(codeOf), ['200', '200', '200', '200']);
});

test('an upstream with all the requests that it may have: 503 at once', async (context) => {
  const backend = await held(context);
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { policy: { circuitBreaker: { maxParallelRequests: 2 } } }),
      ...service('shop', [backend.port]),
    ),
    oneWorker,
  );
  const taken = send(flint, 2);
  await backend.until(2);
  assert.deepEqual((await Promise.all(send(flint, 2))).map(codeOf), [
    '503 backend-overloaded',
    '503 backend-overloaded',
  ]);
  await flint.counted('flint_faults_total{fault="backend-overloaded"}', 2);
  backend.answer(2);
  assert.deepEqual((await Promise.all(taken)).map(codeOf), ['200', '200']);
});

test('no more connections than allowed: requests wait for one, as many as may, and are served in their order', async (context) => {
  const backend = await held(context);
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', {
        policy: { circuitBreaker: { maxConnections: 2, maxPendingRequests: 3 } },
      }),
      ...service('shop', [backend.port]),
    ),
    oneWorker,
  );
  const first = send(flint, 2);
  await backend.until(2);
  const waiting = send(flint, 3);
  while ((await flint.metric('flint_active_requests')) < 5) await pause(10);
  const tooMany = await request(flint.httpPort, host, '/');
  assert.equal(codeOf(tooMany), '503 backend-overloaded');
  for (let round = 0; round < 3; round++) {
    backend.answer(2);
    if (round < 2) await backend.until(Math.min(2, 3 - 2 * round));
  }
  assert.deepEqual((await Promise.all([...first, ...waiting])).map(codeOf), Array(5).fill('200'));
  assert.equal(backend.mostConnections, 2);
});

test('a client that goes while it waits leaves its place, and who waits too long is told so', async (context) => {
  const backend = await held(context);
  const policy = { circuitBreaker: { maxConnections: 1, maxPendingRequests: 1 } };
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { timeouts: { request: '400ms' }, policy }),
      simpleRoute('patient.test', 'shop', { policy }),
      ...service('shop', [backend.port]),
    ),
    oneWorker,
  );
  const first = request(flint.httpPort, 'patient.test', '/');
  await backend.until(1);
  const late = await request(flint.httpPort, host, '/');
  assert.equal(codeOf(late), '503 backend-overloaded');
  const gone = await HttpClient.open(flint.httpPort);
  gone.send('GET / HTTP/1.1\r\nHost: patient.test\r\n\r\n');
  while ((await flint.metric('flint_active_requests')) < 2) await pause(10);
  gone.socket.resetAndDestroy();
  while ((await flint.metric('flint_active_requests')) > 1) await pause(10);
  const next = request(flint.httpPort, 'patient.test', '/');
  while ((await flint.metric('flint_active_requests')) < 2) await pause(10);
  backend.answer(1);
  await backend.until(1);
  backend.answer(1);
  assert.deepEqual([codeOf(await first), codeOf(await next)], ['200', '200']);
});

test('where one endpoint is full the other takes more', async (context) => {
  const [a, b] = [await held(context), await held(context)];
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', {
        policy: { circuitBreaker: { perEndpoint: { maxParallelRequests: 2 }, maxPendingRequests: 0 } },
      }),
      ...service('shop', [a.port, b.port]),
    ),
    oneWorker,
  );
  const taken = send(flint, 4);
  await a.until(2);
  await b.until(2);
  assert.equal(codeOf(await request(flint.httpPort, host, '/')), '503 backend-overloaded');
  a.answer(2);
  b.answer(2);
  assert.deepEqual((await Promise.all(taken)).map(codeOf), Array(4).fill('200'));
});
