// What no rule takes: 404, or the default backend of the controller, or that of an Ingress.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import { route, service, yaml } from './manifests.ts';

const shop = route('shop', {
  hostnames: ['shop.test'],
  rules: [{ matches: [{ path: { value: '/shop' } }], backendRefs: [{ name: 'shop', port: 80 }] }],
});

const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'blog' },
  spec: {
    ingressClassName: 'flint',
    defaultBackend: { service: { name: 'fallback', port: { number: 80 } } },
    rules: [
      {
        host: '*.blog.test',
        http: {
          paths: [
            {
              path: '/posts',
              pathType: 'Exact',
              backend: { service: { name: 'shop', port: { number: 80 } } },
            },
          ],
        },
      },
    ],
  },
};

test('the default backend takes what no host and no path takes, and nothing else', async (t) => {
  const [shopBackend, fallback] = [await echoBackend(t, 'shop'), await echoBackend(t, 'fallback')];
  const manifests = yaml(
    shop,
    ...service('shop', [shopBackend.port]),
    ...service('fallback', [fallback.port]),
  );
  const flint = await startFlint(t, manifests, ['--set', 'defaultBackend=default/fallback:80']);
  const backendOf = async (host: string, path: string): Promise<string> => {
    const { status, body } = await request(flint.httpPort, host, path);
    return status === 200 ? (JSON.parse(body) as Echo).backend : String(status);
  };
  assert.equal(await backendOf('shop.test', '/shop/1'), 'shop');
  assert.equal(await backendOf('shop.test', '/elsewhere'), 'fallback');
  assert.equal(await backendOf('nobody.test', '/'), 'fallback');
  // A doubtful path goes nowhere, whoever would take it.
  assert.equal(await backendOf('nobody.test', '/a%2fb'), '400');
  await flint.until(() => flint.accessLog.length === 4);
  const elsewhere = flint.accessLog.find(({ path }) => path === '/elsewhere');
  assert.equal(elsewhere?.['route'], 'default/defaultBackend/defaultBackend');
});

test('without one it is 404; with one that leads nowhere it is 503, and the log says so', async (t) => {
  const backend = await echoBackend(t, 'shop');
  const manifests = yaml(shop, ...service('shop', [backend.port]));
  const without = await startFlint(t, manifests);
  assert.equal((await request(without.httpPort, 'nobody.test', '/')).status, 404);
  const astray = await startFlint(t, manifests, ['--set', 'defaultBackend=default/gone:80']);
  assert.equal((await request(astray.httpPort, 'nobody.test', '/')).status, 503);
  assert.ok(astray.said('the setting defaultBackend: namespace default has no Service gone'));
  assert.equal((await request(astray.httpPort, 'shop.test', '/shop')).status, 200);
});

test('an Ingress from a file: one label for a wildcard, its default backend for the rest of its host', async (t) => {
  const [shopBackend, fallback] = [await echoBackend(t, 'shop'), await echoBackend(t, 'fallback')];
  const manifests = yaml(
    ingress,
    ...service('shop', [shopBackend.port]),
    ...service('fallback', [fallback.port]),
  );
  const flint = await startFlint(t, manifests);
  const backendOf = async (host: string, path: string): Promise<string> => {
    const { status, body } = await request(flint.httpPort, host, path);
    return status === 200 ? (JSON.parse(body) as Echo).backend : String(status);
  };
  assert.equal(await backendOf('a.blog.test', '/posts'), 'shop');
  assert.equal(await backendOf('a.blog.test', '/posts/1'), 'fallback');
  assert.equal(await backendOf('a.b.blog.test', '/posts'), '404');
  assert.equal(await backendOf('blog.test', '/posts'), '404');
});
