// WebSockets over HTTP/2 (RFC 8441): streams beside others, to a real library that speaks HTTP/1.1.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, host, openSession, sceneObjects, schemes } from './h2-clients.ts';
import type { Scheme } from './h2-clients.ts';
import { yaml } from './manifests.ts';
import { mib } from './process-figures.ts';
import { closeOf, echo, webSocketBackend } from './websockets.ts';
import type { WebSocketBackend } from './websockets.ts';

const opcodes = { binary: 2, close: 8 } as const;

/** Of a client, under a mask of zeros. */
function frame(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  const short = Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]);
  return Buffer.concat([payload.length < 126 ? short : head, payload]);
}

/** One stream with a WebSocket in it, and what has come of it. */
class StreamSocket {
  readonly stream: ClientHttp2Stream;
  readonly response: IncomingHttpHeaders;
  received = Buffer.alloc(0);

  constructor(stream: ClientHttp2Stream, response: IncomingHttpHeaders) {
    this.stream = stream;
    this.response = response;
    stream.on('error', () => {});
    // As whoever has nothing more to say to a server that has ended.
    stream.on('end', () => stream.end());
    stream.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
  }

  static async open(session: ClientHttp2Session, headers: Readonly<Record<string, string>> = {}) {
    const stream = session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':scheme': 'http',
        ':path': '/chat',
        ':authority': host,
        'sec-websocket-version': '13',
        ...headers,
      },
      { endStream: false },
    );
    const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return new StreamSocket(stream, response);
  }

  /** However it comes; by a reset, too. */
  async untilClosed(): Promise<void> {
    while (!this.stream.closed)
      await new Promise<void>((resolve) => {
        this.stream.once('close', resolve);
      });
  }

  async echoed(payload: Buffer): Promise<void> {
    this.stream.write(frame(opcodes.binary, payload));
    const headBytes = payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10;
    while (this.received.length < headBytes + payload.length) await once(this.stream, 'data');
    assert.ok(this.received.subarray(headBytes).equals(payload));
    this.received = Buffer.alloc(0);
  }
}

interface Scene {
  readonly flint: FlintProcess;
  readonly session: ClientHttp2Session;
  readonly backend: WebSocketBackend;
}

