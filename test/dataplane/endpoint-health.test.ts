// Health checks in a data plane: which upstreams are checked, and how what is found out reaches every thread.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DataPlane } from '#dataplane/data-plane.ts';
import { TableStore } from '#dataplane/table-store.ts';
import { WorkerHandle } from '#dataplane/worker-handle.ts';
import { WorkerPool } from '#dataplane/worker-pool.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { encode } from '#model/bundle.ts';
import type { Upstream } from '#model/route-model.ts';
import type { HealthCheck } from '#model/upstream-policies.ts';
import { createLogger } from '#telemetry/log.ts';
import { createAuthority } from '../tls/certificates.ts';
import { backendPort, get } from './backends.ts';
import { host, model, upstream } from './models.ts';
import { TableThread, take } from './tables.ts';

const check: HealthCheck = {
  probe: { kind: 'Http', path: '/', hostname: 'checks.test', statuses: [] },
  intervalMs: 500,
  timeoutMs: 1000,
  healthyThreshold: 1,
  unhealthyThreshold: 1,
};

function checked(of: Upstream, wanted: Partial<HealthCheck> = {}): Upstream {
  return { ...of, policies: [{ kind: 'HealthCheck', ...check, ...wanted }] };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const one = host('a.test', 'up');

function portsOf(table: ReturnType<TableThread['bring']>): readonly number[] {
  const picked = Array.from({ length: 40 }, () => table.upstreams.get('up')?.pick([])?.port ?? 0);
  return [...new Set(picked)].sort((a, b) => a - b);
}

test('a table says which upstreams are checked, as long as it has them', () => {
  const store = new TableStore();
  const ids = (...upstreams: readonly Upstream[]): readonly string[] => {
    take(store, model([host('a.test', 'a')], upstreams), ++revision);
    return store.checked.map(({ id }) => id).sort();
  };
  let revision = 0;
  const a = upstream('a', 1);
  assert.deepEqual(ids(a), []);
  assert.deepEqual(ids(checked(a), checked(upstream('b', 2))), ['a', 'b']);
  const before = store.checked.find(({ id }) => id === 'a');
  assert.deepEqual(ids(checked(a), upstream('b', 2)), ['a']);
  assert.deepEqual(store.checked, [before]);
  assert.deepEqual(ids(a), []);
});

test('a thread keeps what it is told, before it has the upstream and over its updates', () => {
  const store = new TableStore();
  const thread = new TableThread();
  thread.setUnwell('up', '127.0.0.1 1');
  thread.bring(take(store, model([], []), 1).state);
  const table = thread.bring(take(store, model([one], [upstream('up', 1, 2, 3)]), 2).state);
  assert.deepEqual(portsOf(table), [2, 3]);
  thread.setUnwell('up', '127.0.0.1 1', '127.0.0.1 3');
  assert.deepEqual(portsOf(table), [2]);
  const next = thread.bring(take(store, model([one], [upstream('up', 1, 2, 4)]), 3).state);
  assert.deepEqual(portsOf(next), [2, 4]);
  thread.setUnwell('up');
  assert.deepEqual(portsOf(next), [1, 2, 4]);
});

test('a thread in which all are unwell uses all', () => {
  const thread = new TableThread();
  const table = thread.bring(take(new TableStore(), model([one], [upstream('up', 1, 2)]), 1).state);
  thread.setUnwell('up', '127.0.0.1 1', '127.0.0.1 2');
  assert.deepEqual(portsOf(table), [1, 2]);
});

test('a worker that takes the place of another one knows what that one knew', async (context) => {
  const handles: WorkerHandle[] = [];
  const pool = new WorkerPool({
    workers: 1,
    listen: { host: '127.0.0.1', port: 0, reusePort: true },
    listenSecure: undefined,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
    onServed: () => {},
    startWorker: (...start) => {
      const handle = new WorkerHandle(...start);
      handles.push(handle);
      return handle;
    },
  });
  context.after(() => pool.terminate());
  const [sick, well] = [await backendPort(context, 'sick'), await backendPort(context, 'well')];
  const first = take(new TableStore(), model([one], [upstream('up', sick, well)]), 1);
  pool.setUnwell([['up', [`127.0.0.1 ${sick}`]]]);
  const { http: port } = await pool.start(first.state, first.routes);
  const getsOnly = async (text: string): Promise<void> => {
    for (let each = 0; each < 10; each++) assert.equal(await get(port, 'a.test'), text);
  };
  await getsOnly('200 well');
  pool.setUnwell([['up', [`127.0.0.1 ${well}`]]]);
  handles[0]?.terminate();
  while (handles[1]?.isListening !== true) await pause();
  await getsOnly('200 sick');
});

class Served {
  readonly dataPlane: DataPlane;
  readonly answers = new Map<string, readonly string[]>();
  #sequence = 0;
  #adminPort = 0;

  constructor(context: TestContext) {
    this.dataPlane = new DataPlane({
      http: { host: '127.0.0.1', port: 0 },
      admin: { host: '127.0.0.1', port: 0 },
      workers: 2,
      proxy: defaultProxySettings,
      logger: createLogger('silent'),
      writeAccessLog: undefined,
      lookup: async (name) => this.answers.get(name) ?? [],
    });
    context.after(() => this.dataPlane.terminate());
  }

  async serve(...upstreams: readonly Upstream[]): Promise<void> {
    const hosts = upstreams.map(({ id }) => host(`${id}.test`, id));
    await this.dataPlane.apply(encode(model(hosts, upstreams)), ++this.#sequence);
    await this.dataPlane.served(this.#sequence);
  }

  /** `127.0.0.1:80 true status 200`, by upstream. */
  async states(): Promise<Readonly<Record<string, readonly string[]>>> {
    this.#adminPort ||= await this.dataPlane.startAdmin();
    const shown = (await (await fetch(`http://127.0.0.1:${this.#adminPort}/upstreams`)).json()) as readonly {
      readonly id: string;
      readonly endpoints: readonly { endpoint: string; isWell: boolean; lastResult?: string }[];
    }[];
    return Object.fromEntries(
      shown.map(({ id, endpoints }) => [
        id,
        endpoints.map((each) => `${each.endpoint} ${each.isWell} ${each.lastResult}`),
      ]),
    );
  }

  async shows(wanted: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const text = JSON.stringify(wanted);
    while (JSON.stringify(await this.states()) !== text) await pause();
  }
}

async function statusPort(context: TestContext, status: number): Promise<number> {
  return listen(
    context,
    createServer((_, response) => response.writeHead(status).end()),
  );
}

async function listen(context: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('upstreams of a DNS name are checked at the addresses that it has', async (context) => {
  const port = await statusPort(context, 500);
  const served = new Served(context);
  const named = checked({
    ...upstream('up'),
    discovery: { kind: 'Dns', name: 'backend.example', port, allowed: 'Any' },
  });
  served.answers.set('backend.example', ['127.0.0.1']);
  await served.serve(named, upstream('unchecked', port));
  await served.shows({ up: [`127.0.0.1:${port} false status 500`] });
  served.answers.set('other.example', ['127.0.0.2', '127.0.0.1']);
  await served.serve({
    ...named,
    discovery: { kind: 'Dns', name: 'other.example', port, allowed: 'Any' },
  });
  await served.shows({
    up: [`127.0.0.1:${port} false status 500`, `127.0.0.2:${port} false it does not accept connections`],
  });
});

test('with TLS, on the terms of the upstream, although no thread ends any', async (context) => {
  const authority = createAuthority();
  const leaf = authority.issue({ dnsNames: ['backend.test'] });
  const server = createSecureServer({ cert: authority.chainOf(leaf), key: leaf.keyPem }, (_, response) =>
    response.end(),
  );
  const port = await listen(context, server);
  const verified = (serverName: string): Upstream['tls'] => ({
    kind: 'Verified',
    serverName,
    authorities: { kind: 'Pem', pem: authority.root.certificate },
  });
  const served = new Served(context);
  await served.serve(
    { ...checked(upstream('bad', port)), tls: verified('other.test') },
    { ...checked(upstream('good', port)), tls: verified('backend.test') },
    checked(upstream('plain', port)),
  );
  await served.shows({
    bad: [`127.0.0.1:${port} false its certificate does not prove who it is`],
    good: [`127.0.0.1:${port} true status 200`],
    plain: [`127.0.0.1:${port} false it closed the connection before its response`],
  });
});

test('all threads hear of it, and forget what is not checked any more', async (context) => {
  const [sick, well] = [await statusPort(context, 500), await statusPort(context, 200)];
  const served = new Served(context);
  const asked = async (): Promise<ReadonlySet<string>> => {
    const all = new Set<string>();
    for (let each = 0; each < 20; each++) all.add(await get(served.dataPlane.ports.http, 'up.test'));
    return all;
  };
  await served.serve(checked(upstream('up', sick, well)));
  while ((await asked()).size > 1);
  assert.deepEqual([...(await asked())], ['200 ']);
  await served.serve(upstream('up', sick, well));
  while ((await asked()).size < 2);
  assert.deepEqual(await served.states(), {});
});
