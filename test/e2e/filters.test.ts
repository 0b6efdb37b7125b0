// Filters and policies on the wire: what the client gets, and what the backend is asked.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Backend, Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { route, service, yaml } from './manifests.ts';

const toShop = [{ name: 'shop', port: 80 }];
const prefix = (value: string): unknown => [{ path: { value } }];

const rules = [
  {
    matches: prefix('/headers'),
    filters: [
      {
        type: 'ResponseHeaderModifier',
        responseHeaderModifier: {
          remove: ['Content-Type'],
          set: [{ name: 'X-Served-By', value: 'flint' }],
          add: [{ name: 'Strict-Transport-Security', value: 'max-age=1' }],
        },
      },
      {
        type: 'RequestHeaderModifier',
        requestHeaderModifier: {
          remove: ['x-secret'],
          set: [{ name: 'X-Env', value: 'prod' }],
          add: [{ name: 'X-Team', value: 'b' }],
        },
      },
    ],
    backendRefs: toShop,
  },
  {
    matches: prefix('/api'),
    filters: [
      {
        type: 'URLRewrite',
        urlRewrite: {
          hostname: 'backend.internal',
          path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/v2' },
        },
      },
    ],
    backendRefs: toShop,
  },
  {
    matches: prefix('/full'),
    filters: [
      { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/one' } } },
    ],
    backendRefs: toShop,
  },
  {
    matches: prefix('/old'),
    filters: [
      {
        type: 'RequestRedirect',
        requestRedirect: {
          scheme: 'https',
          statusCode: 301,
          path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' },
        },
      },
      {
        type: 'ResponseHeaderModifier',
        responseHeaderModifier: { add: [{ name: 'X-Moved', value: 'yes' }] },
      },
    ],
  },
  {
    matches: prefix('/here'),
    filters: [
      {
        type: 'RequestRedirect',
        requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/there' } },
      },
    ],
  },
  {
    matches: prefix('/teapot'),
    filters: [
      {
        type: 'DirectResponse',
        directResponse: { statusCode: 418, contentType: 'application/json', body: '{"grüße":1}' },
      },
    ],
  },
  { matches: prefix('/gone'), filters: [{ type: 'DirectResponse', directResponse: { statusCode: 204 } }] },
  {
    matches: prefix('/small'),
    policy: { requestBody: { maxSize: '1Ki' } },
    backendRefs: toShop,
  },
  { matches: prefix('/private'), policy: { clientIP: { allow: ['10.0.0.0/8'] } }, backendRefs: toShop },
  { matches: prefix('/banned'), policy: { clientIP: { deny: ['127.0.0.0/8'] } }, backendRefs: toShop },
  { matches: prefix('/local'), policy: { clientIP: { allow: ['127.0.0.0/8'] } }, backendRefs: toShop },
];

describe('filters', () => {
  let flint: FlintProcess;
  let backend: Backend;
  const cleanups: (() => void)[] = [];
  const context = { after: (cleanup: () => void) => cleanups.push(cleanup) };

  before(async () => {
    backend = await echoBackend(context, 'shop');
    const manifests = yaml(
      route('shop', { hostnames: ['shop.test'], rules }),
      ...service('shop', [backend.port]),
    );
    flint = await startFlint(context, manifests, ['--trusted-proxy', '127.0.0.2/32']);
  });
  after(() => {
    for (const cleanup of cleanups) cleanup();
  });

  const ask = (path: string, options = {}): ReturnType<typeof request> =>
    request(flint.httpPort, 'shop.test', path, options);
  const echo = async (path: string, options = {}): Promise<Echo> =>
    JSON.parse((await ask(path, options)).body) as Echo;

  test('request fields are removed, replaced and added', async () => {
    const { headers } = await echo('/headers', {
      headers:
        'X-Secret: 1\r\nX_Secret: 2\r\nX_Env: evil\r\nX-ENV: dev\r\nx-env: test\r\nX-Team: a\r\nX-Other: stays\r\n',
    });
    assert.equal(headers['x-secret'], undefined);
    // CGI and its like would read these as the same names.
    assert.equal(headers['x_secret'], undefined);
    assert.equal(headers['x_env'], undefined);
    assert.equal(headers['x-env'], 'prod');
    assert.equal(headers['x-team'], 'a, b');
    assert.equal(headers['x-other'], 'stays');
  });

  test('response fields are removed, replaced and added, but not in faults', async () => {
    const { headers } = await ask('/headers');
    assert.equal(headers['content-type'], undefined);
    assert.equal(headers['x-served-by'], 'flint');
    assert.equal(headers['strict-transport-security'], 'max-age=1');
    assert.equal((await ask('/headers', { method: 'TRACE' })).headers['x-served-by'], undefined);
  });

  test('the prefix of a path and the Host are rewritten, the query stays', async () => {
    const { url, headers } = await echo('/api/items/1?q=a%20b');
    assert.equal(url, '/v2/items/1?q=a%20b');
    assert.equal(headers['host'], 'backend.internal');
    assert.equal(headers['x-forwarded-host'], 'shop.test');
    assert.equal((await echo('/api')).url, '/v2');
    assert.equal((await echo('/api/')).url, '/v2/');
    assert.equal((await echo('/a/../api/x')).url, '/v2/x');
  });

  test('a whole path is replaced', async () => {
    assert.equal((await echo('/full/of/it?q=1')).url, '/one?q=1');
  });

  test('the access log keeps the path that was asked for', async () => {
    await ask('/api/logged');
    await flint.until(() => flint.accessLog.some(({ path }) => path === '/api/logged'));
  });

  test('redirects ask no backend', async () => {
    const seen = backend.requests.length;
    const moved = await ask('/old/page?x=1');
    assert.equal(moved.status, 301);
    assert.equal(moved.headers['location'], 'https://shop.test/new/page?x=1');
    assert.equal(moved.headers['x-moved'], 'yes');
    assert.equal(moved.headers['content-length'], '0');
    assert.equal(moved.headers['x-flint-fault'], undefined);
    const here = await request(flint.httpPort, 'shop.test:8080', '/here');
    assert.equal(here.status, 302);
    assert.equal(here.headers['location'], 'http://shop.test:8080/there');
    assert.equal(backend.requests.length, seen);
  });

  test('a redirect knows the scheme from a trusted proxy only', async () => {
    const headers = 'X-Forwarded-Proto: https\r\n';
    assert.equal((await ask('/here', { headers })).headers['location'], 'http://shop.test/there');
  });

  test('direct responses keep the connection', async () => {
    const client = await HttpClient.open(flint.httpPort);
    context.after(() => client.close());
    for (let turn = 0; turn < 3; turn++) {
      client.send('GET /teapot HTTP/1.1\r\nHost: shop.test\r\n\r\n');
      const { status, headers, body } = await client.answer();
      assert.equal(status, 418);
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(Buffer.from(body, 'latin1').toString(), '{"grüße":1}');
    }
    client.send('HEAD /teapot HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    assert.equal((await client.answer('HEAD')).headers['content-length'], '13');
    client.send('GET /gone HTTP/1.1\r\nHost: shop.test\r\n\r\n');
    const gone = await client.answer();
    assert.equal(gone.status, 204);
    assert.equal(gone.headers['content-length'], undefined);
    assert.equal(client.isEnded, false);
  });

  test('a body within the limit passes, one that announces more is refused at its head', async () => {
    assert.equal((await ask('/small', { method: 'POST', body: 'x'.repeat(1024) })).status, 200);
    const seen = backend.requests.length;
    const client = await HttpClient.open(flint.httpPort);
    client.send('POST /small HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1025\r\n\r\n');
    const { status, headers } = await client.answer();
    assert.equal(status, 413);
    assert.equal(headers['x-flint-fault'], 'body-too-large');
    assert.equal(headers['connection'], 'close');
    await client.untilEnded();
    assert.equal(backend.requests.length, seen);
  });

  test('a chunked body is counted as it comes', async () => {
    const send = async (chunks: number): Promise<number> => {
      const client = await HttpClient.open(flint.httpPort);
      client.send('POST /small HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let each = 0; each < chunks; each++) client.send(`100\r\n${'x'.repeat(256)}\r\n`);
      client.send('0\r\n\r\n');
      const { status } = await client.answer();
      client.close();
      return status;
    };
    assert.equal(await send(4), 200);
    assert.equal(await send(5), 413);
  });

  test('clients are admitted by their own address', async () => {
    assert.equal((await ask('/local')).status, 200);
    const refused = await ask('/private');
    assert.equal(refused.status, 403);
    assert.equal(refused.headers['x-flint-fault'], 'client-denied');
    assert.equal((await ask('/banned')).status, 403);
    // A stranger cannot talk himself in.
    assert.equal((await ask('/private', { headers: 'X-Forwarded-For: 10.1.2.3\r\n' })).status, 403);
  });
});
