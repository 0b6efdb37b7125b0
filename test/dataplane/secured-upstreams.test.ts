// Upstreams with TLS in threads that end none themselves: what TLS takes is there before the first table that needs it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { TableStore } from '#dataplane/table-store.ts';
import { WorkerPool } from '#dataplane/worker-pool.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import type { Upstream } from '#model/route-model.ts';
import { createLogger } from '#telemetry/log.ts';
import { createAuthority } from '../tls/certificates.ts';
import { backendPort, get } from './backends.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take } from './tables.ts';

const authority = createAuthority();

const verified: Upstream['tls'] = {
  kind: 'Verified',
  serverName: 'backend.test',
  authorities: { kind: 'Pem', pem: authority.root.certificate },
};

test('a table says whether any of its upstreams has TLS', () => {
  const store = new TableStore();
  const says = (revision: number, ...upstreams: readonly Upstream[]): boolean =>
    take(store, model([host('a.test', 'a')], upstreams), revision).state.head.hasSecuredUpstreams;
  const plain = upstream('a', 1);
  assert.equal(says(1, plain), false);
  assert.equal(says(2, plain, { ...upstream('b', 2), tls: verified }), true);
  assert.equal(says(3, { ...plain, tls: verified }, { ...upstream('b', 2), tls: verified }), true);
  assert.equal(says(4, plain), false);
});

test('nothing is connected to in the clear where the means are missing', () => {
  const { state } = take(
    new TableStore(),
    model([host('a.test', 'a')], [{ ...upstream('a', 1), tls: verified }]),
    1,
  );
  assert.equal(new TableThread().bring(state).upstreams.get('a')?.hasEndpoints, false);
});

test('a running thread serves its first upstream with TLS, and the plain ones before and after', async (context) => {
  const leaf = authority.issue({ dnsNames: ['backend.test'] });
  const server = createServer({ cert: authority.chainOf(leaf), key: leaf.keyPem }, (_, response) =>
    response.end('secured'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const served = { revision: 0 };
  const pool = new WorkerPool({
    workers: 2,
    listen: { host: '127.0.0.1', port: 0, reusePort: true },
    listenSecure: undefined,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
    onServed: (revision) => {
      served.revision = revision;
    },
  });
  context.after(() => pool.terminate());
  const store = new TableStore();
  const plain = upstream('a', await backendPort(context, 'plain'));
  const secured = { ...upstream('a', (server.address() as AddressInfo).port), tls: verified };
  const table = (revision: number, of: Upstream): ReturnType<typeof take> =>
    take(store, model([host('a.test', 'a')], [of]), revision);
  const first = table(1, plain);
  const { http } = await pool.start(first.state, first.routes);
  assert.equal(await get(http, 'a.test'), '200 plain');
  for (const [revision, [of, text]] of [
    [secured, 'secured'],
    [plain, 'plain'],
    [secured, 'secured'],
  ].entries() as Iterable<[number, [Upstream, string]]>) {
    const next = table(revision + 2, of);
    pool.update(next.state, next.routes);
    while (served.revision < revision + 2) await new Promise((resolve) => setTimeout(resolve, 5));
    for (let count = 0; count < 8; count++) assert.equal(await get(http, 'a.test'), `200 ${text}`);
  }
});
