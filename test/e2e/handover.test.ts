// Two Flints on one port of one machine, as on a node's own network: the old one leaves, and nobody who comes notices.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { runtime, startFlint } from './flint-process.ts';
import { handOver } from './handovers.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { until } from '../kube/until.ts';
import { freePort } from '../free-port.ts';

const options =
  runtime === 'node' ? { todo: 'on Node a listener that closes resets what waits in its queue' } : {};

test('new connections go to whoever is there: none is refused, none is reset', options, (context) =>
  handOver(context, { at: '127.0.0.1', from: '127.0.0.1', connections: 8, count: 3, requests: 100 }),
);

test('the address of the admin pages is handed over, too', async (context) => {
  const manifests = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [1]));
  const addresses = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
  const [admin = '', spare = ''] = addresses;
  // Long enough for the second to take over while the first still accepts.
  const args = ['--workers', '1', '--drain-delay', '3000', '--admin', admin, '--admin-spare', spare];
  const first = await startFlint(context, manifests, args);
  assert.equal(`127.0.0.1:${first.adminPort}`, admin);
  const second = await startFlint(context, manifests, args);
  assert.equal(`127.0.0.1:${second.adminPort}`, spare);
  assert.equal((await second.admin('/readyz')).status, 200);
  const leaving = first.stop('SIGTERM');
  await until('the spare address is free', async () => {
    const response = await fetch(`http://${spare}/readyz`).catch(() => undefined);
    return response === undefined;
  });
  // The first would say that it is not.
  assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);
  assert.equal(first.process.exitCode, null, 'the first one still drains');
  assert.equal(await leaving, 0);
});

test('a data plane that finds no admin address says so, and stops when it is told to', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'flint-account-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['token', 'ca.crt']) writeFileSync(join(folder, name), '');
  const others = await Promise.all([0, 1].map(() => listeningServer(context)));
  const [admin = 0, spare = 0] = others;
  const args = ['proxy', '--service-account', folder, '--drain-delay', '0'];
  for (const name of ['http', 'https']) args.push(`--${name}`, '127.0.0.1:0');
  args.push('--admin', `127.0.0.1:${admin}`, '--admin-spare', `127.0.0.1:${spare}`);
  const child = spawn('hack/runtime', [runtime, 'src/main.ts', ...args], {
    // Where no API server is.
    env: { ...process.env, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  context.after(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  await until('it waits', () => log.includes('both admin addresses are taken'));
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null], log);
});

async function listeningServer(context: TestContext): Promise<number> {
  const server = createServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
