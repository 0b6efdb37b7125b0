// HTTPS as clients see it: the certificate of the name that they ask for, one tenant's trouble kept from the others, and
// connections that no change of a certificate touches.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import { generateKey } from '../tls/certificates.ts';
import { helloMessage, inRecords, serverName } from '../tls/hello-bytes.ts';
import { echoBackend, sizedBackend } from './backends.ts';
import type { Echo } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { request } from './http-client.ts';
import { simpleRoute, service, yaml } from './manifests.ts';
import { ask, authority, failureOf, open, pairFor, secret, secureRoute } from './tls-clients.ts';

async function scene(context: TestContext): Promise<{ flint: FlintProcess; objects: readonly unknown[] }> {
  const objects = [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    ...service('blog', [(await echoBackend(context, 'blog')).port]),
    ...service('large', [await sizedBackend(context)]),
    secret('shop-tls', pairFor('shop.test')),
    secret('any-tls', pairFor('*.blog.test')),
    secureRoute('shop.test', 'shop', 'shop-tls'),
    secureRoute('*.blog.test', 'blog', 'any-tls'),
    secureRoute('missing.test', 'shop', 'nowhere-tls'),
    secret('large-tls', pairFor('large.test')),
    secureRoute('large.test', 'large', 'large-tls'),
    simpleRoute('plain.test', 'shop'),
  ];
  const flint = await startFlint(context, yaml(...objects), ['--workers', '2']);
  return { flint, objects };
}

test('each name is served with its own certificate, exact before wildcard', async (context) => {
  const { flint } = await scene(context);
  const shop = await ask(flint, 'shop.test');
  assert.deepEqual([shop.status, shop.dnsNames], [200, 'DNS:shop.test']);
  assert.match(shop.text, /"x-forwarded-proto":"https"/);
  const blog = await ask(flint, 'a.blog.test');
  assert.deepEqual([blog.status, blog.dnsNames], [200, 'DNS:*.blog.test']);
});

test('a name that nobody serves is told so, and so is one without a certificate; the others are served', async (context) => {
  const { flint } = await scene(context);
  assert.match(await failureOf(flint, { servername: 'nobody.test' }), /UNRECOGNIZED_NAME/);
  assert.match(await failureOf(flint, { servername: '' }), /UNRECOGNIZED_NAME/);
  assert.match(await failureOf(flint, { servername: 'missing.test' }), /INTERNAL_ERROR/);
  assert.match(await failureOf(flint, { servername: 'plain.test' }), /INTERNAL_ERROR/);
  assert.equal((await ask(flint, 'shop.test')).status, 200);
  const outcomes = { 'unknown-name': 2, 'no-certificate': 2, completed: 1, failed: 0 };
  for (const [outcome, count] of Object.entries(outcomes))
    assert.equal(await flint.metric(`flint_tls_handshakes_total{outcome="${outcome}"}`), count, outcome);
});

