// Where a request comes from: nobody's word is taken for it but a trusted proxy's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const said = {
  'X-Forwarded-For': '203.0.113.9, 198.51.100.1, 10.1.1.1:4711',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'www.shop.test',
  'X-Forwarded-Port': '443',
  'X-Real-IP': '6.6.6.6',
  Forwarded: 'for=203.0.113.9;proto=https',
  'X-Request-Id': 'edge-4711',
};

function lines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

for (const [peer, trusted] of [
  ['trusted', ['127.0.0.0/8', '10.0.0.0/8']],
  ['a stranger', ['10.0.0.0/8']],
] as const)
  test(`what ${peer} says about where a request comes from`, async (context) => {
    const backend = await echoBackend(context, 'shop');
    const flint = await startFlint(
      context,
      yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
      trusted.flatMap((block) => ['--trusted-proxy', block]),
    );
    const ask = async (fields: Readonly<Record<string, string>>): Promise<Echo['headers']> => {
      const { body } = await request(flint.httpPort, 'shop.test', '/', { headers: lines(fields) });
      return (JSON.parse(body) as Echo).headers;
    };
    const heard = await ask(said);
    const { 'x-request-id': requestId, ...rest } = Object.fromEntries(
      Object.entries(heard).filter(([name]) => /^(x-|forwarded)/.test(name)),
    );
    if (peer === 'trusted') {
      assert.deepEqual(rest, {
        'x-forwarded-for': '203.0.113.9, 198.51.100.1, 10.1.1.1:4711, 127.0.0.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'www.shop.test',
        'x-forwarded-port': '443',
        // The last address that is not itself a trusted proxy.
        'x-real-ip': '198.51.100.1',
        forwarded: 'for=203.0.113.9;proto=https, for=127.0.0.1;proto=http',
      });
      assert.equal(requestId, 'edge-4711');
    } else {
      assert.deepEqual(rest, {
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'shop.test',
        'x-real-ip': '127.0.0.1',
      });
      assert.notEqual(requestId, 'edge-4711');
    }
    await flint.until(() => flint.accessLog.length === 1);
    const [line] = flint.accessLog;
    assert.equal(line?.['client'], peer === 'trusted' ? '198.51.100.1' : '127.0.0.1');

    // What makes no sense is not passed on as if it did.
    const odd = await ask({
      'X-Forwarded-For': 'unknown, <script>',
      'X-Forwarded-Proto': 'gopher',
      'X-Forwarded-Host': 'a b, c',
      'X-Request-Id': 'two words',
    });
    assert.equal(odd['x-forwarded-proto'], 'http');
    assert.equal(odd['x-forwarded-host'], 'shop.test');
    assert.equal(odd['x-real-ip'], '127.0.0.1');
    assert.notEqual(odd['x-request-id'], 'two words');
    // And a request without a word is the peer's own.
    assert.equal((await ask({}))['x-forwarded-for'], '127.0.0.1');
  });
