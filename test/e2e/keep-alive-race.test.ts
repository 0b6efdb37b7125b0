// Backends that close idle connections without a word, sooner or later: nobody notices, and nothing is done twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { askInPairs, requestsInPairs } from './pairs.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

for (const closeAfterMs of [0, 1, 5, 19, 40, 150])
  test(`300 GET and 300 POST to a backend that closes ${closeAfterMs} ms after a response: 0 errors, 0 duplicates`, async (context) => {
    const seen = new Map<string, number>();
    const backend = await rawBackend(context, (socket, received) => {
      // One request after the other; what matters is the last one, when it is complete.
      const [, method = '', path = ''] = [...received.matchAll(/(GET|POST) (\/\S+) HTTP/g)].at(-1) ?? [];
      if (!received.endsWith(method === 'POST' ? '\r\n\r\nhi' : '\r\n\r\n')) return;
      // After its own close a server reads no more; a POST must not even be sent to it then.
      if (socket.writableEnded && method === 'GET') return;
      seen.set(`${method} ${path}`, (seen.get(`${method} ${path}`) ?? 0) + 1);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      if (closeAfterMs === 0) socket.end();
      else {
        clearTimeout(closing.get(socket));
        closing.set(
          socket,
          setTimeout(() => socket.end(), closeAfterMs),
        );
      }
    });
    const closing = new Map<unknown, NodeJS.Timeout>();
    const flint = await startFlint(
      context,
      yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
      ['--workers', '1'],
    );
    const statuses = await askInPairs(flint, closeAfterMs);
    assert.deepEqual([...statuses], [[200, requestsInPairs]]);
    assert.deepEqual(
      [...seen].filter(([, count]) => count !== 1),
      [],
    );
    assert.equal(seen.size, requestsInPairs);
  });

test('POSTs to a backend that keeps its connections share them', async (context) => {
  const backend = await rawBackend(context, (socket, received) => {
    if (received.endsWith('hi')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    ['--workers', '1'],
  );
  const client = await HttpClient.open(flint.httpPort);
  const post = async (): Promise<void> => {
    client.send('POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhi');
    assert.equal((await client.answer()).status, 200);
  };
  await post();
  await new Promise((resolve) => setTimeout(resolve, 200));
  // The first one is old enough to vouch for those that come.
  for (let number = 0; number < 100; number++) await post();
  assert.ok(backend.connections < 10, `${backend.connections} connections`);
  client.close();
});
