// The PROXY protocol in front of HTTP: believed from the peers that were named, a mistake from everyone else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';
const version1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n';
const version2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24', 'latin1'),
  Buffer.from('20010db8000000000000000000000009', 'hex'),
  Buffer.from('fd000000000000000000000000000001', 'hex'),
  Buffer.from([0x12, 0x67, 0x01, 0xbb]),
]).toString('latin1');
const local2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00', 'latin1').toString('latin1');

test('a named peer speaks for its clients', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--set', 'proxyProtocol=127.0.0.1/32', '--set', 'trustedProxies=198.51.100.0/24'],
  );
  const ask = async (text: string, pieces = 1): Promise<Echo['headers']> => {
    const client = await HttpClient.open(flint.httpPort);
    const size = Math.ceil(text.length / pieces);
    for (let at = 0; at < text.length; at += size) {
      client.send(text.slice(at, at + size));
      if (pieces > 1) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const { status, body } = await client.answer();
    assert.equal(status, 200, body);
    client.close();
    return (JSON.parse(body) as Echo).headers;
  };
  const refused = async (text: string): Promise<void> => {
    const client = await HttpClient.open(flint.httpPort);
    client.send(text);
    const { status, headers } = await client.answer();
    assert.deepEqual([status, headers['x-flint-fault']], [400, 'proxy-header-invalid']);
    await client.untilEnded();
  };

  assert.equal((await ask(version1 + get))['x-forwarded-for'], '203.0.113.9');
  assert.equal((await ask(version1 + get, 40))['x-real-ip'], '203.0.113.9');
  assert.equal((await ask(version2 + get))['x-forwarded-for'], '2001:db8::9');
  assert.equal((await ask(version2 + get, 40))['x-forwarded-for'], '2001:db8::9');
  // What the balancer says of itself, such as in a health check.
  assert.equal((await ask(local2 + get))['x-forwarded-for'], '127.0.0.1');
  assert.equal((await ask(`PROXY UNKNOWN\r\n${get}`))['x-forwarded-for'], '127.0.0.1');
  // The client that is named may itself be a trusted proxy.
  const behind = await ask(
    `PROXY TCP4 198.51.100.7 10.0.0.1 1 443\r\nGET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n`,
  );
  assert.equal(behind['x-forwarded-for'], '192.0.2.1, 198.51.100.7');
  await refused(get);
  await refused(`PROXY TCP4 nonsense 10.0.0.1 1 443\r\n${get}`);
  assert.equal(await flint.metric('flint_faults_total{fault="proxy-header-invalid"}'), 2);
});

test('from anyone else it is no HTTP', async (context) => {
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--set', 'proxyProtocol=10.0.0.0/8'],
  );
  for (const header of [version1, version2]) {
    const client = await HttpClient.open(flint.httpPort);
    client.send(header + get);
    assert.equal((await client.answer()).status, 400);
    client.close();
  }
});
