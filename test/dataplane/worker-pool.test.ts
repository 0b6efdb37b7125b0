// The pool of workers: one that dies is replaced, and the new one serves the newest table.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { WorkerHandle } from '#dataplane/worker-handle.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { WorkerPool } from '#dataplane/worker-pool.ts';
import { TableStore } from '#dataplane/table-store.ts';
import { createLogger } from '#telemetry/log.ts';
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
