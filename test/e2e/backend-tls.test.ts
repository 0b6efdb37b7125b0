// TLS to backends: who proves to be the right one is asked, over connections that are kept; nobody else gets a byte.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createServer } from 'node:tls';
import { issue } from '../tls/certificates.ts';
import type { Issued } from '../tls/certificates.ts';
import { closedPort, rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient, request } from './http-client.ts';
import { route, service, simpleRoute, yaml } from './manifests.ts';
import { descriptorsOf, eventually, pause } from './process-figures.ts';
import { ask, pairFor, secret } from './tls-clients.ts';
import {
  backendName,
  caSecret,
  digestOf,
  leafFor,
  otherAuthority,
  privateAuthority,
  tlsBackend,
  variedBytes,
  verifiedRoute,
} from './tls-backends.ts';

const ca = caSecret('ca', privateAuthority.root.certificate);
const oneWorker = ['--workers', '1'];
const certificateFault = 'backend-certificate-rejected';

/** Backends shake hands in this very process, many of them at once: they get more time than usual, where it is not what is asked. */
function start(
  context: TestContext,
  objects: readonly unknown[],
  connectTimeout = '10s',
): Promise<FlintProcess> {
  return startFlint(context, yaml(...objects), [...oneWorker, '--set', `timeouts.connect=${connectTimeout}`]);
}

async function faultOf(flint: FlintProcess, host: string): Promise<string> {
  const { status, headers } = await request(flint.httpPort, host, '/');
  return `${status} ${headers['x-flint-fault'] ?? ''}`;
}

test('a backend of a private CA is asked by its name, and its connection is kept', async (context) => {
  const backend = await tlsBackend(context, leafFor(), { ALPNProtocols: ['h2', 'http/1.1'] });
  const flint = await start(context, [ca, ...service('a', [backend.port]), verifiedRoute('a.test', 'a')]);
  for (let count = 0; count < 20; count++)
    assert.equal((await request(flint.httpPort, 'a.test', `/${count + 1}`)).status, 200);
  assert.equal(backend.requests.length, 20);
  assert.deepEqual([backend.names, backend.protocols], [[backendName], ['http/1.1']]);
});

test('whoever proves nothing, or another name, is asked nothing', async (context) => {
  const expired = privateAuthority.issue({ dnsNames: [backendName], notAfter: '2021-01-01T00:00:00Z' });
  const unknown = otherAuthority.issue({ dnsNames: [backendName] });
  const self = issue({ dnsNames: [backendName] });
  const leaf = leafFor();
  const cases: Readonly<Record<string, readonly [leaf: Issued, chain: string]>> = {
    wrong: chained(leafFor('other.test')),
    expired: chained(expired),
    nameless: chained(privateAuthority.issue({ commonName: backendName })),
    unknown: [unknown, otherAuthority.chainOf(unknown)],
    self: [self, self.certificate],
    incomplete: [leaf, leaf.certificate],
  };
  const backends = await Promise.all(
    Object.values(cases).map(([each, chain]) => tlsBackend(context, each, {}, chain)),
  );
  const names = Object.keys(cases);
  const flint = await start(context, [
    ca,
    ...names.flatMap((name, index) => [
      ...service(name, [backends[index]?.port ?? 0]),
      verifiedRoute(`${name}.test`, name),
    ]),
  ]);
  for (const name of names) {
    assert.equal(await faultOf(flint, `${name}.test`), `502 ${certificateFault}`, name);
    const post = await request(flint.httpPort, `${name}.test`, '/', {
      method: 'POST',
      body: 'x'.repeat(100),
    });
    assert.equal(post.status, 502);
  }
  for (const { requests } of backends) assert.deepEqual(requests, []);
  const series = `flint_faults_total{fault="${certificateFault}"}`;
  await flint.counted(series, 2 * names.length);
});

function chained(leaf: Issued): readonly [Issued, string] {
  return [leaf, privateAuthority.chainOf(leaf)];
}

