// Health checks through the whole: a backend that says that it is not well loses its traffic, and gets it back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckedBackend, grpcHealthBackend } from './checked-backends.ts';
import { closedPort, echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { request } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { backendName, caSecret, leafFor, privateAuthority, tlsBackend } from './tls-backends.ts';

const host = 'shop.test';
const quick = { interval: '1s', timeout: '800ms', healthyThreshold: 2, unhealthyThreshold: 2 };
const http = { type: 'HTTP', http: { path: '/healthz', hostname: 'checks.test' }, ...quick };
const lost = 'an endpoint is not well';
const back = 'an endpoint is well again';

function manifests(ports: readonly number[], active: object, more: object = {}): string {
  return yaml(
    simpleRoute(host, 'shop', { policy: { healthCheck: { active }, ...more } }),
    ...service('shop', ports),
  );
}

/** How often each backend answers, of so many requests, all of which are served. */
async function shares(flint: FlintProcess, count = 30): Promise<Readonly<Record<string, number>>> {
  const shares: Record<string, number> = {};
  for (let each = 0; each < count; each++) {
    const { status, body } = await request(flint.httpPort, host, '/');
    assert.equal(status, 200, body);
    const { backend } = JSON.parse(body) as { backend: string };
    shares[backend] = (shares[backend] ?? 0) + 1;
  }
  return shares;
}

/** Workers are told some milliseconds after the log. */
async function untilOnly(flint: FlintProcess, ...names: readonly string[]): Promise<void> {
  const wanted = [...names].sort().join();
  while (
    Object.keys(await shares(flint))
      .sort()
      .join() !== wanted
  );
}

function count(flint: FlintProcess, text: string): number {
  return flint.log.filter(({ msg }) => String(msg).includes(text)).length;
}

interface PageEndpoint {
  readonly endpoint: string;
  readonly isWell: boolean;
  readonly since: string;
  readonly lastResult?: string;
}

async function page(
  flint: FlintProcess,
): Promise<readonly { id: string; check: string; endpoints: readonly PageEndpoint[] }[]> {
  return (await (await flint.admin('/upstreams')).json()) as never;
}

test('a backend that answers its check with 500 loses its traffic, and gets it back', async (context) => {
  const sick = await CheckedBackend.start(context, 'sick');
  const well = await CheckedBackend.start(context, 'well');
  const flint = await startFlint(context, manifests([sick.port, well.port], http), ['--workers', '2']);
  await untilOnly(flint, 'sick', 'well');
  sick.status = 500;
  await flint.until(() => flint.said(lost));
  await untilOnly(flint, 'well');
  assert.deepEqual(await shares(flint, 60), { well: 60 });
  const line = flint.log.find(({ msg }) => String(msg).includes(lost));
  assert.equal(line?.['level'], 'warn');
  assert.equal(line['endpoint'], `127.0.0.1:${sick.port}`);
  assert.equal(line['reason'], 'status 500');
  const [upstream] = await page(flint);
  assert.equal(upstream?.check, 'Http');
  const states = Object.fromEntries(upstream.endpoints.map((each) => [each.endpoint, each]));
  assert.equal(states[`127.0.0.1:${sick.port}`]?.isWell, false);
  assert.equal(states[`127.0.0.1:${sick.port}`]?.lastResult, 'status 500');
  assert.equal(states[`127.0.0.1:${well.port}`]?.isWell, true);
  assert.equal(await flint.metric('flint_unwell_endpoints'), 1);
  assert.ok((await flint.metric('flint_health_checks_total{result="failed"}')) >= 2);
  assert.ok((await flint.metric('flint_health_checks_total{result="passed"}')) >= 1);
  sick.status = 204;
  await flint.until(() => flint.said(back));
  await untilOnly(flint, 'sick', 'well');
  assert.equal(await flint.metric('flint_unwell_endpoints'), 0);
  const [first] = sick.checks;
  assert.equal(first?.headers['host'], 'checks.test');
  assert.equal(first.headers['user-agent'], 'flint-health-check');
});

test('where nobody is well everybody is served', async (context) => {
  const backends = [await CheckedBackend.start(context, 'a'), await CheckedBackend.start(context, 'b')];
  for (const backend of backends) backend.status = 503;
  const flint = await startFlint(
    context,
    manifests(
      backends.map(({ port }) => port),
      http,
    ),
  );
  await flint.until(() => count(flint, lost) === 2);
  await untilOnly(flint, 'a', 'b');
  backends[0]!.status = 200;
  await flint.until(() => flint.said(back));
  await untilOnly(flint, 'a');
});

test('a check that hangs ends with its timeout, and holds up no other', async (context) => {
  const hanging = await CheckedBackend.start(context, 'hanging');
  const well = await CheckedBackend.start(context, 'well');
  hanging.status = 0;
  const flint = await startFlint(context, manifests([hanging.port, well.port], http));
  await flint.until(() => flint.said(lost));
  await untilOnly(flint, 'well');
  const line = flint.log.find(({ msg }) => String(msg).includes(lost));
  assert.equal(line?.['reason'], 'no answer within 800 ms');
  assert.ok((await flint.metric('flint_health_checks_total{result="timeout"}')) >= 2);
});

test('TCP: who accepts no connection is not well', async (context) => {
  const closed = closedPort;
  const well = await echoBackend(context, 'well');
  const flint = await startFlint(context, manifests([closed, well.port], { type: 'TCP', ...quick }));
  await flint.until(() => flint.said(lost));
  const line = flint.log.find(({ msg }) => String(msg).includes(lost));
  assert.equal(line?.['endpoint'], `127.0.0.1:${closed}`);
  assert.equal(line['reason'], 'it does not accept connections');
  assert.deepEqual(await shares(flint), { well: 30 });
});

test('TLS: on the terms of the upstream', async (context) => {
  const well = await tlsBackend(context);
  const other = await tlsBackend(context, leafFor('other.test'));
  const objects = [
    caSecret('ca', privateAuthority.root.certificate),
    simpleRoute(host, 'shop', {
      backendRefs: [
        { name: 'shop', port: 80, tls: { hostname: backendName, caCertificateRefs: [{ name: 'ca' }] } },
      ],
      policy: { healthCheck: { active: http } },
    }),
    ...service('shop', [well.port, other.port]),
  ];
  const flint = await startFlint(context, yaml(...objects));
  await flint.until(() => flint.said(lost));
  const line = flint.log.find(({ msg }) => String(msg).includes(lost));
  assert.equal(line?.['endpoint'], `127.0.0.1:${other.port}`);
  assert.equal(line['reason'], 'its certificate does not prove who it is');
  assert.deepEqual(other.requests, []);
  const checks = well.requests.filter((each) => each.startsWith('GET /healthz'));
  assert.ok(checks.length >= 1);
});

test('gRPC: by what grpc.health.v1.Health says of the service', async (context) => {
  const well = await grpcHealthBackend(context, { shop: 1 });
  const sick = await grpcHealthBackend(context, { shop: 2 });
  const unknown = await grpcHealthBackend(context, {});
  const active = { type: 'GRPC', grpc: { service: 'shop' }, ...quick };
  const flint = await startFlint(context, manifests([well, sick, unknown], active));
  await flint.until(() => count(flint, lost) === 2);
  const [upstream] = await page(flint);
  const results = Object.fromEntries(
    (upstream?.endpoints ?? []).map((each) => [each.endpoint, `${each.isWell} ${each.lastResult}`]),
  );
  assert.deepEqual(results, {
    [`127.0.0.1:${well}`]: 'true SERVING',
    [`127.0.0.1:${sick}`]: 'false NOT_SERVING',
    [`127.0.0.1:${unknown}`]: 'false gRPC status 5: the server does not know this service',
  });
});

test('each node checks once, whatever the number of workers, and a change of other terms forgets nothing', async (context) => {
  const sick = await CheckedBackend.start(context, 'sick');
  const well = await CheckedBackend.start(context, 'well');
  sick.status = 500;
  const ports = [sick.port, well.port];
  const flint = await startFlint(context, manifests(ports, http), ['--workers', '2']);
  await flint.until(() => flint.said(lost));
  const startedMs = performance.now();
  const before = well.checks.length;
  while (well.checks.length < before + 10) await well.checked();
  // One may have been on its way, and another one due. Two checkers would have taken half of this.
  const least = 8 * 900;
  assert.ok(performance.now() - startedMs >= least, 'checks come more often than one checker makes them');
  await untilOnly(flint, 'well');
  await flint.apply(manifests(ports, http, { loadBalancing: { slowStart: '1ms' } }));
  // Another upstream, of which the new table knows from its first request on.
  assert.deepEqual(await shares(flint), { well: 30 });
  assert.equal(count(flint, lost), 1);
});
