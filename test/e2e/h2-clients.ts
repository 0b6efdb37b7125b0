// Clients of HTTP/2 as Node has them, and a backend that tells exactly what reached it.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { connect, constants } from 'node:http2';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionOptions,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  SecureClientSessionOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Cleanup } from './backends.ts';
import type { FlintProcess } from './flint-process.ts';
import { service } from './manifests.ts';
import { authority, pairFor, routeWithTls, secret } from './tls-clients.ts';

export const host = 'shop.test';
/** In the clear by prior knowledge, and over TLS by ALPN. */
export const schemes = ['http', 'https'] as const;
export type Scheme = (typeof schemes)[number];

/** Everything of the host to backends on these ports, with TLS and without. */
export function sceneObjects(ports: readonly number[], rule: object = {}): readonly unknown[] {
  const rules = [{ backendRefs: [{ name: 'shop', port: 80 }], ...rule }];
  return [
    ...service('shop', ports),
    secret('shop-tls', pair),
    routeWithTls(host, 'shop', { certificateRefs: [{ name: 'shop-tls' }], plaintext: 'Serve' }, { rules }),
  ];
}

const pair = pairFor(host);

/** Resolves when the server's settings are there. */
export async function openSession(
  flint: FlintProcess,
  scheme: Scheme,
  options: ClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const port = scheme === 'http' ? flint.httpPort : flint.httpsPort;
  const secured: SecureClientSessionOptions = {
    servername: host,
    ca: authority.root.certificate,
    ...options,
  };
  const session = connect(`${scheme}://127.0.0.1:${port}`, secured);
  session.on('error', () => {});
  await once(session, 'remoteSettings');
  return session;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly interim: readonly IncomingHttpHeaders[];
  readonly body: Buffer;
}

export interface Asked {
  readonly headers?: OutgoingHttpHeaders;
  /** Written piece by piece. */
  readonly body?: readonly Buffer[];
  readonly trailers?: OutgoingHttpHeaders;
}

export function begin(
  session: ClientHttp2Session,
  { headers, body, trailers }: Asked = {},
): ClientHttp2Stream {
  const all = { ':authority': host, ':path': '/', ...headers };
  const stream = session.request(all, {
    endStream: body === undefined,
    waitForTrailers: trailers !== undefined,
  });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
  if (body !== undefined) {
    for (const piece of body) stream.write(piece);
    stream.end();
  }
  return stream;
}

/** Rejects when the stream is reset before the response is complete. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const interim: IncomingHttpHeaders[] = [];
  const pieces: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('headers', (fields) => interim.push(fields));
  stream.on('response', (fields) => (headers = fields));
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  let isComplete = false;
  stream.on('end', () => (isComplete = true));
  await once(stream, 'close');
  if (!isComplete || stream.rstCode !== constants.NGHTTP2_NO_ERROR)
    throw new Error(`the stream was reset with ${stream.rstCode}`);
  const status = Number(headers[':status']);
  return { status, headers, trailers, interim, body: Buffer.concat(pieces) };
}

export function ask(session: ClientHttp2Session, asked: Asked = {}): Promise<Answer> {
  return answerOf(begin(session, asked));
}

/** What reached the backend, as it saw it. */
export interface Account {
  readonly method: string;
  readonly url: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly bodyBytes: number;
  readonly sha256: string;
  readonly trailers: Readonly<Record<string, string>>;
}

export function accountOf({ body }: Pick<Answer, 'body'>): Account {
  return JSON.parse(body.toString()) as Account;
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Reads the request to its end. */
export async function readAccount(request: IncomingMessage): Promise<Account> {
  const hash = createHash('sha256');
  let bodyBytes = 0;
  for await (const piece of request) {
    hash.update(piece as Buffer);
    bodyBytes += (piece as Buffer).length;
  }
  const { rawHeaders, method = '', url = '' } = request;
  const fields = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? ''] as const] : [],
  );
  const trailers = request.trailers as Record<string, string>;
  return { method, url, fields, bodyBytes, sha256: hash.digest('hex'), trailers };
}

/** Answers every request with an account of it. Resolves to the port. */
export function accountBackend(context: Cleanup): Promise<number> {
  return httpBackend(context, (request, response) => {
    readAccount(request).then(
      (account) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(account));
      },
      () => {},
    );
  });
}

export async function httpBackend(context: Cleanup, listener: RequestListener): Promise<number> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
