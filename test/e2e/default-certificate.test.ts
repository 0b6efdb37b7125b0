// The setting defaultCertificate: who gets it, and which requests may come by such a connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { ask, failureOf, open, pairFor, routeWithTls, secret, secureRoute } from './tls-clients.ts';

const anyway = { checkServerIdentity: () => undefined };

async function scene(context: TestContext): Promise<{ flint: FlintProcess; objects: readonly unknown[] }> {
  const objects = [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    secret('any-tls', pairFor('*.any.test')),
    secret('shop-tls', pairFor('shop.test')),
    secureRoute('shop.test', 'shop', 'shop-tls'),
    secureRoute('missing.test', 'shop', 'nowhere-tls'),
    routeWithTls('db.test', 'shop', { mode: 'Passthrough' }),
    simpleRoute('plain.any.test', 'shop'),
  ];
  const flint = await startFlint(context, yaml(...objects), ['--set', 'defaultCertificate=default/any-tls']);
  return { flint, objects };
}

test('names that nobody serves, hosts without tls and clients without a name get it', async (context) => {
  const { flint } = await scene(context);
  const plain = await ask(flint, 'plain.any.test');
  assert.deepEqual([plain.status, plain.dnsNames], [200, 'DNS:*.any.test']);
  const nobody = await ask(flint, 'nobody.test', anyway);
  assert.deepEqual([nobody.status, nobody.dnsNames], [404, 'DNS:*.any.test']);
  const nameless = await ask(flint, 'plain.any.test', { ...anyway, servername: '' });
  assert.deepEqual([nameless.status, nameless.dnsNames], [200, 'DNS:*.any.test']);
});

test('hosts with tls have their own or none', async (context) => {
  const { flint } = await scene(context);
  assert.equal((await ask(flint, 'shop.test')).dnsNames, 'DNS:shop.test');
  assert.match(await failureOf(flint, { servername: 'missing.test' }), /INTERNAL_ERROR/);
  for (const host of ['shop.test', 'missing.test', 'db.test']) {
    const other = await ask(flint, 'plain.any.test', { headers: { host } });
    assert.deepEqual([other.status, other.fault], [421, 'misdirected'], host);
  }
  const back = await ask(flint, 'shop.test', { headers: { host: 'plain.any.test' } });
  assert.equal(back.status, 421);
});

test('it is renewed as any other, and refused again when it goes', async (context) => {
  const { flint, objects } = await scene(context);
  const serialOf = async (): Promise<string> => {
    const socket = await open(flint, 'nobody.test', anyway);
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await serialOf();
  const others = objects.filter((object) => !JSON.stringify(object).includes('"any-tls"'));
  await flint.apply(yaml(...others, secret('any-tls', pairFor('*.any.test'))));
  assert.notEqual(await serialOf(), before);
  await flint.apply(yaml(...others));
  assert.match(await failureOf(flint, { servername: 'nobody.test' }), /UNRECOGNIZED_NAME/);
});