test('what else may go wrong is told apart: no TLS, nobody there, nobody who answers', async (context) => {
  const plain = await rawBackend(context, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const silent = await rawBackend(context, () => {});
  const ports = { plain: plain.port, silent: silent.port, closed: closedPort };
  const objects = Object.entries(ports).flatMap(([name, port]) => [
    ...service(name, [port]),
    verifiedRoute(`${name}.test`, name),
  ]);
  const flint = await start(context, [ca, ...objects], '1s');
  assert.equal(await faultOf(flint, 'plain.test'), '502 backend-handshake-failed');
  assert.equal(await faultOf(flint, 'closed.test'), '503 connect-refused');
  assert.equal(await faultOf(flint, 'silent.test'), '504 connect-timeout');
});

test('an endpoint that proves nothing is passed over, whatever the request is', async (context) => {
  const good = await tlsBackend(context);
  const bad = await tlsBackend(context, leafFor('other.test'));
  const flint = await start(context, [
    ca,
    ...service('a', [good.port, bad.port]),
    verifiedRoute('a.test', 'a'),
  ]);
  for (let count = 0; count < 10; count++) {
    assert.equal((await request(flint.httpPort, 'a.test', '/')).status, 200);
    assert.equal((await request(flint.httpPort, 'a.test', '/', { method: 'POST', body: 'x' })).status, 200);
  }
  assert.deepEqual([good.requests.length, bad.requests.length], [20, 0]);
});

test('other authorities, and another name, hold for the next request: kept connections prove nothing now', async (context) => {
  const backend = await tlsBackend(context);
  const objects = (caPem: string, hostname: string): readonly unknown[] => [
    caSecret('ca', caPem),
    ...service('a', [backend.port]),
    verifiedRoute('a.test', 'a', { hostname, caCertificateRefs: [{ name: 'ca' }] }),
  ];
  const { certificate: own } = privateAuthority.root;
  const { certificate: other } = otherAuthority.root;
  const flint = await start(context, objects(own, backendName));
  assert.equal((await request(flint.httpPort, 'a.test', '/')).status, 200);
  await flint.apply(yaml(...objects(other, backendName)));
  assert.equal(await faultOf(flint, 'a.test'), `502 ${certificateFault}`);
  await flint.apply(yaml(...objects(own + other, backendName)));
  assert.equal((await request(flint.httpPort, 'a.test', '/')).status, 200);
  await flint.apply(yaml(...objects(own + other, 'other.test')));
  assert.equal(await faultOf(flint, 'a.test'), `502 ${certificateFault}`);
  assert.equal(backend.requests.length, 2);
});

test('without a Secret to verify by, nobody is asked, until it is there', async (context) => {
  const backend = await tlsBackend(context);
  const objects = [...service('a', [backend.port]), verifiedRoute('a.test', 'a')];
  const flint = await start(context, objects);
  assert.equal(await faultOf(flint, 'a.test'), '503 backend-unresolved');
  await flint.apply(yaml(...objects, ca));
  assert.equal((await request(flint.httpPort, 'a.test', '/')).status, 200);
  await flint.apply(yaml(...objects));
  assert.equal(await faultOf(flint, 'a.test'), '503 backend-unresolved');
  assert.equal(backend.requests.length, 1);
});

test('appProtocol https is verified by the name of the Service and by whom the runtime trusts', async (context) => {
  const backend = await tlsBackend(context, leafFor('a.default.svc'));
  const [object, ...slices] = service('a', [backend.port]);
  const secured = { ...(object as object), spec: { ports: [{ port: 80, appProtocol: 'https' }] } };
  const manifests = yaml(secured, ...slices, simpleRoute('a.test', 'a'));
  const stranger = await startFlint(context, manifests, oneWorker);
  assert.equal(await faultOf(stranger, 'a.test'), `502 ${certificateFault}`);
  assert.deepEqual(backend.requests, []);

  const folder = mkdtempSync(join(tmpdir(), 'flint-ca-'));
  context.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'ca.pem'), privateAuthority.root.certificate);
  const { NODE_EXTRA_CA_CERTS: before } = process.env;
  process.env['NODE_EXTRA_CA_CERTS'] = join(folder, 'ca.pem');
  const friend = await startFlint(context, manifests, oneWorker);
  if (before === undefined) delete process.env['NODE_EXTRA_CA_CERTS'];
  else process.env['NODE_EXTRA_CA_CERTS'] = before;
  assert.equal((await request(friend.httpPort, 'a.test', '/')).status, 200);
  assert.deepEqual(backend.names, ['a.default.svc']);
});

