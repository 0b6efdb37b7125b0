// Trailers cross the proxy in both directions, without those that a recipient would have to know at the head.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

const answer =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n2\r\nhi\r\n' +
  '0\r\nDigest: y\r\nSet-Cookie: a=b\r\nX-Request-Id: z\r\n\r\n';

test('trailers', async (context) => {
  let received = '';
  const backend = await rawBackend(context, (socket, text) => {
    received = text;
    if (!text.endsWith('\r\n\r\n') || (text.startsWith('POST') && !text.includes('\r\n0\r\n'))) return;
    socket.end(answer);
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
  );
  const ask = async (text: string): Promise<string> => {
    const client = await HttpClient.open(flint.httpPort);
    client.send(text);
    while (!/\r\n0\r\n(?:[^]*\r\n)?\r\n$/.test(client.unread))
      await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
    return client.unread;
  };

  const withTrailers = await ask(
    'POST / HTTP/1.1\r\nHost: shop.test\r\nTE: trailers\r\nConnection: TE\r\nTrailer: Checksum\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nChecksum: 1\r\nHost: evil\r\nAuthorization: x\r\n\r\n',
  );
  assert.match(received, /\r\nTE: trailers\r\nConnection: TE\r\n/);
  assert.match(received, /\r\nTrailer: Checksum\r\n/);
  assert.ok(received.endsWith('3\r\nabc\r\n0\r\nChecksum: 1\r\n\r\n'), received);
  assert.match(withTrailers, /\r\nTrailer: Digest\r\n/);
  assert.ok(withTrailers.endsWith('2\r\nhi\r\n0\r\nDigest: y\r\n\r\n'), withTrailers);

  // A client that did not say it takes trailers gets none.
  const without = await ask('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.doesNotMatch(received, /\r\nTE:/);
  assert.doesNotMatch(without, /\r\nTrailer:/);
  assert.ok(without.endsWith('2\r\nhi\r\n0\r\n\r\n'), without);
});
