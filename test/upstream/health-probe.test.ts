// Checks of real servers on loopback: what each of them says, and that no connection outlives its check.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { plainBackend } from '#model/plain-terms.ts';
import type { HealthProbe } from '#model/upstream-policies.ts';
import { loadSecureTransport, transport } from '#transport/current.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import { createProber } from '#upstream/health-probe.ts';
import type { ProbeTerms } from '#upstream/health-probe.ts';
import { createAuthority } from '../tls/certificates.ts';

const now = (): number => performance.now();
const upstreams = { transport, timers: new TimerWheel(now), limits: defaultParserLimits, now };
const secure = await loadSecureTransport();
const authority = createAuthority();
const leaf = authority.issue({ dnsNames: ['backend.test'] });
const pair = { cert: authority.chainOf(leaf), key: leaf.keyPem };

const http: HealthProbe = { kind: 'Http', path: '/healthz', hostname: 'checks.test', statuses: [] };
const tcp: HealthProbe = { kind: 'Tcp' };
const grpc: HealthProbe = { kind: 'Grpc', service: 'shop' };

function verified(serverName = 'backend.test', pem = authority.root.certificate): ProbeTerms['tls'] {
  return { kind: 'Verified', serverName, authorities: { kind: 'Pem', pem } };
}

/** Resolves to its port. It must be left without a connection. */
async function listen(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(async () => {
    server.close();
    for (const socket of sockets) await new Promise((resolve) => socket.on('close', resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** `passed status 200`. */
function outcome(port: number, probe: HealthProbe, terms: Partial<ProbeTerms> = {}): Promise<string> {
  const { protocol, tls } = plainBackend;
  const prober = createProber(upstreams, { protocol, tls, probe, timeoutMs: 5000, ...terms }, secure);
  return new Promise((resolve) => {
    prober.probe({ address: '127.0.0.1', port }, ({ result, text }) => resolve(`${result} ${text}`));
  });
}

function httpPort(context: TestContext, listener: RequestListener): Promise<number> {
  return listen(context, createHttpServer(listener));
}

function rawPort(context: TestContext, answer: string, isEnd = false): Promise<number> {
  const server = createTcpServer((socket) =>
    socket.once('data', () => (isEnd ? socket.end(answer) : socket.write(answer))),
  );
  return listen(context, server);
}

test('HTTP: the path is asked for, on behalf of the hostname, and the status counts', async (context) => {
  const asked: unknown[] = [];
  let status = 200;
  const port = await httpPort(context, ({ method, url, headers }, response) => {
    asked.push([method, url, headers.host, headers['user-agent'], headers.connection]);
    response.writeHead(status, { location: '/elsewhere' }).end('a body');
  });
  const results: Record<number, string> = {};
  for (status of [200, 204, 302, 399, 400, 404, 500, 503]) results[status] = await outcome(port, http);
  assert.deepEqual(results, {
    200: 'passed status 200',
    204: 'passed status 204',
    302: 'passed status 302',
    399: 'passed status 399',
    400: 'failed status 400',
    404: 'failed status 404',
    500: 'failed status 500',
    503: 'failed status 503',
  });
  assert.deepEqual(asked[0], ['GET', '/healthz', 'checks.test', 'flint-health-check', 'close']);
  assert.equal(asked.length, 8);
});

test('HTTP: where statuses are named, those alone are good', async (context) => {
  let status = 200;
  const port = await httpPort(context, (_, response) => response.writeHead(status).end());
  const named: HealthProbe = { ...http, statuses: [204, 503] };
  assert.equal(await outcome(port, named), 'failed status 200');
  status = 503;
  assert.equal(await outcome(port, named), 'passed status 503');
});

test('HTTP: of a body without end so much is read, and no more', async (context) => {
  let written = 0;
  const port = await httpPort(context, (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) written += 16_384;
    };
    response.on('drain', more);
    response.on('error', () => {});
    more();
  });
  assert.equal(await outcome(port, http), 'passed status 200');
  assert.ok(written < 16 * 1024 * 1024, 'what systems hold between the two');
});

test('HTTP: a response that stops amid its body is not good', async (context) => {
  const port = await httpPort(context, (_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half');
  });
  assert.equal(await outcome(port, http, { timeoutMs: 1000 }), 'timeout no answer within 1000 ms');
  const broken = await rawPort(context, 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', true);
  assert.equal(await outcome(broken, http), 'failed it broke off in the middle of its response');
});

test('HTTP: interim responses say nothing', async (context) => {
  const port = await httpPort(context, (_, response) => {
    response.writeProcessing();
    response.writeHead(500).end();
  });
  assert.equal(await outcome(port, http), 'failed status 500');
});

test('HTTP: what is no response is not good', async (context) => {
  assert.equal(await outcome(await rawPort(context, 'hello\r\n'), http), 'failed its response is malformed');
  const closing = await listen(
    context,
    createTcpServer((socket) => socket.once('data', () => socket.destroy())),
  );
  assert.equal(await outcome(closing, http), 'failed it closed the connection before its response');
});

test('HTTP/2: the same question, whose connection is closed', async (context) => {
  const heads: unknown[] = [];
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream, head) => {
    heads.push([head[':method'], head[':path'], head[':authority'], head['user-agent'], head['connection']]);
    stream.on('error', () => {});
    stream.respond({ ':status': heads.length === 1 ? 200 : 500 });
    stream.end('a body');
  });
  const port = await listen(context, server);
  assert.equal(await outcome(port, http, { protocol: 'HTTP/2' }), 'passed status 200');
  assert.equal(await outcome(port, http, { protocol: 'HTTP/2' }), 'failed status 500');
  assert.deepEqual(heads[0], ['GET', '/healthz', 'checks.test', 'flint-health-check', undefined]);
});

test('TLS: who proves to be the right one is asked, nobody else', async (context) => {
  let asked = 0;
  const server = createHttpsServer(pair, (_, response) => {
    asked++;
    response.end();
  });
  server.on('tlsClientError', () => {});
  const port = await listen(context, server);
  assert.equal(await outcome(port, http, { tls: verified() }), 'passed status 200');
  assert.equal(await outcome(port, tcp, { tls: verified() }), 'passed it accepts connections');
  const refused = 'failed its certificate does not prove who it is';
  assert.equal(await outcome(port, http, { tls: verified('other.test') }), refused);
  assert.equal(await outcome(port, tcp, { tls: verified('other.test') }), refused);
  const other = createAuthority('Other').root.certificate;
  assert.equal(await outcome(port, tcp, { tls: verified('backend.test', other) }), refused);
  assert.equal(asked, 1);
});

test('TLS: a server that does not speak it, and authorities that nobody can read', async (context) => {
  const port = await httpPort(context, (_, response) => response.end());
  assert.equal(await outcome(port, tcp, { tls: verified() }), 'failed the TLS handshake failed');
  const unread = 'failed the certificate authorities that it is to be verified by cannot be read';
  assert.equal(await outcome(port, tcp, { tls: verified('backend.test', 'no certificate') }), unread);
});

test('TCP: a connection is enough, and nothing is sent over it', async (context) => {
  const received: Buffer[] = [];
  const port = await listen(
    context,
    createTcpServer((socket) => socket.on('data', (bytes: Buffer) => received.push(bytes))),
  );
  assert.equal(await outcome(port, tcp), 'passed it accepts connections');
  assert.deepEqual(received, []);
});

test('nobody there', async (context) => {
  const server = createTcpServer();
  const port = await listen(context, server);
  server.close();
  await once(server, 'close');
  for (const probe of [http, tcp, grpc])
    assert.equal(await outcome(port, probe), 'failed it does not accept connections');
});

test('nobody answers in time', async (context) => {
  const port = await listen(
    context,
    createTcpServer((socket) => socket.resume()),
  );
  for (const probe of [http, grpc])
    assert.equal(await outcome(port, probe, { timeoutMs: 1000 }), 'timeout no answer within 1000 ms');
  const tls = verified();
  assert.equal(await outcome(port, tcp, { timeoutMs: 100, tls }), 'timeout no connection within 100 ms');
  assert.equal(await outcome(port, http, { timeoutMs: 100, tls }), 'timeout no connection within 100 ms');
});

test('a check that is called off tells nothing, and leaves no connection', async (context) => {
  const server = createTcpServer((socket) => socket.resume());
  const port = await listen(context, server);
  for (const probe of [http, grpc]) {
    const terms = { ...plainBackend, probe, timeoutMs: 5000 };
    const running = createProber(upstreams, terms, undefined).probe({ address: '127.0.0.1', port }, () =>
      assert.fail('it was called off'),
    );
    const [socket] = (await once(server, 'connection')) as [Socket];
    if (probe === http) await once(socket, 'data');
    running.cancel();
    await once(socket, 'close');
  }
  assert.equal(upstreams.timers.count, 0);
});

function message(...bytes: readonly number[]): Buffer {
  return Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);
}

/** Answers as `answer` says, in HTTP/2 with or without TLS. */
async function grpcPort(
  context: TestContext,
  answer: (stream: ServerHttp2Stream, body: Buffer, head: NodeJS.Dict<string | string[] | number>) => void,
  options?: typeof pair,
): Promise<number> {
  const server = options === undefined ? createHttp2Server() : createSecureServer(options);
  server.on('stream', (stream: ServerHttp2Stream, head) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('error', () => {});
    stream.on('end', () => answer(stream, Buffer.concat(pieces), head as never));
  });
  return listen(context, server);
}