test('large bodies go both ways unharmed, and a slow reader holds nobody up', async (context) => {
  const backend = await tlsBackend(context);
  const flint = await start(context, [ca, ...service('a', [backend.port]), verifiedRoute('a.test', 'a')]);
  const slow = await HttpClient.open(flint.httpPort);
  slow.socket.pause();
  slow.send('GET /16777216 HTTP/1.1\r\nHost: a.test\r\n\r\n');
  const upload = variedBytes(8 * 1024 * 1024);
  for (const framing of [{ 'content-length': upload.length }, { 'transfer-encoding': 'chunked' }]) {
    const options = {
      host: '127.0.0.1',
      port: flint.httpPort,
      method: 'POST',
      path: '/upload',
      agent: false,
    };
    const sent = httpRequest({ ...options, headers: { host: 'a.test', ...framing } });
    sent.end(upload);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const piece of response) text += String(piece);
    assert.equal(text, digestOf(upload));
  }
  const large = await request(flint.httpPort, 'a.test', '/1048576');
  assert.equal(digestOf(Buffer.from(large.body, 'latin1')), digestOf(variedBytes(1024 * 1024)));
  slow.socket.resume();
  const { body } = await slow.answer();
  assert.equal(digestOf(Buffer.from(body, 'latin1')), digestOf(variedBytes(16 * 1024 * 1024)));
  slow.close();
});