test('a request for a host with another certificate is misdirected, and the connection goes on', async (context) => {
  const { flint } = await scene(context);
  const other = await ask(flint, 'shop.test', { headers: { host: 'a.blog.test' } });
  assert.deepEqual([other.status, other.fault], [421, 'misdirected']);
  const plain = await ask(flint, 'shop.test', { headers: { host: 'plain.test' } });
  assert.equal(plain.status, 421);
  const nobody = await ask(flint, 'shop.test', { headers: { host: 'nobody.test' } });
  assert.equal(nobody.status, 404);
  const socket = await open(flint, 'shop.test');
  socket.write('GET / HTTP/1.1\r\nHost: a.blog.test\r\n\r\nGET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  let text = '';
  while (!text.includes('HTTP/1.1 200')) text += String((await once(socket, 'data'))[0]);
  assert.match(text, /^HTTP\/1.1 421 /);
  socket.destroy();
});

test('a renewed certificate is used by the next connection, and touches none that is open', async (context) => {
  const { flint, objects } = await scene(context);
  const before = await open(flint, 'shop.test');
  const { serialNumber } = before.getPeerCertificate();
  await flint.apply(
    yaml(
      ...objects.map((object) =>
        (object as { metadata: { name: string } }).metadata.name === 'shop-tls'
          ? secret('shop-tls', pairFor('shop.test'))
          : object,
      ),
    ),
  );
  for (let connections = 0; connections < 8; connections++) {
    const after = await open(flint, 'shop.test');
    assert.notEqual(after.getPeerCertificate().serialNumber, serialNumber);
    after.destroy();
  }
  before.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  assert.match(String((await once(before, 'data'))[0]), /^HTTP\/1.1 200 /);
  before.destroy();
});

test('RSA and ECDSA stand side by side: the client decides', async (context) => {
  const pairs = [pairFor('shop.test'), pairFor('shop.test', generateKey('RSA-2048'))];
  const flint = await startFlint(
    context,
    yaml(
      ...service('shop', [(await echoBackend(context, 'shop')).port]),
      ...pairs.map((pair, index) => secret(`pair-${index}`, pair)),
      secureRoute('shop.test', 'shop', 'pair-0', 'pair-1'),
    ),
  );
  for (const [ciphers, bits] of [
    ['ECDHE-ECDSA-AES128-GCM-SHA256', 256],
    ['ECDHE-RSA-AES128-GCM-SHA256', 2048],
  ] as const) {
    const socket = await open(flint, 'shop.test', { ciphers, maxVersion: 'TLSv1.2' });
    assert.equal(socket.getPeerCertificate().bits, bits);
    socket.destroy();
  }
});

test('TLS 1.2 and 1.3 are spoken, nothing older; h2 is chosen where it is offered, and nothing that is not', async (context) => {
  const { flint } = await scene(context);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    for (const [offered, chosen] of [
      [['http/1.1', 'h2'], 'h2'],
      [['http/1.1', 'spdy/3'], 'http/1.1'],
      [[], false],
    ] as const) {
      const socket = await open(flint, 'shop.test', {
        minVersion: version,
        maxVersion: version,
        ...(offered.length === 0 ? {} : { ALPNProtocols: [...offered] }),
      });
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, chosen]);
      socket.destroy();
    }
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  assert.match(
    await failureOf(flint, { servername: 'shop.test', ...old }),
    /PROTOCOL_VERSION|HANDSHAKE_FAILURE/,
  );
});

test('a ClientHello may come in many pieces; what is none ends', async (context) => {
  const { flint } = await scene(context);
  const hello = inRecords(helloMessage({ extensions: [serverName('nobody.test')] }), 40);
  const slow = connectPlain({ host: '127.0.0.1', port: flint.httpsPort, noDelay: true });
  for (const byte of hello) slow.write(Buffer.from([byte]));
  assert.deepEqual([...((await once(slow, 'data')) as [Buffer])[0]], [21, 3, 3, 0, 2, 2, 112]);
  slow.destroy();
  const plain = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
  plain.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  plain.resume();
  plain.on('error', () => {});
  await once(plain, 'close');
  const broken = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
  broken.write(inRecords(Buffer.from([2, 0, 0, 1, 0])));
  assert.deepEqual([...((await once(broken, 'data')) as [Buffer])[0]], [21, 3, 3, 0, 2, 2, 10]);
  broken.destroy();
});

test('a client that sends half a ClientHello, or begins a handshake and falls silent, is ended in time', async (context) => {
  const objects = [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    secret('shop-tls', pairFor('shop.test')),
    secureRoute('shop.test', 'shop', 'shop-tls'),
  ];
  const flint = await startFlint(context, yaml(...objects), ['--set', 'timeouts.head=300ms']);
  const hello = inRecords(helloMessage({ extensions: [serverName('shop.test')] }));
  for (const length of [0, 30]) {
    const half = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
    half.on('error', () => {});
    if (length > 0) half.write(hello.subarray(0, length));
    half.resume();
    await once(half, 'close');
  }
});

test('large bodies go both ways, and a slow reader of one holds nobody up', async (context) => {
  const { flint } = await scene(context);
  const slow = await open(flint, 'large.test');
  slow.pause();
  slow.write('GET /8388608 HTTP/1.1\r\nHost: large.test\r\n\r\n');
  const large = await ask(flint, 'large.test', { path: '/3000000' });
  assert.equal(large.text.length, 3_000_000);
  slow.destroy();
  const upload = { method: 'POST', path: '/upload' };
  const { text } = await ask(flint, 'shop.test', upload, Buffer.alloc(3_000_000, 'a'));
  assert.equal((JSON.parse(text) as Echo).body, '3000000');
});

