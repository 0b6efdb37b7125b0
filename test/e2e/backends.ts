// Real backends on loopback: well-behaved ones on node:http, and scripted ones on bare sockets.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Where what was opened is closed: a test, or the end of a suite. */
export interface Cleanup {
  after(close: () => void): void;
}

export interface Echo {
  readonly backend: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Backend {
  readonly port: number;
  /** Requests seen, in order. */
  readonly requests: Echo[];
  readonly connections: number;
  close(): void;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('latin1');
}

/** Answers every request with a JSON account of it, after `delayMs`. */
export async function echoBackend(
  context: Cleanup,
  name: string,
  delayMs = 0,
  host = '127.0.0.1',
): Promise<Backend> {
  const requests: Echo[] = [];
  const listener: RequestListener = (request, response) => {
    // A body that breaks off belongs to a request that the test gave up on purpose.
    const onBody = (body: string): void => {
      const echo: Echo = {
        backend: name,
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers as Record<string, string>,
        body,
      };
      requests.push(echo);
      const answer = (): void => {
        const text = JSON.stringify(body.length > 1000 ? { ...echo, body: String(body.length) } : echo);
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      };
      if (delayMs === 0) answer();
      else setTimeout(answer, delayMs);
    };
    bodyOf(request).then(onBody, () => {});
  };
  const server = createHttpServer({ keepAliveTimeout: 60_000 }, listener);
  let connections = 0;
  server.on('connection', () => connections++);
  const port = await listen(context, server, host);
  return {
    port,
    requests,
    get connections() {
      return connections;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Answers `/N` with N bytes. */
export function sizedBackend(context: Cleanup): Promise<number> {
  const listener: RequestListener = (request, response) => {
    response.end(Buffer.alloc(Number(request.url?.slice(1)), 'x'));
  };
  return listen(context, createHttpServer(listener));
}

/** Answers everything with these fields. */
export function headersBackend(context: Cleanup, headers: Readonly<Record<string, string>>): Promise<number> {
  return listen(
    context,
    createHttpServer((_, response) => response.writeHead(200, headers).end()),
  );
}

/** Gives each connection to `serve`, with everything that has come on it so far. */
export async function rawBackend(
  context: Cleanup,
  serve: (socket: Socket, received: string, connection: number) => void,
): Promise<Backend> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const number = ++connections;
    let received = '';
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      serve(socket, received, number);
    });
    socket.on('end', () => socket.end());
  });
  const port = await listen(context, server);
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  context.after(close);
  return {
    port,
    requests: [],
    get connections() {
      return connections;
    },
    close,
  };
}

/** A port on which nobody listens; one that had been free might be given to the next who asks for any. */
export const closedPort = 1;

async function listen(context: Cleanup, server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  context.after(() => {
    server.close();
    if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
  });
  return (server.address() as AddressInfo).port;
}
