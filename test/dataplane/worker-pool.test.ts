// The pool of workers: one that dies is replaced, and the new one serves the newest table.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { WorkerHandle } from '#dataplane/worker-handle.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { WorkerPool } from '#dataplane/worker-pool.ts';
import { TableStore } from '#dataplane/table-store.ts';
import { createLogger } from '#telemetry/log.ts';
import { until } from '../kube/until.ts';
import { host, model, upstream } from './models.ts';
import { take } from './tables.ts';

async function statusOf(port: number, hostname: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return bytes.toString().split(' ')[1] ?? '';
}

test('a worker that dies is replaced by one with the newest table, and counters do not fall', async (context) => {
  const { pool, handles } = poolOf(context, 1);
  const store = new TableStore();
  const first = take(store, model([host('a.test', 'up')], [upstream('up')]), 1);
  const { http: port } = await pool.start(first.state, first.routes);
  const second = take(store, model([host('b.test', 'up')], [upstream('up')]), 2);
  pool.update(second.state, second.routes);
  while (handles[0]?.state?.head.revision !== 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await statusOf(port, 'b.test'), '503', 'a route without endpoints');
  assert.equal(await statusOf(port, 'a.test'), '404');
  // An answer may overtake its own counting, which happens in another thread.
  const counted = async (faults: number): Promise<void> => {
    while (pool.metrics.faults('endpoints-none') < faults)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await counted(1);
  handles[0].terminate();
  while (handles[1]?.isListening !== true) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(pool.restarts, 1);
  assert.equal(pool.workers, 1);
  assert.equal(await statusOf(port, 'b.test'), '503');
  await counted(2);
  assert.equal(pool.metrics.faults('endpoints-none'), 2);
});

interface Threads {
  readonly pool: WorkerPool;
  readonly handles: readonly WorkerHandle[];
  readonly exited: ReadonlySet<WorkerHandle>;
}

function poolOf(context: TestContext, workers: number): Threads {
  const handles: WorkerHandle[] = [];
  const exited = new Set<WorkerHandle>();
  const pool = new WorkerPool({
    workers,
    listen: { host: '127.0.0.1', port: 0, reusePort: true },
    listenSecure: undefined,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
    onServed: () => {},
    startWorker: (start, events) => {
      const handle = new WorkerHandle(start, {
        ...events,
        onExit: (gone, error) => {
          exited.add(gone);
          events.onExit(gone, error);
        },
      });
      handles.push(handle);
      return handle;
    },
  });
  context.after(() => pool.terminate());
  return { pool, handles, exited };
}

async function serveOne(pool: WorkerPool): Promise<number> {
  const { state, routes } = take(new TableStore(), model([host('a.test', 'up')], [upstream('up')]), 1);
  const { http } = await pool.start(state, routes);
  return http;
}

test('threads that were started before the first table are those that serve it', async (context) => {
  const { pool, handles } = poolOf(context, 2);
  pool.prepare();
  assert.equal(handles.length, 2);
  assert.equal(pool.workers, 0, 'they serve nothing yet');
  assert.equal(pool.isServing, false);
  const port = await serveOne(pool);
  assert.equal(handles.length, 2);
  assert.ok(handles.every(({ isListening, state }) => isListening && state?.head.revision === 1));
  assert.equal(await statusOf(port, 'a.test'), '503', 'a route without endpoints');
});

test('a thread that dies before the first table is replaced, whether the table comes before or after', async (context) => {
  const { pool, handles } = poolOf(context, 1);
  pool.prepare();
  handles[0]?.terminate();
  await until('another one is started', () => handles.length === 2);
  assert.equal(pool.restarts, 1);
  const dies = new Promise<void>((resolve) => {
    const count = pool.restarts;
    void until('the second one is gone', () => pool.restarts > count).then(resolve);
  });
  handles[1]?.terminate();
  await dies;
  // Its replacement is due in a while: the table does not wait for it.
  const port = await serveOne(pool);
  assert.equal(handles.length, 3);
  assert.equal(pool.workers, 1);
  assert.equal(await statusOf(port, 'a.test'), '503');
});

test('a drain before the first table ends the threads, and starts no others', async (context) => {
  const { pool, handles, exited } = poolOf(context, 2);
  pool.prepare();
  await pool.drain(0, 0);
  pool.prepare();
  await until('both have ended', () => exited.size === 2);
  assert.equal(handles.length, 2);
  assert.equal(pool.restarts, 0);
});