test('clients that vanish in the middle of anything leave nothing behind', async (context) => {
  const { flint } = await scene(context);
  for (let round = 0; round < 40; round++) {
    const socket = connect({
      host: '127.0.0.1',
      port: flint.httpsPort,
      servername: 'large.test',
      ca: authority.root.certificate,
    });
    socket.on('error', () => {});
    if (round % 4 === 1) await once(socket, 'connect');
    if (round % 4 >= 2) await once(socket, 'secureConnect');
    if (round % 4 === 3) socket.write('GET /1000000 HTTP/1.1\r\nHost: large.test\r\n\r\n');
    socket.destroy();
  }
  assert.equal((await ask(flint, 'shop.test')).status, 200);
  while ((await flint.metric('flint_connections')) > 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
});

test('a drain ends connections with their responses', async (context) => {
  const { flint } = await scene(context);
  const socket = await open(flint, 'shop.test');
  const stopped = flint.stop('SIGTERM');
  await flint.until(() => flint.said('stopping'));
  socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  assert.match(String(bytes), /^HTTP\/1.1 200 /);
  socket.resume();
  assert.equal(await stopped, 0);
});

test('a load balancer says whom it speaks for in front of TLS', async (context) => {
  const objects = [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    secret('shop-tls', pairFor('shop.test')),
    secureRoute('shop.test', 'shop', 'shop-tls'),
  ];
  const flint = await startFlint(context, yaml(...objects), ['--set', 'proxyProtocol=127.0.0.0/8']);
  const plain = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
  plain.write('PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n');
  const socket = connect({ socket: plain, servername: 'shop.test', ca: authority.root.certificate });
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  assert.match(text, /"x-forwarded-for":"192\.0\.2\.7"/);
});

test('a session is resumed for its own host, and for no other', async (context) => {
  const { flint } = await scene(context);
  const session = await new Promise<Buffer>((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: flint.httpsPort,
      servername: 'shop.test',
      ca: authority.root.certificate,
      maxVersion: 'TLSv1.2',
    });
    socket.on('error', reject);
    socket.on('session', (given: Buffer) => {
      resolve(given);
      socket.destroy();
    });
  });
  const isResumed = async (name: string): Promise<boolean> => {
    const socket = await open(flint, name, { session, maxVersion: 'TLSv1.2' });
    const isReused = socket.isSessionReused();
    socket.destroy();
    return isReused;
  };
  const own = await Promise.all(Array.from({ length: 24 }, () => isResumed('shop.test')));
  assert.deepEqual(new Set(own), new Set([true]), 'by whichever thread');
  const others = await Promise.all(Array.from({ length: 8 }, () => isResumed('large.test')));
  assert.deepEqual(new Set(others), new Set([false]));
});

test('plain HTTP of a host with TLS is sent on, refused or served, as its route says; challenges are served', async (context) => {
  const said = (hostname: string, plaintext: string): unknown => {
    const object = secureRoute(hostname, 'shop', 'shop-tls') as { readonly spec: { readonly tls: object } };
    return { ...object, spec: { ...object.spec, tls: { ...object.spec.tls, plaintext } } };
  };
  const objects = [
    ...service('shop', [(await echoBackend(context, 'shop')).port]),
    secret('shop-tls', authority.issue({ dnsNames: ['shop.test', 'both.test', 'never.test'] })),
    secureRoute('shop.test', 'shop', 'shop-tls'),
    said('both.test', 'Serve'),
    said('never.test', 'Reject'),
    simpleRoute('plain.test', 'shop'),
  ];
  const args = ['--public-https-port', '8443', '--trusted-proxy', '127.0.0.0/8'];
  const flint = await startFlint(context, yaml(...objects), args);
  const plain = (host: string, path: string, headers = ''): ReturnType<typeof request> =>
    request(flint.httpPort, host, path, { headers });
  const sentOn = await plain('shop.test', '/a%20b?c=d');
  assert.deepEqual([sentOn.status, sentOn.headers['location']], [308, 'https://shop.test:8443/a%20b?c=d']);
  const post = await request(flint.httpPort, 'shop.test:8080', '/', { method: 'POST', body: 'x' });
  assert.deepEqual([post.status, post.headers['location']], [308, 'https://shop.test:8443/']);
  assert.equal((await plain('both.test', '/')).status, 200);
  const refused = await plain('never.test', '/');
  assert.deepEqual([refused.status, refused.headers['x-flint-fault']], [403, 'plaintext-rejected']);
  assert.equal((await plain('plain.test', '/')).status, 200);
  for (const host of ['shop.test', 'never.test']) {
    assert.equal((await plain(host, '/.well-known/acme-challenge/token')).status, 200);
    for (const path of ['', '/', '/a/b', '/..%2Fadmin'])
      assert.notEqual((await plain(host, `/.well-known/acme-challenge${path}`)).status, 200, path);
    assert.notEqual((await plain(host, '/.well-known/acme-challenge/../../secret')).status, 200);
  }
  // A proxy that is trusted has ended TLS itself.
  assert.equal((await plain('shop.test', '/', 'X-Forwarded-Proto: https\r\n')).status, 200);
  assert.equal((await ask(flint, 'never.test')).status, 200);
});

