// `flint ready`: its exit code is what a kubelet acts by.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AdminServer } from '#telemetry/admin-server.ts';
import { freePort } from '../free-port.ts';
import { flint } from './recording-terminal.ts';

/** `pod` undefined: of a build that does not know its name. */
async function podAt(context: TestContext, pod: string | undefined, isReady: boolean): Promise<string> {
  const port = await freePort();
  const server = new AdminServer({
    ...(pod === undefined ? {} : { pod }),
    isReady: () => isReady,
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
  });
  context.after(() => server.close());
  await server.listen({ host: '127.0.0.1', port });
  return `127.0.0.1:${port}`;
}

test('0 when it is ready, 1 when it is not', async (context) => {
  const ready = await podAt(context, 'proxy-1', true);
  assert.deepEqual(await flint(['ready', '--admin', ready]), { code: 0, stdout: '', stderr: '' });
  const unready = await podAt(context, 'proxy-1', false);
  const { code, stderr } = await flint(['ready', '--admin', unready]);
  assert.equal(code, 1);
  assert.match(stderr, /^flint: not ready: port \d+ says not ready\n$/);
});

test('with a name only the pod of that name counts, wherever it is', async (context) => {
  const old = await podAt(context, 'old', true);
  const waiting = await podAt(context, 'new', false);
  const addresses = ['--admin', old, '--admin-spare', waiting];
  assert.equal((await flint(['ready', ...addresses, '--pod-name', 'old'])).code, 0);
  const { code, stderr } = await flint(['ready', ...addresses, '--pod-name', 'new']);
  assert.equal(code, 1);
  assert.match(stderr, /says this is old; port \d+ says not ready/);
  const here = await podAt(context, 'new', true);
  assert.equal((await flint(['ready', '--admin', old, '--admin-spare', here, '--pod-name', 'new'])).code, 0);
});

test('a pod that does not say who it is does not speak for another', async (context) => {
  const older = await podAt(context, undefined, true);
  const { code, stderr } = await flint(['ready', '--admin', older, '--pod-name', 'new']);
  assert.equal(code, 1);
  assert.match(stderr, /says ok, and not as new/);
});

test('the name is that of the environment, if nobody says another one', async (context) => {
  const old = await podAt(context, 'old', true);
  process.env['FLINT_POD_NAME'] = 'new';
  context.after(() => delete process.env['FLINT_POD_NAME']);
  assert.equal((await flint(['ready', '--admin', old])).code, 1);
  assert.equal((await flint(['ready', '--admin', old, '--pod-name', 'old'])).code, 0);
});

test('where nobody answers nobody is ready', async () => {
  const { code, stderr } = await flint(['ready', '--admin', `0.0.0.0:${await freePort()}`]);
  assert.equal(code, 1);
  assert.match(stderr, /not ready: port \d+: .*ECONNREFUSED/);
});
