// Clients that stop talking, properly or not: whole answers for those who listen, and nothing kept for the others.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { HttpClient } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { descriptorsOf, eventually, mib, settled } from './process-figures.ts';
import { bytesTaken, listenRaw, stream } from './raw-server.ts';

const clientsAtOnce = 10;
const host = 'shop.test';
const get = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const post = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${100 * mib}\r\n\r\n`;

interface Scene {
  readonly flint: FlintProcess;
  readonly backendSockets: Set<Socket>;
  readonly descriptorsBefore: number;
}

async function scene(context: TestContext, serve: (socket: Socket) => void, timeout = '60s'): Promise<Scene> {
  const backendSockets = new Set<Socket>();
  const port = await listenRaw(context, (socket) => {
    backendSockets.add(socket);
    socket.on('close', () => backendSockets.delete(socket));
    serve(socket);
  });
  const rule = { timeouts: { request: timeout, idle: timeout } };
  const manifests = yaml(simpleRoute(host, 'shop', rule), ...service('shop', [port]));
  const flint = await startFlint(context, manifests, ['--workers', '1']);
  return { flint, backendSockets, descriptorsBefore: descriptorsOf(flint.pid) };
}

function streamAnswer(bytes: number): (socket: Socket) => void {
  return (socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      stream(socket, bytes);
    });
  };
}

test('half-close after the request: the whole response, by length, by chunks and until close', async (context) => {
  const body = Buffer.alloc(8 * mib, 'y');
  const { flint, descriptorsBefore } = await scene(context, (socket) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (!text.endsWith('\r\n\r\n') && !text.endsWith('hello')) return;
      if (text.includes(' /length '))
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      else if (text.includes(' /chunks '))
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`);
      else socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.write(body);
      if (text.includes(' /chunks ')) socket.write('\r\n0\r\n\r\n');
      if (text.includes(' /close ')) socket.end();
      text = '';
    });
  });
  for (const path of ['/length', '/chunks', '/close'])
    for (const [method, rest] of [
      ['GET', '\r\n'],
      ['POST', 'Content-Length: 5\r\n\r\nhello'],
    ] as const) {
      const client = await HttpClient.open(flint.httpPort);
      client.send(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${rest}`);
      client.socket.end();
      const answer = await client.answer();
      assert.deepEqual([answer.status, answer.body.length], [200, body.length], `${method} ${path}`);
      await client.untilEnded();
      assert.equal(client.isReset, false);
    }
  const left = await eventually(
    () => descriptorsOf(flint.pid),
    (count) => count <= descriptorsBefore,
  );
  assert.ok(left <= descriptorsBefore, `${left - descriptorsBefore} descriptors are left`);
});

interface Vanishing {
  readonly name: string;
  readonly talk: (socket: Socket) => void;
  readonly serve: (socket: Socket) => void;
  /** The client vanishes after this much of the answer. */
  readonly readBytes?: number;
  readonly vanish: (socket: Socket) => void;
  /** Nothing shows that nobody is there any more; the timeout of the rule ends it. */
  readonly isHidden?: boolean;
}

const reset = (socket: Socket): void => void socket.resetAndDestroy();
const close = (socket: Socket): void => void socket.destroy();
const readAll = (socket: Socket): void => void socket.resume();
const readNothing = (socket: Socket): void => void socket.pause();
const sendGet = (socket: Socket): void => void socket.write(get);
const sendPart = (socket: Socket): void => void socket.write(`${post}part`);
const sendMuch = (socket: Socket): void => {
  socket.write(post);
  stream(socket, 100 * mib);
};
const streamMuch = streamAnswer(1024 * mib);

const cases: readonly Vanishing[] = [
  { name: 'a reset in the middle of a request', talk: sendPart, serve: readAll, vanish: reset },
  { name: 'a close in the middle of a request', talk: sendPart, serve: readAll, vanish: close },
  { name: 'a reset while the backend thinks', talk: sendGet, serve: readAll, vanish: reset },
  { name: 'a reset amid a response', talk: sendGet, serve: streamMuch, readBytes: mib, vanish: reset },
  { name: 'a close amid a response', talk: sendGet, serve: streamMuch, readBytes: mib, vanish: close },
  // Flint does not read the socket then, and does not see its end.
  {
    name: 'a reset amid an upload that the backend does not read',
    talk: sendMuch,
    serve: readNothing,
    vanish: reset,
    isHidden: true,
  },
  // A FIN, as a client sends that still listens.
  { name: 'a close while the backend thinks', talk: sendGet, serve: readAll, vanish: close, isHidden: true },
  {
    name: 'a reset after a half-close, while the backend thinks',
    talk: sendGet,
    serve: readAll,
    vanish: (socket) => {
      socket.end();
      setTimeout(() => socket.resetAndDestroy(), 200);
    },
    isHidden: true,
  },
];

describe('clients that vanish', { concurrency: 4 }, () => {
  for (const { name, talk, serve, readBytes = 0, vanish, isHidden = false } of cases)
    test(`${name}: the backend connection is dropped${isHidden ? ' at the timeout' : ''}, no descriptor stays`, async (context) => {
      const { flint, backendSockets, descriptorsBefore } = await scene(
        context,
        serve,
        isHidden ? '2s' : '60s',
      );
      const clients: Socket[] = [];
      for (let number = 0; number < clientsAtOnce; number++) {
        const client = connect({ port: flint.httpPort, host: '127.0.0.1', allowHalfOpen: true });
        client.on('error', () => {});
        talk(client);
        clients.push(client);
      }
      await eventually(
        () => backendSockets.size,
        (count) => count === clientsAtOnce,
      );
      assert.equal(backendSockets.size, clientsAtOnce, 'all requests are on their way');
      for (const client of clients) {
        if (readBytes > 0) client.resume();
        await eventually(
          () => client.bytesRead,
          (bytes) => bytes >= readBytes,
        );
        client.pause();
      }
      if (talk === sendMuch) await Promise.all(clients.map((client) => settled(() => bytesTaken(client))));
      for (const client of clients) vanish(client);
      const vanishedMs = performance.now();
      const descriptors = await eventually(
        () => descriptorsOf(flint.pid),
        (count) => count <= descriptorsBefore,
      );
      context.diagnostic(`over after ${Math.round(performance.now() - vanishedMs)} ms`);
      assert.ok(descriptors <= descriptorsBefore, `${descriptors - descriptorsBefore} descriptors are left`);
      for (const socket of backendSockets) socket.resume();
      const left = await eventually(
        () => backendSockets.size,
        (count) => count === 0,
      );
      assert.equal(left, 0, 'backend connections are left');
      await flint.until(() => flint.accessLog.length === clientsAtOnce);
      if (!isHidden)
        assert.deepEqual([...new Set(flint.accessLog.map(({ fault }) => fault))], ['client-closed']);
    });
});
