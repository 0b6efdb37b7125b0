// Balancing by value and by weight, endpoints that are left alone, and backends that stand in for others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedPort, echoBackend } from './backends.ts';
import type { Backend, Cleanup, Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { httpBackend } from './h2-clients.ts';
import { request } from './http-client.ts';
import type { Answer } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const host = 'shop.test';
const oneWorker = ['--workers', '1'];

function backends(context: Cleanup, count: number): Promise<Backend[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => echoBackend(context, `shop-${index}`)));
}

function servedBy({ status, body }: Answer): string {
  assert.equal(status, 200);
  return (JSON.parse(body) as Echo).backend;
}

async function tally(port: number, count: number): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for (let number = 0; number < count; number++) {
    const name = servedBy(await request(port, host, '/'));
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

test('weights of 3 and 1 are exact over every four requests', async (context) => {
  const [a, b] = (await backends(context, 2)) as [Backend, Backend];
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'a', {
        backendRefs: [
          { name: 'a', port: 80, weight: 75 },
          { name: 'b', port: 80, weight: 25 },
        ],
      }),
      ...service('a', [a.port]),
      ...service('b', [b.port]),
    ),
    oneWorker,
  );
  for (let round = 0; round < 5; round++)
    assert.deepEqual(await tally(flint.httpPort, 4), { 'shop-0': 3, 'shop-1': 1 });
});

for (const [type, name, asked] of [
  ['Header', 'X-User', (value: string) => ({ headers: `x-user: ${value}\r\n`, path: '/' })],
  ['Cookie', 'user', (value: string) => ({ headers: `Cookie: x=y; user=${value}\r\n`, path: '/' })],
  ['QueryParam', 'user', (value: string) => ({ headers: '', path: `/?user=${value}` })],
] as const)
  test(`the same ${type} goes to the same endpoint, in all workers, and an endpoint more moves few`, async (context) => {
    const shops = await backends(context, 4);
    const ports = shops.map(({ port }) => port);
    const policy = { loadBalancing: { type: 'ConsistentHash', consistentHash: { type, name } } };
    const manifests = (...used: readonly number[]): string =>
      yaml(simpleRoute(host, 'shop', { policy }), ...service('shop', used));
    const flint = await startFlint(context, manifests(...ports.slice(0, 3)), ['--workers', '2']);
    const where = async (user: number): Promise<string> => {
      const { headers, path } = asked(`user-${user}`);
      return servedBy(await request(flint.httpPort, host, path, { headers }));
    };
    const before: string[] = [];
    for (let user = 0; user < 40; user++) {
      before.push(await where(user));
      assert.equal(await where(user), before[user]);
      assert.equal(await where(user), before[user]);
    }
    assert.equal(new Set(before).size, 3);
    await flint.apply(manifests(...ports));
    for (let user = 0; user < 40; user++) {
      const after = await where(user);
      if (after !== before[user]) assert.equal(after, 'shop-3');
    }
  });

test('by the address of the client: all of it to one', async (context) => {
  const shops = await backends(context, 3);
  const policy = { loadBalancing: { type: 'ConsistentHash', consistentHash: { type: 'SourceIP' } } };
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop', { policy }),
      ...service(
        'shop',
        shops.map(({ port }) => port),
      ),
    ),
  );
  assert.equal(Object.keys(await tally(flint.httpPort, 12)).length, 1);
});

