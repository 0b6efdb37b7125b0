// The backends of `make soak`, a process of its own so that their memory is not Flint's: endpoints that can be told to be bad.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { methods } from '../test/e2e/grpc-echo.ts';
import { answerBytes, echoField, idField } from './soak-orders.ts';
import type { Mood, Order, Report } from './soak-orders.ts';

const endpointsOfEach = 3;
const chunkBytes = 4096;
const slowMs = 300;
/** Below the ports that the system gives to whoever connects, so that an endpoint finds its own again. */
const firstPort = 12_000;
const lastPort = 32_000;
const bodies = new Map(Object.entries(answerBytes).map(([path, bytes]) => [path, Buffer.alloc(bytes, 'x')]));
const garbage = [
  'HTTP/1.1 abc OK\r\n\r\n',
  '\u0016\u0003\u0001 this is no HTTP\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX: a\u0000b\r\nContent-Length: 2\r\n\r\nok',
];

interface Endpoint {
  readonly port: number;
  mood: Mood;
  be(mood: Mood): Promise<void>;
}

function tell(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Calls `bind` with ports until one is free. */
async function anyPort(bind: (port: number) => Promise<void>): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort));
    try {
      await bind(port);
      return port;
    } catch {
      // Somebody has it.
    }
  }
}

class HttpEndpoint implements Endpoint {
  port = 0;
  mood: Mood = 'healthy';
  #server: Server | undefined = undefined;
  readonly #sockets = new Set<Duplex>();
  readonly #used = new WeakSet<Duplex>();
  readonly #webSockets = new WebSocketServer({ noServer: true });
  #requests = 0;

  async listen(port: number): Promise<void> {
    const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
      this.#serve(request, response);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
      // There is no late answer to these, nor one with something behind it.
      if (this.mood !== 'slow' && this.mood !== 'poison' && this.#isHarmed(request))
        return this.#harm(request, socket, undefined);
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
        webSocket.on('error', () => {});
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', 4096, resolve);
    });
    this.#server = server;
    this.port = port;
  }

  async be(mood: Mood): Promise<void> {
    if (mood === 'down') {
      this.#server?.close();
      for (const socket of this.#sockets) socket.destroy();
    } else if (this.mood === 'down') await this.listen(this.port);
    this.mood = mood;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    // Clients of Flint that give up are part of the traffic.
    request.on('error', () => {});
    const isHarmed = this.#isHarmed(request);
    this.#used.add(request.socket);
    request.resume();
    request.on('end', () => {
      if (!isHarmed) answer(request, response);
      else this.#harm(request, request.socket, response);
    });
  }

  /** Every second one is; it is told at once, whatever becomes of the rest of it. */
  #isHarmed(request: IncomingMessage): boolean {
    if (this.mood === 'healthy' || this.#requests++ % 2 === 1) return false;
    const id = String(request.headers[idField]);
    const isFirst = !this.#used.has(request.socket);
    tell({ kind: 'Harm', id, port: this.port, mood: this.mood, isFirst });
    return true;
  }

  #harm(request: IncomingMessage, socket: Duplex, response: ServerResponse | undefined): void {
    switch (this.mood) {
      case 'down':
      case 'resets':
        return void (socket as Socket).resetAndDestroy();
      case 'hangs':
        return;
      case 'garbage':
        return void socket.end(garbage[this.#requests % garbage.length], 'latin1');
      case 'breaks':
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nxxxx');
        return void setTimeout(() => socket.destroy(), 5);
      case 'poison':
      case 'slow':
      case 'healthy':
        break;
    }
    if (response === undefined) return;
    if (this.mood !== 'poison') return void setTimeout(() => answer(request, response), slowMs);
    // An answer and one more, which nobody has asked for.
    const id = String(request.headers[idField]);
    const bytes = answerBytes[request.url ?? ''] ?? 0;
    const head = `HTTP/1.1 200 OK\r\n${echoField}: ${id}\r\nContent-Length: ${bytes}\r\n\r\n`;
    const body = request.method === 'HEAD' ? '' : 'x'.repeat(bytes);
    socket.write(`${head}${body}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const body = bodies.get(request.url ?? '');
  response.setHeader(echoField, String(request.headers[idField]));
  if (body === undefined) response.writeHead(404).end();
  else if (request.url === '/chunked') {
    for (let start = 0; start < body.length; start += chunkBytes)
      response.write(body.subarray(start, start + chunkBytes));
    response.end();
  } else response.writeHead(200, { 'content-length': body.length }).end(body);
}

class GrpcEndpoint implements Endpoint {
  port = 0;
  mood: Mood = 'healthy';
  #server: GrpcServer | undefined = undefined;

  async listen(port: number): Promise<void> {
    const server = new GrpcServer();
    const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      setTimeout(() => callback(null, call.request), 2);
    };
    const repeat: handleServerStreamingCall<Buffer, Buffer> = (call) => {
      for (let number = 0; number < 50; number++) call.write(call.request);
      call.end();
    };
    const { Unary, Repeat } = methods;
    server.addService({ Unary, Repeat }, { Unary: unary, Repeat: repeat });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    this.#server = server;
    this.port = port;
  }

  async be(mood: Mood): Promise<void> {
    if (mood === 'down') this.#server?.forceShutdown();
    else if (this.mood === 'down') await this.listen(this.port);
    this.mood = mood;
  }
}

const endpoints: Endpoint[] = [];
async function open(create: () => HttpEndpoint | GrpcEndpoint): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let number = 0; number < endpointsOfEach; number++) {
    const endpoint = create();
    ports.push(await anyPort((port) => endpoint.listen(port)));
    endpoints.push(endpoint);
  }
  return ports;
}

const http = await open(() => new HttpEndpoint());
const grpc = await open(() => new GrpcEndpoint());
tell({ kind: 'Listening', http, grpc });
const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => {
  const order = JSON.parse(line) as Order;
  const endpoint = endpoints.find(({ port }) => port === order.port);
  void endpoint?.be(order.mood).then(() => tell({ kind: 'Obeyed', ...order }));
});
// Whoever started this one is gone.
orders.on('close', () => process.exit(0));
