// Backends that close idle connections the hard way, as close(2) does: what is on its way to them is answered by RST.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { startFlint } from './flint-process.ts';
import { askInPairs, requestsInPairs } from './pairs.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { listenRaw } from './raw-server.ts';

for (const [closeAfterMs, how] of [
  [0, 'close'],
  [5, 'close'],
  [1, 'reset'],
  [40, 'reset'],
] as const)
  test(`300 GET and 300 POST to a backend that does a ${how} ${closeAfterMs} ms after a response: 0 errors, 0 duplicates`, async (context) => {
    const seen = new Map<string, number>();
    const end = (socket: Socket): void => {
      if (how === 'close') socket.destroy();
      else socket.resetAndDestroy();
    };
    const port = await listenRaw(context, (socket) => {
      let text = '';
      let closing: NodeJS.Timeout | undefined;
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1');
        const [, method, path] = /^(GET|POST) (\S+) HTTP/.exec(text) ?? [];
        if (!text.endsWith(method === 'POST' ? '\r\n\r\nhi' : '\r\n\r\n')) return;
        text = '';
        // Whatever the backend has read whole, it has acted on.
        seen.set(`${method} ${path}`, (seen.get(`${method} ${path}`) ?? 0) + 1);
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', () => {
          clearTimeout(closing);
          if (closeAfterMs === 0) end(socket);
          else closing = setTimeout(end, closeAfterMs, socket);
        });
      });
    });
    const flint = await startFlint(
      context,
      yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [port])),
      ['--workers', '1'],
    );
    const statuses = await askInPairs(flint, closeAfterMs);
    assert.deepEqual([...statuses], [[200, requestsInPairs]]);
    // A GET may be sent again when it cannot be known whether it was acted on; a POST never.
    assert.deepEqual(
      [...seen].filter(([, count]) => count !== 1),
      [],
    );
    assert.equal(seen.size, requestsInPairs);
  });