test('handshakes that fail, or are never answered, leave no descriptor behind', async (context) => {
  const wrong = await tlsBackend(context, leafFor('other.test'));
  const plain = await rawBackend(context, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const silent = await rawBackend(context, () => {});
  const backends = { wrong: wrong.port, plain: plain.port, silent: silent.port };
  const names = Object.keys(backends);
  const objects = Object.entries(backends).flatMap(([name, port]) => [
    ...service(name, [port]),
    verifiedRoute(`${name}.test`, name),
  ]);
  const flint = await start(context, [ca, ...objects], '1s');
  const round = async (count: number): Promise<void> => {
    const asked = names.flatMap((name) =>
      Array.from({ length: count }, () => faultOf(flint, `${name}.test`)),
    );
    assert.ok((await Promise.all(asked)).every((fault) => /^50[24] /.test(fault)));
  };
  await round(1);
  const before = descriptorsOf(flint.pid);
  await round(40);
  const left = await eventually(
    () => descriptorsOf(flint.pid),
    (count) => count <= before + 2,
  );
  assert.ok(left <= before + 2, `${before} descriptors, and ${left} after 120 failures`);
});

test('a WebSocket goes to a backend with TLS, both ways and to both ends', async (context) => {
  const leaf = leafFor();
  const server = createServer({
    cert: privateAuthority.chainOf(leaf),
    key: leaf.keyPem,
    allowHalfOpen: true,
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      socket.on('data', (bytes: Buffer) => socket.write(bytes));
      socket.on('end', () => socket.end('bye'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const flint = await start(context, [ca, ...service('a', [port]), verifiedRoute('a.test', 'a')]);
  const client = await HttpClient.open(flint.httpPort);
  client.send(
    'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  while (!client.unread.includes('\r\n\r\n')) await pause(5);
  assert.match(client.unread, /^HTTP\/1\.1 101 /);
  client.send('x'.repeat(1_000_000));
  while (client.unread.split('\r\n\r\n')[1]?.length !== 1_000_000) await pause(5);
  client.socket.end();
  await client.untilEnded();
  assert.match(client.unread, /xbye$/);
});

test('a backend that closes idle connections breaks no request, and sessions are resumed', async (context) => {
  const backend = await tlsBackend(context, leafFor(), { keepAliveTimeout: 20, keepAliveTimeoutBuffer: 0 });
  const flint = await start(context, [ca, ...service('a', [backend.port]), verifiedRoute('a.test', 'a')]);
  for (let count = 0; count < 24; count++) {
    const options = count % 2 === 0 ? {} : { method: 'POST', body: 'x' };
    assert.equal((await request(flint.httpPort, 'a.test', '/', options)).status, 200);
    await pause((count % 8) * 10);
  }
  assert.equal(backend.requests.length, 24);
  assert.ok(backend.names.length > 3, 'connections were closed');
  assert.ok(backend.resumed > 0, `${backend.names.length} handshakes, none of them resumed`);
});

test('many at once each get a whole answer, from a backend that keeps no connection', async (context) => {
  const backend = await tlsBackend(context, leafFor(), { maxRequestsPerSocket: 1 });
  const flint = await start(context, [ca, ...service('a', [backend.port]), verifiedRoute('a.test', 'a')]);
  const all = await Promise.all(
    Array.from({ length: 50 }, () => request(flint.httpPort, 'a.test', '/10000')),
  );
  for (const { status, body } of all) assert.deepEqual([status, body.length], [200, 10_000]);
  assert.equal(backend.names.length, 50);
});

test('HTTP/2 with TLS is agreed on by ALPN, or not spoken at all', async (context) => {
  const leaf = leafFor();
  const server = createSecureServer({ cert: privateAuthority.chainOf(leaf), key: leaf.keyPem });
  server.on('request', (asked, response) => response.end(`HTTP/${asked.httpVersion}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const old = await tlsBackend(context);
  const spoken = (name: string, portNumber: number): readonly unknown[] => {
    const [object, ...slices] = service(name, [portNumber]);
    const spec = { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] };
    return [{ ...(object as object), spec }, ...slices, verifiedRoute(`${name}.test`, name)];
  };
  const flint = await start(context, [ca, ...spoken('new', port), ...spoken('old', old.port)]);
  const answer = await request(flint.httpPort, 'new.test', '/');
  assert.deepEqual([answer.status, answer.body], [200, 'HTTP/2.0']);
  assert.match(await faultOf(flint, 'old.test'), /^502 /);
  assert.deepEqual(old.requests, []);
});

test('TLS on both sides, and one Service in several ways', async (context) => {
  const backend = await tlsBackend(context);
  const terms = [
    { hostname: backendName, caCertificateRefs: [{ name: 'ca' }] },
    { hostname: 'other.test', caCertificateRefs: [{ name: 'ca' }] },
    { hostname: backendName, wellKnownCACertificates: 'System' },
  ];
  const rules = terms.map((tls, index) => ({
    matches: [{ path: { value: `/${index}` } }],
    backendRefs: [{ name: 'a', port: 80, tls }],
  }));
  const flint = await start(context, [
    ca,
    ...service('a', [backend.port]),
    secret('front', pairFor('a.test')),
    route('a', { hostnames: ['a.test'], tls: { certificateRefs: [{ name: 'front' }] }, rules }),
  ]);
  const answers = await Promise.all(terms.map((_, index) => ask(flint, 'a.test', { path: `/${index}` })));
  assert.deepEqual(
    answers.map(({ status, fault }) => `${status} ${fault}`),
    ['200 ', `502 ${certificateFault}`, `502 ${certificateFault}`],
  );
});
