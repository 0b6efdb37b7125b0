// More clients than descriptors: nobody who is being served notices, and when they go everything is as before.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, closeAll, openClient } from './many-clients.ts';
import type { Client } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { cpuMsOf, descriptorsOf, eventually, pause } from './process-figures.ts';

const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';
/** What most requests here take. */
const delayMs = 3;

async function flintWithFewDescriptors(context: TestContext, answerMs = delayMs): Promise<FlintProcess> {
  const backend = await echoBackend(context, 'shop', answerMs);
  const manifests = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port]));
  return startFlint(context, manifests, ['--workers', '2', '--access-log', 'off'], {
    descriptorLimit: 256,
  });
}

/** Its status, or 0 for no answer in twenty seconds. */
function askBriefly(client: Client): Promise<number> {
  return Promise.race([ask(client, get), within(0)]);
}

function within<T>(otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(resolve, 20_000, otherwise).unref();
  });
}

function statusesOf(clients: readonly Client[]): Promise<readonly number[]> {
  return Promise.all(clients.map(askBriefly)).then((all) => [...new Set(all)].sort((a, b) => a - b));
}

function openMany(flint: FlintProcess, count: number): Client[] {
  return Array.from({ length: count }, () => openClient(flint.httpPort));
}

/** Far more connections than there are descriptors; `says` is what each sends. */
async function flood(flint: FlintProcess, says: string): Promise<Client[]> {
  const clients = openMany(flint, 600);
  for (const client of clients) if (says !== '') void ask(client, says);
  await eventually(
    () => clients.filter(({ isOpen, isClosed }) => isOpen || isClosed).length,
    (count) => count === clients.length,
  );
  // What it makes of them is done by then.
  await pause(1000);
  return clients;
}

describe('descriptors spent', { concurrency: 3 }, () => {
  for (const [kind, says] of [
    ['silent', ''],
    ['asking', get],
  ] as const)
    test(`a flood of ${kind} connections does not end Flint, and when it is over all is as before`, async (context) => {
      const flint = await flintWithFewDescriptors(context);
      const descriptorsBefore = descriptorsOf(flint.pid);
      const clients = await flood(flint, says);
      assert.ok(descriptorsOf(flint.pid) > descriptorsBefore + 40, 'the flood was felt');
      closeAll(clients);
      const left = await eventually(
        () => descriptorsOf(flint.pid),
        (count) => count <= descriptorsBefore,
      );
      assert.ok(left <= descriptorsBefore, `${left - descriptorsBefore} descriptors are left`);
      assert.deepEqual(await statusesOf(openMany(flint, 30)), [200]);
      assert.equal((await flint.admin('/readyz')).status, 200);
      // A worker that had died would have been replaced, with a word about it.
      assert.equal(flint.said('worker'), false);
    });

  test('requests under way are finished, whoever comes', async (context) => {
    const flint = await flintWithFewDescriptors(context, 3000);
    const before = openMany(flint, 20);
    const statuses = statusesOf(before);
    await eventually(
      () => before.filter(({ isOpen }) => isOpen).length,
      (count) => count === before.length,
    );
    await pause(200);
    const clients = await flood(flint, '');
    assert.deepEqual(await statuses, [200]);
    closeAll([...clients, ...before]);
  });

  test('the oldest idle connections go first: whoever comes last is served', async (context) => {
    const flint = await flintWithFewDescriptors(context);
    const early = openMany(flint, 20);
    assert.deepEqual(await statusesOf(early), [200]);
    // Who has only just been answered is spared: a flood within that time finds nobody idle.
    await pause(300);
    const clients = await flood(flint, '');
    assert.deepEqual(await statusesOf(openMany(flint, 10)), [200]);
    const left = await eventually(
      () => early.filter(({ isClosed }) => !isClosed).length,
      (count) => count === 0,
    );
    assert.equal(left, 0, 'older ones have stayed');
    closeAll(clients);
  });

  test('connections that do not fit cost no time', async (context) => {
    const flint = await flintWithFewDescriptors(context);
    const clients = await flood(flint, '');
    const before = cpuMsOf(flint.pid);
    await pause(2000);
    const spent = cpuMsOf(flint.pid) - before;
    context.diagnostic(`${spent} ms of CPU in 2 s`);
    closeAll(clients);
    assert.ok(spent < 300, `${spent} ms of CPU in 2 s`);
  });

  test('the admin port answers during the flood', async (context) => {
    const flint = await flintWithFewDescriptors(context);
    const clients = await flood(flint, '');
    const answer = await Promise.race([
      flint.admin('/livez').then(({ status }) => status, String),
      within('no answer'),
    ]);
    closeAll(clients);
    assert.equal(answer, 200);
  });
});
