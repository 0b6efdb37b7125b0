// What an operator sees: the access log, the metrics, the revision.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import { Load } from './load.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

test('one JSON line for every request, and counters that add up over the workers', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop', { name: 'everything' }), ...service('shop', [backend.port])),
    ['--workers', '3'],
  );
  await request(flint.httpPort, 'shop.test', '/a?b=c', { method: 'POST', body: 'hello' });
  await request(flint.httpPort, 'nobody.test', '/');
  await flint.until(() => flint.accessLog.length === 2);
  const posted = flint.accessLog.find(({ path }) => path === '/a');
  assert.deepEqual(
    { ...posted, time: undefined, requestId: undefined, durationMs: undefined, responseBytes: undefined },
    {
      log: 'access',
      time: undefined,
      requestId: undefined,
      client: '127.0.0.1',
      protocol: 'HTTP/1.1',
      method: 'POST',
      host: 'shop.test',
      path: '/a',
      query: 'b=c',
      status: 200,
      fault: '',
      durationMs: undefined,
      requestBytes: 5,
      responseBytes: undefined,
      route: 'default/shop-test/everything',
      endpoint: `127.0.0.1:${backend.port}`,
      attempts: 1,
    },
  );
  assert.equal(posted?.['requestId'], backend.requests[0]?.headers['x-request-id']);

  const load = new Load({ port: flint.httpPort, host: 'shop.test', connections: 12, onClose: 'reconnect' });
  await load.more(600);
  const { requests } = await load.stop();
  await flint.until(() => flint.accessLog.length === requests + 2);
  assert.equal(
    await flint.metric('flint_requests_total{route="default/shop-test",status="2xx"}'),
    requests + 1,
  );
  assert.equal(
    await flint.metric('flint_request_duration_seconds_count{route="default/shop-test"}'),
    requests + 1,
  );
  assert.equal(await flint.metric('flint_requests_total{route="other",status="4xx"}'), 1);
  assert.equal(await flint.metric('flint_faults_total{fault="route-not-found"}'), 1);
  assert.equal(await flint.metric('flint_active_requests'), 0);
  assert.equal(await flint.metric('flint_workers'), 3);
});

test('/revision answers a long-poll when every worker serves something newer', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('a.test', 'a')), ['--workers', '2']);
  const first = await flint.revision();
  assert.deepEqual([first.sequence, first.workers, first.digest.length], [1, 2, 64]);
  const waiting = flint.revision(1, 30_000);
  flint.writeManifests(yaml(simpleRoute('b.test', 'b')));
  const second = await waiting;
  assert.equal(second.sequence, 2);
  assert.notEqual(second.digest, first.digest);
  // The same content again is no revision: nothing is written, nothing swapped.
  flint.writeManifests(`${yaml(simpleRoute('b.test', 'b'))}\n# a comment\n`);
  assert.equal((await flint.revision(2, 700)).sequence, 2);
});

test('the admin port answers plainly', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('a.test', 'a')));
  assert.equal((await flint.admin('/livez')).status, 200);
  assert.equal((await flint.admin('/')).status, 404);
  const metrics = await (await flint.admin('/metrics')).text();
  assert.match(metrics, /^# TYPE flint_request_duration_seconds histogram$/m);
  assert.match(metrics, /^process_resident_memory_bytes [0-9]+/m);
});