test('of two certificates with keys of one kind each host has the one that names it', async (context) => {
  const object = simpleRoute('x.test', 'shop') as { readonly spec: object };
  const tls = { certificateRefs: [{ name: 'x-tls' }, { name: 'y-tls' }] };
  const flint = await startFlint(
    context,
    yaml(
      ...service('shop', [(await echoBackend(context, 'shop')).port]),
      secret('x-tls', pairFor('x.test', generateKey('RSA-2048'))),
      secret('y-tls', pairFor('y.test', generateKey('RSA-2048'))),
      { ...object, spec: { ...object.spec, hostnames: ['x.test', 'y.test'], tls } },
    ),
  );
  for (const name of ['x.test', 'y.test']) assert.equal((await ask(flint, name)).dnsNames, `DNS:${name}`);
});

test('a connection goes on when its own name gets other certificates', async (context) => {
  const { flint, objects } = await scene(context);
  const socket = await open(flint, 'shop.test');
  const answer = async (host: string): Promise<string> => {
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return String(((await once(socket, 'data')) as [Buffer])[0]).slice(0, 13);
  };
  assert.equal(await answer('shop.test'), 'HTTP/1.1 200 ');
  const moved = objects.map((object) =>
    (object as { metadata: { name: string } }).metadata.name === 'shop-test'
      ? secureRoute('shop.test', 'shop', 'other-tls')
      : object,
  );
  await flint.apply(yaml(...moved, secret('other-tls', pairFor('shop.test'))));
  assert.equal(await answer('shop.test'), 'HTTP/1.1 200 ');
  assert.equal(await answer('large.test'), 'HTTP/1.1 421 ');
  socket.destroy();
});

test('what is no TLS any more ends the connection at once, and so does an endless renegotiation', async (context) => {
  const { flint } = await scene(context);
  const plain = connectPlain({ host: '127.0.0.1', port: flint.httpsPort });
  const socket = connect({ socket: plain, servername: 'shop.test', ca: authority.root.certificate });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const closed = once(plain, 'close');
  plain.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 7)]));
  await closed;
  const renegotiating = await open(flint, 'shop.test', { maxVersion: 'TLSv1.2' });
  const refused = await new Promise<Error | null>((resolve) => {
    renegotiating.on('error', resolve);
    renegotiating.on('close', () => resolve(new Error('closed')));
    let rounds = 0;
    const again = (error: Error | null): void => {
      if (error !== null || ++rounds > 20) resolve(error);
      else renegotiating.renegotiate({}, again);
    };
    again(null);
  });
  assert.ok(refused !== null, 'twenty renegotiations were allowed');
  renegotiating.destroy();
});

test('the end of an answer that reads until close is said before the connection is closed', async (context) => {
  const { flint } = await scene(context);
  const socket = await open(flint, 'shop.test');
  socket.write('GET / HTTP/1.0\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
  let isEnded = false;
  socket.on('end', () => {
    isEnded = true;
  });
  socket.resume();
  await once(socket, 'close');
  assert.ok(isEnded);
});
