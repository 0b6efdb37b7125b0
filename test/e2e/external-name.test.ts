// A Service of type ExternalName: refused unless a setting allows it, and then never at a private address unless told so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import { route, yaml } from './manifests.ts';

function manifestsFor(port: number): string {
  return yaml(
    route('named', {
      hostnames: ['named.test'],
      rules: [{ backendRefs: [{ name: 'named', port }] }],
    }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'named' },
      spec: { type: 'ExternalName', externalName: 'localhost' },
    },
  );
}

test('without the setting it is not served, and the log says why', async (t) => {
  const backend = await echoBackend(t, 'named');
  const flint = await startFlint(t, manifestsFor(backend.port));
  const { status, headers } = await request(flint.httpPort, 'named.test', '/');
  assert.deepEqual([status, headers['x-flint-fault']], [503, 'backend-unresolved']);
  assert.ok(flint.log.some(({ msg }) => String(msg).includes('externalNames')));
});

test('with Public, a name that leads to loopback has no endpoints', async (t) => {
  const backend = await echoBackend(t, 'named');
  const flint = await startFlint(t, manifestsFor(backend.port), ['--set', 'externalNames=Public']);
  await flint.until(() => flint.said('a name leads to an address that is not public: it is not used'));
  const { status, headers } = await request(flint.httpPort, 'named.test', '/');
  assert.deepEqual([status, headers['x-flint-fault']], [503, 'endpoints-none']);
  assert.equal(backend.requests.length, 0);
});

test('with Any, it is resolved and served', async (t) => {
  const backend = await echoBackend(t, 'named');
  const flint = await startFlint(t, manifestsFor(backend.port), ['--set', 'externalNames=Any']);
  // The name is looked up when the table is there already.
  for (let status = 0; status !== 200;) ({ status } = await request(flint.httpPort, 'named.test', '/'));
  assert.ok(backend.requests.length >= 1);
});