test('an endpoint that answers 500 in a row is left alone, and comes back by itself', async (context) => {
  let isBroken = true;
  const sick = await httpBackend(context, (incoming, response) => {
    incoming.resume();
    response.writeHead(isBroken ? 500 : 200).end(JSON.stringify({ backend: 'sick' }));
  });
  const [well] = (await backends(context, 1)) as [Backend];
  const passive = { consecutive5xxErrors: 3, baseEjectionTime: '5s', maxEjectionTime: '5s' };
  const policy = { loadBalancing: { type: 'RoundRobin' }, healthCheck: { passive } };
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop', { policy }), ...service('shop', [sick, well.port])),
    oneWorker,
  );
  const statuses = [];
  for (let number = 0; number < 6; number++) statuses.push((await request(flint.httpPort, host, '/')).status);
  assert.equal(statuses.filter((status) => status === 500).length, 3);
  assert.deepEqual(await tally(flint.httpPort, 10), { 'shop-0': 10 });
  assert.equal(await flint.metric('flint_ejections_total{reason="5xx"}'), 1);
  await flint.until(() => flint.said('an endpoint has failed too often'));
  isBroken = false;
  let names: Readonly<Record<string, number>> = {};
  while (names['sick'] === undefined) names = await tally(flint.httpPort, 4);
});

test('a fallback takes requests while nobody else has an endpoint that is well, and gives them back', async (context) => {
  const [main, spare] = (await backends(context, 2)) as [Backend, Backend];
  const dead = closedPort;
  const backendRefs = [
    { name: 'main', port: 80 },
    { name: 'spare', port: 80, fallback: true },
  ];
  const manifests = (...ports: readonly number[]): string =>
    yaml(
      simpleRoute(host, 'main', { backendRefs }),
      ...service('main', ports),
      ...service('spare', [spare.port]),
    );
  const flint = await startFlint(context, manifests(main.port), oneWorker);
  assert.deepEqual(await tally(flint.httpPort, 5), { 'shop-0': 5 });
  await flint.apply(manifests());
  assert.deepEqual(await tally(flint.httpPort, 5), { 'shop-1': 5 });
  await flint.apply(manifests(main.port, dead));
  assert.deepEqual(await tally(flint.httpPort, 5), { 'shop-0': 5 });
});

test('a fallback stands in for endpoints that checks find unwell', async (context) => {
  let status = 200;
  const main = await httpBackend(context, (incoming, response) => {
    incoming.resume();
    response.writeHead(incoming.url === '/healthz' ? status : 200).end(JSON.stringify({ backend: 'main' }));
  });
  const [spare] = (await backends(context, 1)) as [Backend];
  const active = { type: 'HTTP', interval: '500ms', unhealthyThreshold: 1, http: { path: '/healthz' } };
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'main', {
        backendRefs: [
          { name: 'main', port: 80 },
          { name: 'spare', port: 80, fallback: true },
        ],
        policy: { healthCheck: { active } },
      }),
      ...service('main', [main]),
      ...service('spare', [spare.port]),
    ),
    oneWorker,
  );
  const serving = async (wanted: string): Promise<void> => {
    while (servedBy(await request(flint.httpPort, host, '/')) !== wanted);
  };
  await serving('main');
  status = 503;
  await serving('shop-0');
  status = 200;
  await serving('main');
});

test('each time-out has its own name, in the header and in the log', async (context) => {
  const mute = await httpBackend(context, () => {});
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute('attempt.test', 'mute', { timeouts: { request: '5s', backendRequest: '100ms' } }),
      simpleRoute('request.test', 'mute', {
        timeouts: { request: '3s', backendRequest: '1s' },
        retry: { attempts: 5, backoff: '1ms' },
      }),
      ...service('mute', [mute]),
    ),
    oneWorker,
  );
  const codeOf = async (name: string): Promise<string> => {
    const { status, headers } = await request(flint.httpPort, name, '/');
    return `${status} ${headers['x-flint-fault'] ?? ''}`;
  };
  assert.equal(await codeOf('attempt.test'), '504 backend-timeout');
  assert.equal(await codeOf('request.test'), '504 request-timeout');
  await flint.until(() => flint.accessLog.length === 2);
  assert.deepEqual(
    flint.accessLog.map(({ fault }) => fault),
    ['backend-timeout', 'request-timeout'],
  );
  assert.ok(Number(flint.accessLog[1]?.['attempts']) > 1);
});
