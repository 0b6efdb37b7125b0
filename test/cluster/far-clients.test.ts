// Clients a long way off, while one data plane follows another on their port: halfway through a handshake they meet nobody
// who resets them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from '../e2e/backends.ts';
import { startFlint } from '../e2e/flint-process.ts';
import { Load } from '../e2e/load.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';

const here = '10.214.0.1';
const farAway = '10.214.0.2';
/** One way, of four in a handshake and a request. */
const wayMs = 15;

/** Each asks to be the only one of its connection. */
const request = (number: number): string =>
  `GET /${number} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n`;

test('far clients go from one data plane to the next, and none is reset halfway in', async (context) => {
  if (!(await openLongWay(context))) return;
  const backend = await echoBackend(context, 'shop');
  const manifests = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port]));
  const args = ['--workers', '2', '--drain-delay', '300', '--access-log', 'off', '--http'];
  let present = await startFlint(context, manifests, [...args, `${here}:0`]);
  const port = present.httpPort;
  const load = new Load({
    port: { host: farAway, port },
    host: 'shop.test',
    connections: 64,
    request,
    onClose: 'reconnect',
  });
  for (let handover = 0; handover < 4; handover++) {
    await load.more(200);
    const next = await startFlint(context, manifests, [...args, `${here}:${port}`]);
    await load.more(200);
    assert.equal(await present.stop('SIGTERM'), 0);
    present = next;
  }
  await load.more(200);
  const { requests, statuses, errors } = await load.stop();
  context.diagnostic(`${requests} requests over connections of their own`);
  assert.deepEqual(errors, []);
  assert.deepEqual(statuses, { 200: requests });
});

/** False, and the test is skipped, where no such network can be made. */
async function openLongWay(context: TestContext): Promise<boolean> {
  if (process.env['FLINT_PRIVATE_NETWORK'] === undefined) {
    context.skip('SKIPPED: it needs a network of its own (hack/private-network)');
    return false;
  }
  const command = ['bun', 'test/cluster/long-way.ts', 'far0', here, `${wayMs}`];
  const child = spawn('hack/runtime', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  const isUp = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!isUp) context.skip(`SKIPPED: no network device can be made here: ${told.trim()}`);
  return isUp;
}
