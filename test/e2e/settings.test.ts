// Settings decide on the wire: limits and timeouts from a file, single ones on top of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

test('limits and timeouts are what the settings say', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'flint-settings-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, 'limits: {headBytes: 2048, fields: 12, targetBytes: 300}\ntimeouts: {head: 5s}\n');
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--settings', file, '--set', 'timeouts.head=2s', '--set', 'timeouts.clientIdle=400ms'],
  );
  const status = async (path: string, headers = ''): Promise<number> =>
    (await request(flint.httpPort, 'shop.test', path, { headers })).status;
  assert.equal(await status(`/${'a'.repeat(299)}`), 200);
  assert.equal(await status(`/${'a'.repeat(300)}`), 414);
  assert.equal(await status('/', 'A: b\r\n'.repeat(11)), 200);
  assert.equal(await status('/', 'A: b\r\n'.repeat(12)), 431);
  assert.equal(await status('/', `A: ${'b'.repeat(2048)}\r\n`), 431);

  const slow = await HttpClient.open(flint.httpPort);
  slow.send('GET / HTTP/1.1\r\n');
  assert.equal((await slow.answer()).status, 408);

  const idle = await HttpClient.open(flint.httpPort);
  idle.send('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.equal((await idle.answer()).status, 200);
  await idle.untilEnded();
  assert.equal(idle.unread, '');
});

test('a body that trickles is given up where the settings have a floor', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--set', 'limits.bodyBytesPerSecond=1000'],
  );
  /** The status of an upload of so many pieces, one each 100 ms. */
  const upload = async (bytes: number, pieces: number): Promise<number> => {
    const client = await HttpClient.open(flint.httpPort);
    client.send(`POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${bytes * pieces}\r\n\r\n`);
    const answered = client.answer();
    for (let piece = 0; piece < pieces; piece++) {
      client.send('x'.repeat(bytes));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { status } = await answered;
    client.close();
    return status;
  };
  assert.deepEqual(await Promise.all([upload(50, 70), upload(400, 70)]), [408, 200]);
});
