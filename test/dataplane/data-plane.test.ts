// The data plane in this process, with real workers: refused bundles, order of revisions, workers that die.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DataPlane } from '#dataplane/data-plane.ts';
import { WorkerHandle } from '#dataplane/worker-handle.ts';
import { defaultProxySettings } from '#dataplane/worker-protocol.ts';
import { encode } from '#model/bundle.ts';
import { createLogger } from '#telemetry/log.ts';
import { newPressureMemory } from '#dataplane/memory-pressure.ts';
import { newMetricMemory } from '#dataplane/metric-slots.ts';
import { newVitalsMemory } from '#dataplane/worker-vitals.ts';
import { TableStore } from '#dataplane/table-store.ts';
import { backendPort, get } from './backends.ts';
import { host, model, upstream } from './models.ts';
import { take } from './tables.ts';

function newDataPlane(context: TestContext, workers: number): DataPlane {
  const dataPlane = new DataPlane({
    http: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    workers,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
  });
  context.after(() => dataPlane.terminate());
  return dataPlane;
}

test('a bundle that is refused changes nothing, and is counted', async (context) => {
  const port = await backendPort(context, 'one');
  const dataPlane = newDataPlane(context, 2);
  const adminPort = await dataPlane.startAdmin();
  assert.equal(dataPlane.isReady, false, 'not ready before the first table');
  const good = encode(model([host('a.test', 'up')], [upstream('up', port)]));
  assert.deepEqual(await dataPlane.apply(good, 1), { kind: 'Applied' });
  await dataPlane.served(1);
  assert.equal(dataPlane.isReady, true);
  assert.equal(await get(dataPlane.ports.http, 'a.test'), '200 one');

  const other = encode(model([host('b.test', 'up')], [upstream('up', port)]));
  // One that is new: what is known by its digest is not read again.
  const at = other.chunks.findIndex(({ kind }) => kind === 'hosts');
  const chunk = other.chunks[at]!;
  for (const broken of [
    { ...other, schema: 99 },
    { ...other, digest: good.digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) },
    { ...other, chunks: other.chunks.slice(1) },
    { ...other, chunks: other.chunks.with(at, { ...chunk, text: `${chunk.text} ` }) },
  ])
    assert.equal((await dataPlane.apply(broken, 2)).kind, 'Refused');
  assert.equal(await get(dataPlane.ports.http, 'a.test'), '200 one');
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  assert.match(metrics, /flint_refused_bundles_total\{refusal="UnknownSchema"\} 1/);
  assert.match(
    metrics,
    /flint_refused_bundles_total\{refusal="DigestMismatch"\} 2/,
    'once for each thing said',
  );
  assert.deepEqual(dataPlane.revision.refused, {
    sequence: 2,
    refusal: 'DigestMismatch',
    message: `chunk ${chunk.kind} ${chunk.digest.slice(0, 12)} has other content`,
  });
  await dataPlane.apply(other, 3);
  assert.equal(dataPlane.revision.refused, null);
});

test('only the sequence orders: an older revision never replaces a newer one', async (context) => {
  const dataPlane = newDataPlane(context, 1);
  const [one, two] = [
    encode(model([host('a.test', 'up')], [upstream('up')])),
    encode(model([host('b.test', 'up')], [upstream('up')])),
  ];
  await dataPlane.apply(one, 5);
  assert.deepEqual(await dataPlane.apply(two, 4), { kind: 'Unchanged' });
  // The same digest again, as when A -> B -> A comes faster than it is read: proof of 6 is what others wait for.
  assert.deepEqual(await dataPlane.apply(one, 6), { kind: 'Applied' });
  await dataPlane.served(6);
  assert.deepEqual([dataPlane.revision.sequence, dataPlane.revision.digest], [6, one.digest]);
  await dataPlane.apply(two, 7);
  await dataPlane.served(7);
  // A -> B -> A is three revisions.
  assert.deepEqual(await dataPlane.apply(one, 8), { kind: 'Applied' });
  await dataPlane.served(8);
  assert.deepEqual([dataPlane.revision.sequence, dataPlane.revision.digest], [8, one.digest]);
});

test('tables that change faster than workers take them end at the newest', async (context) => {
  const port = await backendPort(context, 'x');
  const dataPlane = newDataPlane(context, 2);
  for (let sequence = 1; sequence <= 60; sequence++)
    await dataPlane.apply(encode(model([host(`h${sequence}.test`, 'up')], [upstream('up', port)])), sequence);
  await dataPlane.served(60);
  assert.equal(await get(dataPlane.ports.http, 'h60.test'), '200 x');
  assert.match(await get(dataPlane.ports.http, 'h59.test'), /^404 /);
});

test('a port that is taken is an error of the first table', async (context) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  context.after(() => taken.close());
  const dataPlane = new DataPlane({
    http: { host: '127.0.0.1', port: (taken.address() as AddressInfo).port },
    admin: { host: '127.0.0.1', port: 0 },
    workers: 1,
    proxy: defaultProxySettings,
    logger: createLogger('silent'),
    writeAccessLog: undefined,
  });
  context.after(() => dataPlane.terminate());
  await assert.rejects(dataPlane.apply(encode(model([], [])), 1), /EADDRINUSE/);
});

test('a worker that dies is reported with its error', async () => {
  const exits: (Error | undefined)[] = [];
  let onExit: () => void;
  const exited = new Promise<void>((resolve) => {
    onExit = resolve;
  });
  const handle = new WorkerHandle(
    {
      metrics: newMetricMemory(),
      vitals: newVitalsMemory(),
      leftovers: undefined,
      memoryLevel: newPressureMemory(),
      hasAccessLog: false,
      proxy: defaultProxySettings,
      workers: 1,
      ticketKeys: undefined,
    },
    {
      onAccessLog: () => {},
      onEjection: () => {},
      onExit: (_, error) => {
        exits.push(error);
        onExit();
      },
    },
  );
  const { state } = take(new TableStore(), model([host('a.test', 'up')], [upstream('up')]), 1);
  // Memory that no take would have left out kills the thread; the call must not hang.
  await assert.rejects(
    handle.sync({ ...state, slabs: new Map() }, { added: [], removed: [] }),
    /there is no slab 1/,
  );
  await exited;
  assert.match(exits[0]?.message ?? '', /there is no slab 1/);
});

test('a drain that meets the very first table ends, whatever has begun', async (context) => {
  const bundle = encode(model([host('a.test', 'up')], [upstream('up')]));
  for (const turns of [0, 1, 5, 50]) {
    const dataPlane = newDataPlane(context, 3);
    const applying = dataPlane.apply(bundle, 1);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    await dataPlane.drain(0, 1000);
    await applying;
    assert.equal(dataPlane.revision.workers, 0, 'no thread is left');
  }
  const late = newDataPlane(context, 3);
  await late.drain(0, 1000);
  assert.deepEqual(await late.apply(bundle, 1), { kind: 'Unchanged' });
});