function respond(stream: ServerHttp2Stream, body: Buffer, grpcStatus: string): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus }));
  stream.end(body);
}

test('gRPC: SERVING alone is good, in the clear and with TLS, whatever requests are spoken in', async (context) => {
  const heads: unknown[] = [];
  for (const options of [undefined, pair]) {
    let status = 1;
    const port = await grpcPort(
      context,
      (stream, body, head) => {
        heads.push([head[':method'], head[':path'], head['content-type'], head['te'], head['grpc-timeout']]);
        assert.equal(body.toString('hex'), '00000000060a0473686f70');
        respond(stream, status === 0 ? message() : message(0x08, status), '0');
      },
      options,
    );
    const terms = options === undefined ? {} : { tls: verified() };
    const results: string[] = [];
    for (status of [1, 2, 3, 0]) results.push(await outcome(port, grpc, terms));
    assert.deepEqual(results, [
      'passed SERVING',
      'failed NOT_SERVING',
      'failed SERVICE_UNKNOWN',
      'failed UNKNOWN',
    ]);
  }
  assert.deepEqual(heads[0], [
    'POST',
    '/grpc.health.v1.Health/Check',
    'application/grpc',
    'trailers',
    '5000m',
  ]);
});

test('gRPC: errors, and what is no answer', async (context) => {
  const cases: readonly (readonly [string, (stream: ServerHttp2Stream) => void])[] = [
    [
      'gRPC status 12: the server does not implement grpc.health.v1.Health',
      (stream) => stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }),
    ],
    ['gRPC status 5: the server does not know this service', (stream) => respond(stream, message(), '5')],
    ['gRPC status 14', (stream) => respond(stream, message(0x08, 1), '14')],
    ['HTTP status 404', (stream) => stream.respond({ ':status': 404 }, { endStream: true })],
    ['the message is malformed', (stream) => respond(stream, Buffer.from('hello'), '0')],
    ['the message is too long', (stream) => respond(stream, Buffer.alloc(100_000), '0')],
    [
      'the response has no grpc-status',
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.end(message(0x08, 1));
      },
    ],
    ['it closed the connection before its response', (stream) => stream.close(8)],
  ];
  for (const [text, answer] of cases) {
    const port = await grpcPort(context, answer);
    assert.equal(await outcome(port, grpc), `failed ${text}`);
  }
  const http1 = await httpPort(context, (_, response) => response.end());
  assert.match(await outcome(http1, grpc), /^failed /);
});

test('after a thread stood still, what has come meanwhile is heard before anybody is late', async (context) => {
  // Nobody but this test looks at the wheel.
  context.mock.timers.enable({ apis: ['setInterval'] });
  const port = await httpPort(context, (_, response) => response.end());
  const server = createTcpServer((socket) => socket.resume());
  const silent = await listen(context, server);
  let nowMs = 1000;
  const now = (): number => nowMs;
  const timers = new TimerWheel(now);
  const stalled = { ...upstreams, timers, now };
  const [answered, unanswered] = [port, silent].map(
    (each) =>
      new Promise((resolve) => {
        createProber(stalled, { ...plainBackend, probe: http, timeoutMs: 1000 }, undefined).probe(
          { address: '127.0.0.1', port: each },
          ({ result }) => resolve(result),
        );
      }),
  );
  nowMs += 5000;
  timers.advance();
  assert.equal(await answered, 'passed');
  timers.advance();
  assert.equal(await unanswered, 'timeout');
});
