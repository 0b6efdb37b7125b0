// Change under load: a hundred new tables, no failed request, no closed connection.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { Load } from './load.ts';
import { route, service, simpleRoute, yaml } from './manifests.ts';

test('manifests changed 100 times under load: 0 failed requests, no connection closed', async (context) => {
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => echoBackend(context, name)));
  const ports = backends.map(({ port }) => port);
  const version = (number: number): string =>
    yaml(
      simpleRoute('shop.test', 'shop', { name: `v${number}` }),
      simpleRoute(`new-${number}.test`, 'shop'),
      // Endpoints come and go, the order and the other routes change; the load must not notice.
      ...service(
        'shop',
        ports.filter((_, index) => index !== number % 3),
      ),
    );
  const flint = await startFlint(context, version(0));
  const load = new Load({ port: flint.httpPort, host: 'shop.test', connections: 8, onClose: 'reconnect' });
  for (let number = 1; number <= 100; number++) {
    await flint.apply(version(number));
    assert.equal((await request(flint.httpPort, `new-${number}.test`, '/')).status, 200);
    assert.equal((await request(flint.httpPort, `new-${number - 1}.test`, '/')).status, 404);
    await load.more(10);
  }
  const result = await load.stop();
  assert.deepEqual(
    { errors: result.errors, closed: result.closedConnections, statuses: Object.keys(result.statuses) },
    { errors: [], closed: 0, statuses: ['200'] },
  );
  assert.ok(result.requests >= 1000, `${result.requests} requests are too few to mean something`);
  for (const backend of backends) assert.ok(backend.requests.length > 100, 'every backend had its share');
});

test('a file that breaks while it is edited keeps its last good content, and a refused object its last version', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const good = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port]));
  const flint = await startFlint(context, good);
  flint.writeManifests(`${good}---\nkind: [unclosed`);
  await flint.until(() => flint.said('its last good content stays'));
  assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
  flint.writeManifests(
    yaml(route('shop-test', { hostnames: ['shop.test'], rules: [] }), ...service('shop', [backend.port])),
  );
  await flint.until(() => flint.said('its last good version stays'));
  assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
  await flint.apply(yaml(...service('shop', [backend.port])));
  assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 404, 'a deleted object is gone');
});

test('an endpoint that goes away finishes what it has begun', async (context) => {
  const slow = await echoBackend(context, 'slow', 400);
  const fast = await echoBackend(context, 'fast');
  const manifests = (port: number): string =>
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [port]));
  const flint = await startFlint(context, manifests(slow.port));
  const client = await HttpClient.open(flint.httpPort);
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  await flint.apply(manifests(fast.port));
  assert.equal((JSON.parse((await client.answer()).body) as Echo).backend, 'slow');
  client.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.equal((JSON.parse((await client.answer()).body) as Echo).backend, 'fast');
  client.close();
});

test('weights show in the traffic, and round robin is even', async (context) => {
  const backends = await Promise.all(['a', 'b'].map((name) => echoBackend(context, name)));
  const [a, b] = backends.map(({ port }) => port) as [number, number];
  const weighted = (first: number, second: number): string =>
    yaml(
      route('shop', {
        hostnames: ['shop.test'],
        rules: [
          {
            backendRefs: [
              { name: 'a', port: 80, weight: first },
              { name: 'b', port: 80, weight: second },
            ],
          },
        ],
      }),
      simpleRoute('even.test', 'both'),
      ...service('a', [a]),
      ...service('b', [b]),
      ...service('both', [a, b]),
    );
  const flint = await startFlint(context, weighted(90, 10), [
    '--load-balancing',
    'RoundRobin',
    '--workers',
    '1',
  ]);
  const shareOfB = async (host: string): Promise<number> => {
    const client = await HttpClient.open(flint.httpPort);
    let count = 0;
    for (let number = 0; number < 1000; number++) {
      client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      if ((JSON.parse((await client.answer()).body) as Echo).backend === 'b') count++;
    }
    client.close();
    return count;
  };
  // Five standard deviations of a binomial distribution on either side.
  const ten = await shareOfB('shop.test');
  assert.ok(ten > 50 && ten < 150, `${ten} of 1000 at a weight of 10 %`);
  await flint.apply(weighted(50, 50));
  const fifty = await shareOfB('shop.test');
  assert.ok(fifty > 420 && fifty < 580, `${fifty} of 1000 at a weight of 50 %`);
  assert.equal(await shareOfB('even.test'), 500);
});

test('least requests keeps away from an endpoint that is busy', async (context) => {
  const slow = await echoBackend(context, 'slow', 50);
  const fast = await echoBackend(context, 'fast');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [slow.port, fast.port])),
    ['--workers', '1'],
  );
  const load = new Load({ port: flint.httpPort, host: 'shop.test', connections: 16, onClose: 'reconnect' });
  await load.more(2000);
  await load.stop();
  assert.ok(
    fast.requests.length > slow.requests.length * 2,
    `fast ${fast.requests.length}, slow ${slow.requests.length}`,
  );
});

test('a folder that is removed and made again is watched on', async (context) => {
  const flint = await startFlint(context, yaml(simpleRoute('old.test', 'nobody')));
  const { sequence } = await flint.revision();
  rmSync(flint.folder, { recursive: true });
  await flint.revision(sequence, 10_000);
  mkdirSync(flint.folder);
  writeFileSync(join(flint.folder, 'manifests.yaml'), yaml(simpleRoute('new.test', 'nobody')));
  while ((await request(flint.httpPort, 'new.test', '/')).status !== 503)
    await new Promise((resolve) => setTimeout(resolve, 20));
  // And the change after that is seen at once, by the new watch.
  await flint.apply(yaml(simpleRoute('newest.test', 'nobody')));
  assert.equal((await request(flint.httpPort, 'newest.test', '/')).status, 503);
});
