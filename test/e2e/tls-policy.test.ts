// What hosts ask of TLS beyond their certificates: the lowest version, and that browsers come back with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend, headersBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { request } from './http-client.ts';
import { service, yaml } from './manifests.ts';
import { ask, authority, failureOf, open, routeWithTls, secret } from './tls-clients.ts';

const certificateRefs = [{ name: 'all-tls' }];
const names = ['new.test', 'old.test', 'other.test', 'strict.test'];
const age = '8760h';
const said = 'max-age=31536000; includeSubDomains; preload';

async function scene(context: TestContext): Promise<FlintProcess> {
  const strictTransportSecurity = { maxAge: age, includeSubDomains: true, preload: true };
  return startFlint(
    context,
    yaml(
      ...service('shop', [(await echoBackend(context, 'shop')).port]),
      ...service('chatty', [
        await headersBackend(context, { 'strict-transport-security': 'max-age=1', 'x-kept': 'yes' }),
      ]),
      secret('all-tls', authority.issue({ dnsNames: names })),
      routeWithTls('new.test', 'shop', { certificateRefs, minVersion: '1.3' }),
      routeWithTls('old.test', 'shop', { certificateRefs }),
      routeWithTls('other.test', 'shop', { certificateRefs }),
      routeWithTls(
        'strict.test',
        'chatty',
        { certificateRefs, plaintext: 'Serve', strictTransportSecurity },
        {
          rules: [
            { matches: [{ path: { value: '/backend' } }], backendRefs: [{ name: 'chatty', port: 80 }] },
            { matches: [{ path: { value: '/nobody' } }], backendRefs: [{ name: 'gone', port: 80 }] },
            {
              matches: [{ path: { value: '/elsewhere' } }],
              filters: [{ type: 'RequestRedirect', requestRedirect: { hostname: 'other.test' } }],
            },
            {
              matches: [{ path: { value: '/changed' } }],
              filters: [
                {
                  type: 'ResponseHeaderModifier',
                  responseHeaderModifier: {
                    set: [{ name: 'strict-transport-security', value: 'max-age=2' }],
                    add: [{ name: 'X-Added', value: 'yes' }],
                  },
                },
              ],
              backendRefs: [{ name: 'chatty', port: 80 }],
            },
          ],
        },
      ),
    ),
    ['--workers', '1'],
  );
}

test('a client below the lowest version is told so, and counted; others and other hosts are served', async (context) => {
  const flint = await scene(context);
  const older = { maxVersion: 'TLSv1.2' } as const;
  assert.match(await failureOf(flint, { servername: 'new.test', ...older }), /PROTOCOL_VERSION/);
  assert.equal((await ask(flint, 'new.test')).status, 200);
  assert.equal((await ask(flint, 'old.test', older)).status, 200);
  assert.equal(await flint.metric('flint_tls_handshakes_total{outcome="version-too-low"}'), 1);
});

test('hosts of one certificate share a connection, unless they ask for different TLS', async (context) => {
  const flint = await scene(context);
  const shared = await ask(flint, 'old.test', { headers: { host: 'other.test' } });
  assert.equal(shared.status, 200);
  for (const [connected, asked] of [
    ['old.test', 'new.test'],
    ['new.test', 'old.test'],
  ] as const) {
    const answer = await ask(flint, connected, { headers: { host: asked } });
    assert.deepEqual([answer.status, answer.fault], [421, 'misdirected']);
  }
});

test('a session is not resumed where another policy holds', async (context) => {
  const flint = await scene(context);
  const first = await open(flint, 'old.test', { maxVersion: 'TLSv1.3' });
  const session = await new Promise<Buffer>((resolve) => {
    first.once('session', resolve);
    first.write('GET / HTTP/1.1\r\nHost: old.test\r\n\r\n');
  });
  first.destroy();
  for (const [name, isResumed] of [
    ['old.test', true],
    ['new.test', false],
    ['other.test', false],
  ] as const) {
    const again = await open(flint, name, { session });
    assert.equal(again.isSessionReused(), isResumed, name);
    again.destroy();
  }
});

test('every response of the host says Strict-Transport-Security once, ours as well, and none without TLS', async (context) => {
  const flint = await scene(context);
  for (const [path, status] of [
    ['/backend', 200],
    ['/changed', 200],
    ['/nobody', 503],
    ['/elsewhere', 302],
    ['/nothing', 404],
    ['/backend//x', 400],
  ] as const) {
    const secure = await ask(flint, 'strict.test', { path });
    assert.deepEqual([secure.status, secure.headers['strict-transport-security']], [status, said], path);
  }
  const changed = await ask(flint, 'strict.test', { path: '/changed' });
  assert.deepEqual([changed.headers['x-added'], changed.headers['x-kept']], ['yes', 'yes']);
  for (const [path, value] of [
    ['/backend', 'max-age=1'],
    ['/changed', 'max-age=2'],
    ['/nobody', undefined],
  ] as const) {
    const plain = await request(flint.httpPort, 'strict.test', path);
    assert.equal(plain.headers['strict-transport-security'], value, path);
  }
  assert.equal((await ask(flint, 'old.test')).headers['strict-transport-security'], undefined);
});
