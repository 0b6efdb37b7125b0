// Stopping: not ready first, nothing broken, nothing left behind.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { echoBackend, rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { Load } from './load.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

test('SIGTERM under load: not ready, still accepting, then 0 broken requests', async (context) => {
  const backend = await echoBackend(context, 'shop', 2);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--drain-delay', '5000'],
  );
  assert.equal((await flint.admin('/readyz')).status, 200);
  const load = new Load({ port: flint.httpPort, host: 'shop.test', connections: 16, onClose: 'stop' });
  await load.more(500);
  const exited = once(flint.process, 'exit');
  flint.process.kill('SIGTERM');
  await flint.until(() => flint.said('no longer ready'));
  assert.equal((await flint.admin('/readyz')).status, 503, 'not ready at once');
  assert.equal((await flint.admin('/livez')).status, 200);
  assert.equal((await request(flint.httpPort, 'shop.test', '/late')).status, 200, 'still accepting');
  // Every client stops by itself when a response tells it that the connection ends.
  const result = await load.ended();
  assert.deepEqual([result.errors, Object.keys(result.statuses)], [[], ['200']]);
  const [code] = (await exited) as [number | null];
  assert.equal(code, 0);
});

test('SIGTERM while a response is under way: it is finished first', async (context) => {
  const backend = await echoBackend(context, 'shop', 3000);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--drain-delay', '0'],
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc');
  while (backend.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const stopped = flint.stop('SIGTERM');
  const { status, headers } = await client.answer();
  assert.deepEqual([status, headers['connection']], [200, 'close']);
  assert.equal(await stopped, 0);
});

test('Ctrl-C stops without a delay and leaves nothing behind; silent connections do not hold it up', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const silent = await HttpClient.open(flint.httpPort);
  assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
  assert.equal(await flint.stop('SIGINT'), 0);
  await silent.untilEnded();
  const left = execFileSync('ps', ['-eo', 'ppid,pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(flint.folder));
  assert.deepEqual(left, []);
  await assert.rejects(HttpClient.open(flint.httpPort), 'the port is free again');
});

test('a second signal ends a drain that takes too long', async (context) => {
  const backend = await echoBackend(context, 'shop', 60_000);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  while (backend.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const exited = once(flint.process, 'exit');
  flint.process.kill('SIGINT');
  await flint.until(() => flint.said('stopping'));
  // Whoever is impatient presses it again and again.
  const pressing = setInterval(() => flint.process.kill('SIGINT'), 50);
  assert.deepEqual(await exited, [130, null]);
  clearInterval(pressing);
});

test('one Ctrl-C that arrives twice, as through npm, is a graceful stop', async (context) => {
  const backend = await echoBackend(context, 'shop', 500);
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--drain-delay', '0'],
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  while (backend.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const exited = once(flint.process, 'exit');
  // Two of one kind might arrive as one.
  flint.process.kill('SIGINT');
  flint.process.kill('SIGTERM');
  assert.equal((await client.answer()).status, 200);
  client.close();
  assert.deepEqual(await exited, [0, null]);
});

test('whoever waits for a revision does not hold up the end', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('shop.test', 'shop')));
  const waiting = flint.revision(1, 60_000).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // A change that is being published when the signal comes.
  flint.writeManifests(yaml(simpleRoute('other.test', 'shop')));
  const startedMs = performance.now();
  assert.equal(await flint.stop('SIGINT'), 0);
  assert.ok(performance.now() - startedMs < 20_000);
  await waiting;
});

test('a response that could not yet say that the connection ends does not hold up a drain', async (context) => {
  const backend = await rawBackend(context, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return;
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no');
    setTimeout(() => socket.write('k'), 1500);
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  while (!client.unread.includes('\r\n\r\n')) await new Promise((resolve) => setTimeout(resolve, 10));
  const stopped = flint.stop('SIGINT');
  assert.equal((await client.answer()).body, 'ok');
  // The client keeps its connection and says nothing more; patience ends long before the grace period of 30 s.
  await client.untilEnded();
  client.close();
  assert.equal(await stopped, 0);
});

test('nobody reads standard output any more: requests are served on', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  flint.process.stdout?.destroy();
  for (let round = 0; round < 3; round++) {
    assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
    // Longer than the access log waits for more lines.
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  assert.equal(await flint.stop('SIGINT'), 0);
});

test('half a request head does not hold up a drain: it is answered, and the connection ends', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('shop.test', 'shop')));
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: sh');
  // Another connection shows that the half head has been read.
  assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 503);
  const stopped = flint.stop('SIGINT');
  assert.equal((await client.answer()).status, 408);
  await client.untilEnded();
  client.close();
  assert.equal(await stopped, 0);
});
