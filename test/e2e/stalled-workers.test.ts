// A worker whose loop stands still is ended and replaced, its listener with it; the others go on. A process that was stopped as a
// whole has no such worker.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, closeAll, openClient } from './many-clients.ts';
import type { Client } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { descriptorsOf, eventually, pause } from './process-figures.ts';

const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';
const replaced = 'flint_worker_restarts_total';
/** From src/dataplane/worker-pool.ts. */
const stallMs = 10_000;

async function flintThatSpins(context: TestContext, workers: number): Promise<FlintProcess> {
  const backend = await echoBackend(context, 'shop');
  const spinFile = join(tmpdir(), `flint-spin-${process.pid}-${workers}`);
  return Object.assign(
    await startFlint(
      context,
      yaml(
        simpleRoute('shop.test', 'shop', { timeouts: { idle: '5m' } }),
        ...service('shop', [backend.port]),
      ),
      ['--workers', String(workers), '--access-log', 'off', '--set', 'timeouts.clientIdle=5m'],
      { entry: 'test/e2e/spinning-flint.ts', env: { FLINT_TEST_SPIN: spinFile } },
    ),
    { spinFile },
  );
}

function spin(flint: FlintProcess): void {
  writeFileSync((flint as FlintProcess & { readonly spinFile: string }).spinFile, '');
}

/** Its status; 0 for a connection that breaks, -1 for no answer in a while. */
function askPatiently(client: Client): Promise<number> {
  return Promise.race([ask(client, get), pause(5000).then(() => -1)]);
}

async function untilReplaced(flint: FlintProcess, count: number): Promise<void> {
  const endMs = performance.now() + 60_000;
  while ((await flint.metric(replaced)) < count || (await flint.metric('flint_workers')) < 2) {
    assert.ok(performance.now() < endMs, 'it is not replaced');
    await pause(100);
  }
}

describe('workers that stand still', { concurrency: 2 }, () => {
  test('one that spins is replaced with its listener; connections of the other stay', async (context) => {
    const flint = await flintThatSpins(context, 2);
    const before = Array.from({ length: 40 }, () => openClient(flint.httpPort));
    for (const client of before) assert.equal(await ask(client, get), 200);
    const descriptorsBefore = descriptorsOf(flint.pid);
    spin(flint);
    await untilReplaced(flint, 1);
    assert.ok(flint.log.some(({ err }) => JSON.stringify(err ?? '').includes('stood still')));
    const closed = await eventually(
      () => before.filter(({ isClosed }) => isClosed).length,
      (count) => count > 0,
    );
    assert.ok(closed > 0 && closed < before.length, `${closed} of ${before.length} were of it`);
    const left = before.filter(({ isClosed }) => !isClosed);
    const again = await Promise.all(left.map(askPatiently));
    assert.deepEqual(new Set(again), new Set([200]), 'nobody else noticed');
    // Its share of new connections is not lost: nobody waits at a listener that is no longer served.
    const after = Array.from({ length: 60 }, () => openClient(flint.httpPort));
    assert.deepEqual(new Set(await Promise.all(after.map(askPatiently))), new Set([200]));
    closeAll([...before, ...after]);
    const descriptors = await eventually(
      () => descriptorsOf(flint.pid),
      (count) => count <= descriptorsBefore,
    );
    assert.ok(descriptors <= descriptorsBefore, `${descriptors} descriptors, ${descriptorsBefore} before`);
    assert.equal((await flint.admin('/livez')).status, 200);
  });

  test('how long a loop stands still is told while it does', async (context) => {
    const flint = await flintThatSpins(context, 3);
    spin(flint);
    // Beats come ten times a second: what lags by seconds is no noise of a busy machine.
    const endMs = performance.now() + 30_000;
    while ((await flint.metric('flint_worker_lag_seconds')) < 3) {
      assert.ok(performance.now() < endMs);
      await pause(200);
    }
    assert.equal(await flint.metric(replaced), 0);
  });

  test('a process that is stopped for longer than that goes on with all its workers', async (context) => {
    const flint = await flintThatSpins(context, 4);
    const clients = Array.from({ length: 20 }, () => openClient(flint.httpPort));
    for (const client of clients) assert.equal(await ask(client, get), 200);
    flint.process.kill('SIGSTOP');
    await pause(stallMs + 2000);
    flint.process.kill('SIGCONT');
    // Longer than it takes to see a worker that has been silent before.
    await pause(1500);
    assert.deepEqual(new Set(await Promise.all(clients.map(askPatiently))), new Set([200]));
    assert.equal(await flint.metric(replaced), 0);
    closeAll(clients);
  });
});