async function scene(context: TestContext, scheme: Scheme, rule = {}): Promise<Scene> {
  const backend = await webSocketBackend(context, echo, {
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  const args = ['--workers', '1', '--drain-delay', '0', '--grace', '4000'];
  const flint = await startFlint(context, yaml(...sceneObjects([backend.port], rule)), args);
  const session = await openSession(flint, scheme);
  context.after(() => session.destroy());
  return { flint, session, backend };
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('opened by an extended CONNECT, beside other streams of the connection', async (context) => {
      const { session } = await scene(context, scheme);
      assert.equal(session.remoteSettings.enableConnectProtocol, true);
      const sockets = await Promise.all(
        Array.from({ length: 20 }, () => StreamSocket.open(session, { 'sec-websocket-protocol': 'chat' })),
      );
      for (const { response } of sockets) {
        assert.deepEqual([response[':status'], response['sec-websocket-protocol']], [200, 'chat']);
        assert.deepEqual([response['sec-websocket-accept'], response['upgrade']], [undefined, undefined]);
      }
      await Promise.all(sockets.map((socket, index) => socket.echoed(Buffer.from(`number ${index}`))));
      // The backend has no use for anything else.
      assert.equal((await ask(session)).status, 426);
      for (const bytes of [0, 125, 65_536, mib]) await sockets[0]?.echoed(randomBytes(bytes));
    });

    test('a close goes through both ways, and ends the stream alone', async (context) => {
      const { session, backend } = await scene(context, scheme);
      const socket = await StreamSocket.open(session);
      const [server] = backend.sockets;
      assert.ok(server !== undefined);
      const closed = closeOf(server);
      const ended = once(socket.stream, 'end');
      socket.stream.write(frame(opcodes.close, Buffer.from([0x0f, 0xa1])));
      assert.deepEqual(await closed, [4001, '']);
      await ended;
      assert.deepEqual([...socket.received], [0x88, 2, 0x0f, 0xa1]);
      await (await StreamSocket.open(session)).echoed(Buffer.from('another'));
    });

    test('whoever breaks off is told of to the other side', async (context) => {
      const { session, backend } = await scene(context, scheme);
      const cancelled = await StreamSocket.open(session);
      const [first] = backend.sockets;
      assert.ok(first !== undefined);
      const closed = closeOf(first);
      cancelled.stream.close(constants.NGHTTP2_CANCEL);
      assert.deepEqual(await closed, [1006, '']);
      const broken = await StreamSocket.open(session);
      for (const server of backend.sockets) server.terminate();
      await broken.untilClosed();
      await (await StreamSocket.open(session)).echoed(Buffer.from('another'));
    });

    test('silence longer than the idle timeout of the rule ends the stream alone', async (context) => {
      const { flint, session } = await scene(context, scheme, { timeouts: { idle: '500ms' } });
      const socket = await StreamSocket.open(session);
      await socket.echoed(Buffer.from('x'));
      await socket.untilClosed();
      await flint.until(() => flint.accessLog.some(({ fault }) => fault === 'tunnel-timeout'));
      await (await StreamSocket.open(session)).echoed(Buffer.from('another'));
    });

    test('SIGTERM: served on during the grace period, at its end 1001 on both sides', async (context) => {
      const { flint, session, backend } = await scene(context, scheme);
      const socket = await StreamSocket.open(session);
      const [server] = backend.sockets;
      assert.ok(server !== undefined);
      const closed = closeOf(server);
      const ended = once(socket.stream, 'end');
      const stopped = flint.stop('SIGTERM');
      await flint.until(() => flint.said('no longer ready'));
      for (let round = 0; round < 10; round++) await socket.echoed(Buffer.from(`round ${round}`));
      assert.deepEqual(await closed, [1001, '']);
      await ended;
      assert.deepEqual([...socket.received], [0x88, 2, 3, 0xe9]);
      assert.equal(await stopped, 0);
    });
  });

async function sessionBefore(context: TestContext, port: number) {
  const flint = await startFlint(context, yaml(...sceneObjects([port])), ['--workers', '1']);
  const session = await openSession(flint, 'http');
  context.after(() => session.destroy());
  return { flint, session };
}

test('the backend sees the handshake of HTTP/1.1, with a key of ours and none of the client', async (context) => {
  let head = '';
  const { port } = await rawBackend(context, (socket, all) => {
    head = all;
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  });
  const { session } = await sessionBefore(context, port);
  const { stream, response } = await StreamSocket.open(session, { 'sec-websocket-key': 'mine' });
  assert.equal(response[':status'], 403);
  if (!stream.readableEnded) await once(stream, 'end');
  assert.match(head, /^GET \/chat HTTP\/1\.1\r\n/);
  assert.match(head, /\r\nUpgrade: websocket\r\n/);
  const keys = [...head.matchAll(/^sec-websocket-key: (.*)\r$/gim)];
  assert.deepEqual(
    keys.map(([, key]) => Buffer.from(key ?? '', 'base64').length),
    [16],
  );
});

test('a 101 that does not prove that the key was read opens nothing', async (context) => {
  const { port } = await rawBackend(context, (socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
    );
  });
  const { flint, session } = await sessionBefore(context, port);
  const { response } = await StreamSocket.open(session);
  assert.deepEqual([response[':status'], response['x-flint-fault']], [502, 'backend-malformed']);
  assert.equal(await flint.metric('flint_active_requests'), 0);
});

test('an extended CONNECT for anything else is refused, and the connection goes on', async (context) => {
  const backend = await webSocketBackend(context, echo);
  const { session } = await sessionBefore(context, backend.port);
  const other = await StreamSocket.open(session, { ':protocol': 'connect-udp' });
  assert.equal(other.response[':status'], 405);
  await (await StreamSocket.open(session)).echoed(Buffer.from('on'));
});
