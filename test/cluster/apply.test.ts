// From `kubectl apply` to a live route on three data planes, and what users are told on the way.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { echoBackend } from '../e2e/backends.ts';
import type { Echo } from '../e2e/backends.ts';
import { startFlint } from '../e2e/flint-process.ts';
import { HttpClient, request } from '../e2e/http-client.ts';
import type { Target } from '../e2e/http-client.ts';
import { Load } from '../e2e/load.ts';
import { route, service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;

describe('a cluster with an operator and three data planes', { skip }, () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.start(3);
    await cluster.startOperator();
    await cluster.untilProxiesReady();
  });
  after(() => cluster.stop());

  test('a hundred new routes in a row: Ready, and then 200 from everybody at the first request', async (context) => {
    const backend = await echoBackend(context, 'many', 0, backendAddress);
    for (let number = 1; number <= 100; number++) {
      const name = `many-${number}`;
      // Service, endpoints and route at once, as in a chart.
      await cluster.apply(
        yaml(...service(name, [backend.port], backendAddress), simpleRoute(`${name}.test`, name)),
      );
      await cluster.waitReady(`${name}-test`);
      assert.deepEqual(await cluster.statuses(`${name}.test`), [200, 200, 200], `route ${number}`);
    }
    await cluster.delete('ir', 'many-7-test');
    await cluster.untilStatus('many-7.test', 404);
    await cluster.api.kubectl(['delete', 'ir,svc,endpointslices', '--all']);
    await cluster.untilStatus('many-8.test', 404);
  });

  test('a route whose endpoints come after it is Ready when they are served, and not before', async (context) => {
    const backend = await echoBackend(context, 'last', 0, backendAddress);
    for (let number = 1; number <= 20; number++) {
      const name = `last-${number}`;
      const [svc, slice] = service(name, [backend.port], backendAddress);
      await cluster.create(simpleRoute(`${name}.test`, name));
      const emptySinceMs = performance.now();
      await cluster.create(svc);
      await moment((number % 5) * 100);
      await cluster.create(slice);
      const emptyMs = performance.now() - emptySinceMs;
      await cluster.untilCondition(`${name}-test`, 'Ready', 'True Programmed');
      // A Service that stays without endpoints for a second is Ready as it is, with 503.
      if (emptyMs > 800) await cluster.untilStatus(`${name}.test`, 200);
      assert.deepEqual(await cluster.statuses(`${name}.test`), [200, 200, 200], `route ${number}`);
    }
    await cluster.api.kubectl(['delete', 'ir,svc,endpointslices', '--all']);
  });

  test('an edit is Ready at its own generation, and a weight shows in the traffic', async (context) => {
    const [one, two] = [
      await echoBackend(context, 'one', 0, backendAddress),
      await echoBackend(context, 'two', 0, backendAddress),
    ];
    const weighted = (first: number, second: number): string =>
      yaml(
        route('weights', {
          hostnames: ['weights.test'],
          rules: [
            {
              backendRefs: [
                { name: 'one', port: 80, weight: first },
                { name: 'two', port: 80, weight: second },
              ],
            },
          ],
        }),
      );
    await cluster.apply(
      yaml(...service('one', [one.port], backendAddress), ...service('two', [two.port], backendAddress)),
    );
    await cluster.apply(weighted(90, 10));
    await cluster.waitReady('weights');
    const share = async (): Promise<number> => {
      const client = await HttpClient.open(cluster.proxies[0]!.http);
      let ones = 0;
      for (let number = 0; number < 400; number++) {
        client.send('GET / HTTP/1.1\r\nHost: weights.test\r\n\r\n');
        if ((JSON.parse((await client.answer()).body) as Echo).backend === 'one') ones++;
      }
      client.close();
      return ones / 400;
    };
    const before90 = await share();
    assert.ok(before90 > 0.8 && before90 < 0.98, `${before90}`);
    await cluster.apply(weighted(50, 50));
    // kubectl compares the condition's observedGeneration with the object's.
    await cluster.waitReady('weights');
    const { metadata, status } = await cluster.route('weights');
    assert.deepEqual([metadata.generation, status?.observedGeneration], [2, 2]);
    const after50 = await share();
    assert.ok(after50 > 0.4 && after50 < 0.6, `${after50}`);
    assert.deepEqual(
      status?.conditions?.map(({ type, status: value, reason }) => `${type}=${value} ${reason}`).sort(),
      [
        'Accepted=True Accepted',
        'Programmed=True Programmed',
        'Ready=True Programmed',
        'ResolvedRefs=True ResolvedRefs',
      ],
    );
    assert.equal(status?.dataPlane?.summary, '3/3');
  });

  test('an endpoint that goes takes no request with it', async (context) => {
    const [stays, goes] = [
      await echoBackend(context, 'stays', 0, backendAddress),
      await echoBackend(context, 'goes', 0, backendAddress),
    ];
    await cluster.apply(
      yaml(...service('pair', [stays.port, goes.port], backendAddress), simpleRoute('pair.test', 'pair')),
    );
    await cluster.waitReady('pair-test');
    const loads = cluster.proxies.map(
      ({ http }) => new Load({ port: http, host: 'pair.test', connections: 4, onClose: 'reconnect' }),
    );
    for (let round = 0; round < 5; round++) {
      await cluster.delete('endpointslice', `pair-${goes.port}`);
      await Promise.all(loads.map((load) => load.more(200)));
      await cluster.apply(yaml(service('pair', [goes.port], backendAddress)[1]));
      await Promise.all(loads.map((load) => load.more(200)));
    }
    for (const load of loads) {
      const { errors, statuses, closedConnections } = await load.stop();
      assert.deepEqual([errors, Object.keys(statuses), closedConnections], [[], ['200'], 0]);
    }
  });

  test('a Service that comes later makes its route Ready, and nothing was said that was not so', async (context) => {
    const backend = await echoBackend(context, 'late', 0, backendAddress);
    await cluster.apply(yaml(simpleRoute('late.test', 'late')));
    await cluster.untilCondition('late-test', 'ResolvedRefs', 'False BackendNotFound');
    assert.equal(await cluster.condition('late-test', 'Ready'), 'False BackendNotFound');
    assert.equal(await cluster.condition('late-test', 'Reconciling'), 'True BackendNotFound');
    await cluster.untilStatus('late.test', 503);
    await cluster.apply(yaml(...service('late', [backend.port], backendAddress)));
    await cluster.waitReady('late-test');
    assert.deepEqual(await cluster.statuses('late.test'), [200, 200, 200]);
    assert.equal(await cluster.condition('late-test', 'Reconciling'), '');
    const output =
      'jsonpath={range .items[?(@.involvedObject.name=="late-test")]}{.type} {.reason}{"\\n"}{end}';
    const events = async (): Promise<readonly string[]> =>
      (await cluster.api.kubectl(['get', 'events', '-o', output])).trim().split('\n').sort();
    // They are written after the status.
    while ((await events()).length < 2) await moment();
    assert.deepEqual(await events(), ['Normal Programmed', 'Warning BackendNotFound']);
  });

  test('a host belongs to whoever had it first, not to an older object that is edited today', async (context) => {
    const backend = await echoBackend(context, 'owner', 0, backendAddress);
    for (const name of ['tenant-a', 'tenant-b']) {
      await cluster.createNamespace(name);
      await cluster.apply(yaml(...service('web', [backend.port], backendAddress)), name);
    }
    const of = (...hostnames: readonly string[]): string =>
      yaml(route('web', { hostnames, rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] }));
    await cluster.apply(of('b.tenants.test'), 'tenant-b');
    await cluster.waitReady('web', 'tenant-b');
    await cluster.apply(of('a.tenants.test'), 'tenant-a');
    await cluster.waitReady('web', 'tenant-a');
    // tenant-b's object is older than tenant-a's, and wants its host now.
    await cluster.apply(of('b.tenants.test', 'a.tenants.test'), 'tenant-b');
    await cluster.untilCondition('web', 'Ready', 'False HostnameConflict', 'tenant-b');
    const { status } = await cluster.route('web', 'tenant-b');
    const accepted = status?.conditions?.find(({ type }) => type === 'Accepted');
    assert.match(
      accepted?.message ?? '',
      /spec\.hostnames\[1\]: "a\.tenants\.test" belongs to namespace tenant-a/,
    );
    await cluster.untilCondition('web', 'Programmed', 'True Programmed', 'tenant-b');
    assert.equal(await cluster.condition('web', 'Ready', 'tenant-a'), 'True Programmed');
    assert.deepEqual(await cluster.statuses('b.tenants.test'), [200, 200, 200]);
    // Once it is free, whoever wants it has it.
    await cluster.delete('ir', 'web', 'tenant-a');
    await cluster.waitReady('web', 'tenant-b');
  });

  test('a rejected object claims nothing', async () => {
    await cluster.createNamespace('squatter');
    const squat = { hostnames: ['claimed.test'], ingressClassName: 'flint', rules: [regex('[')] };
    await cluster.apply(yaml(route('squat', squat)), 'squatter');
    await cluster.untilCondition('squat', 'Accepted', 'False Invalid', 'squatter');
    assert.equal(await cluster.condition('squat', 'Stalled', 'squatter'), 'True Invalid');
    await cluster.apply(
      yaml(...service('claimed', [80], backendAddress), simpleRoute('claimed.test', 'claimed')),
    );
    await cluster.waitReady('claimed-test');
  });

  test('a route of another class is not ours, and one that leaves us is told nothing any more', async () => {
    await cluster.apply(
      yaml(...service('moving', [80], backendAddress), simpleRoute('moving.test', 'moving')),
    );
    await cluster.waitReady('moving-test');
    await cluster.api.kubectl([
      'patch',
      'ir/moving-test',
      '--type=merge',
      '-p',
      '{"spec":{"ingressClassName":"somebody-else"}}',
    ]);
    await cluster.untilStatus('moving.test', 404);
    while ((await cluster.route('moving-test')).status?.conditions !== undefined) await moment();
  });

  test('a table of requests has the same answers here and from flint run', async (context) => {
    const backends = await Promise.all(
      ['red', 'green', 'blue'].map((name) => echoBackend(context, name, 0, backendAddress)),
    );
    const to = (name: string): readonly unknown[] => [{ name, port: 80 }];
    const manifests = yaml(
      ...['red', 'green', 'blue'].flatMap((name, index) =>
        service(name, [backends[index]!.port], backendAddress),
      ),
      route('table', {
        hostnames: ['table.test', '*.table.test'],
        rules: [
          { matches: [{ path: { type: 'PathPrefix', value: '/a' } }], backendRefs: to('red') },
          { matches: [{ path: { type: 'PathPrefix', value: '/a/b' } }], backendRefs: to('green') },
          { matches: [{ path: { type: 'Exact', value: '/a/b' } }], backendRefs: to('blue') },
          { matches: [{ path: { type: 'RegularExpression', value: '/[0-9]+' } }], backendRefs: to('green') },
          {
            matches: [
              { path: { type: 'PathPrefix', value: '/' }, headers: [{ name: 'X-Blue', value: 'yes' }] },
            ],
            backendRefs: to('blue'),
          },
          {
            matches: [
              { path: { type: 'PathPrefix', value: '/q' }, queryParams: [{ name: 'n', value: '1' }] },
            ],
            backendRefs: to('green'),
          },
          {
            matches: [{ path: { type: 'PathPrefix', value: '/m' }, method: 'POST' }],
            backendRefs: to('red'),
          },
          { matches: [{ path: { type: 'PathPrefix', value: '/none' } }], backendRefs: to('nobody') },
        ],
      }),
      route('exact', { hostnames: ['x.table.test'], rules: [{ backendRefs: to('blue') }] }),
    );
    await cluster.apply(manifests);
    await cluster.waitReady('exact');
    await cluster.untilCondition('table', 'Ready', 'False BackendNotFound');
    await cluster.untilCondition('table', 'Programmed', 'True Programmed');
    const local = await startFlint(context, manifests);
    const answer = async (target: Target, host: string, rest: string): Promise<string> => {
      const [method = '', path = '', ...fields] = rest.split(' ');
      const headers = fields.map((field) => `${field.replace(':', ': ')}\r\n`).join('');
      const { status, body, headers: answered } = await request(target, host, path, { method, headers });
      if (status !== 200) return `${status} ${answered['x-flint-fault'] ?? ''}`;
      const { backend, url } = JSON.parse(body) as Echo;
      return `200 ${backend} ${url}`;
    };
    const seen = new Set<string>();
    for (const [host, rest] of [
      ['table.test', 'GET /a'],
      ['table.test', 'GET /a/'],
      ['table.test', 'GET /ab'],
      ['table.test', 'GET /a/b'],
      ['table.test', 'GET /a/b/c'],
      ['table.test', 'GET /a/./b'],
      ['table.test', 'GET /a%2fb'],
      ['table.test', 'GET /42'],
      ['table.test', 'GET /42x'],
      ['table.test', 'GET /anything X-Blue:yes'],
      ['table.test', 'GET /anything X-Blue:no'],
      ['table.test', 'GET /q?n=1'],
      ['table.test', 'GET /q?n=2'],
      ['table.test', 'POST /m'],
      ['table.test', 'GET /m'],
      ['table.test', 'GET /none'],
      ['TABLE.test:8080', 'GET /a'],
      ['deep.er.table.test', 'GET /a'],
      ['x.table.test', 'GET /a'],
      ['other.test', 'GET /a'],
    ] as const) {
      const here = await answer(local.httpPort, host, rest);
      seen.add(here.slice(0, 3));
      for (const { http } of cluster.proxies)
        assert.equal(await answer(http, host, rest), here, `${host} ${rest}`);
    }
    assert.deepEqual([...seen].sort(), ['200', '400', '404', '503']);
  });

  test('every sample is stored as it was written', async () => {
    const folder = new URL('../../config/samples/', import.meta.url);
    for (const file of readdirSync(folder)) {
      const text = readFileSync(new URL(file, folder), 'utf8');
      await cluster.apply(text);
      const sample = parse(text) as {
        readonly apiVersion: string;
        readonly kind: string;
        readonly metadata: { readonly name: string };
        readonly spec: object;
      };
      const plural = sample.kind === 'Ingress' ? 'ingresses' : 'ingressroutes';
      const stored = await cluster.get<{ readonly spec: object }>(
        `/apis/${sample.apiVersion}/namespaces/default/${plural}/${sample.metadata.name}`,
      );
      assert.deepEqual(stored.spec, sample.spec, file);
    }
  });

  test('a data plane can write nothing, and read nothing outside flint-routes', async () => {
    const token = await cluster.api.tokenOf('flint-system', 'flint-proxy');
    const call = async (method: string, path: string, body?: unknown): Promise<number> =>
      (await cluster.api.call(method, path, body, { token })).status;
    const routes = '/api/v1/namespaces/flint-routes/configmaps';
    assert.equal(await call('GET', `${routes}?fieldSelector=metadata.name%3Dflint-head`), 200);
    assert.equal(await call('GET', `${routes}/flint-head`), 200);
    // Chunks come by one list when a pod starts; what changes is told by the head alone.
    assert.equal(await call('GET', routes), 200);
    for (const path of [
      `${routes}?watch=true`,
      '/api/v1/configmaps',
      '/api/v1/secrets',
      '/api/v1/namespaces/flint-routes/secrets',
      '/api/v1/namespaces/flint-system/configmaps',
      '/api/v1/namespaces/default/services',
      '/apis/flint.dev/v1alpha1/ingressroutes',
    ])
      assert.equal(await call('GET', path), 403, path);
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'flint-head' } };
    assert.equal(await call('POST', routes, configMap), 403);
    assert.equal(await call('PUT', `${routes}/flint-head`, configMap), 403);
    assert.equal(await call('DELETE', `${routes}/flint-head`), 403);
  });
});

function regex(value: string): unknown {
  return {
    matches: [{ headers: [{ type: 'RegularExpression', name: 'x-any', value }] }],
    backendRefs: [{ name: 'one', port: 80 }],
  };
}
