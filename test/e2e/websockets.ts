// WebSockets of a real library on both sides of Flint, and what its Service and route look like.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import type { ClientOptions, RawData, ServerOptions } from 'ws';
import { createAuthority, generateKey } from '../tls/certificates.ts';
import type { Cleanup } from './backends.ts';
import type { FlintProcess } from './flint-process.ts';
import { service, simpleRoute } from './manifests.ts';

export const host = 'shop.test';
export const schemes = ['ws', 'wss'] as const;
export type Scheme = (typeof schemes)[number];

const authority = createAuthority();
const pair = authority.issue({ dnsNames: [host], key: generateKey() });

/** Everything of the host to backends on these ports, with TLS and without. */
export function webSocketObjects(
  ports: readonly number[],
  rule: Readonly<Record<string, unknown>> = {},
): readonly unknown[] {
  const object = simpleRoute(host, 'shop', rule) as { readonly spec: object };
  const tls = { certificateRefs: [{ name: 'shop-tls' }], plaintext: 'Serve' };
  return [
    { ...object, spec: { ...object.spec, tls } },
    ...service('shop', ports),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: { name: 'shop-tls' },
      stringData: { 'tls.crt': authority.chainOf(pair), 'tls.key': pair.keyPem },
    },
  ];
}

export interface WebSocketBackend {
  readonly port: number;
  /** Those that are open, the oldest first. */
  readonly sockets: ReadonlySet<WebSocket>;
}

/** Gives every WebSocket to `serve`. */
export async function webSocketBackend(
  context: Cleanup,
  serve: (socket: WebSocket) => void,
  options: ServerOptions = {},
): Promise<WebSocketBackend> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  await once(server, 'listening');
  context.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets: server.clients };
}

/** Gives back every message as it came: text as text, binary as binary. */
export function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

/** Resolves when it is open. */
export async function openWebSocket(
  flint: FlintProcess,
  scheme: Scheme = 'ws',
  { protocols, ...options }: ClientOptions & { readonly protocols?: string[] } = {},
): Promise<WebSocket> {
  const port = scheme === 'ws' ? flint.httpPort : flint.httpsPort;
  const secured: ClientOptions & ConnectionOptions = { servername: host, ca: authority.root.certificate };
  const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/`, protocols ?? [], {
    headers: { host },
    ...secured,
    ...options,
  });
  await once(socket, 'open');
  socket.on('error', () => {});
  return socket;
}

export interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** The next one. Rejects when the socket closes before it comes. */
export function messageOf(socket: WebSocket): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onClose = (code: number): void => reject(new Error(`closed with ${code} before a message`));
    socket.once('close', onClose);
    socket.once('message', (data: RawData, isBinary: boolean) => {
      socket.off('close', onClose);
      resolve({ data: data as Buffer, isBinary });
    });
  });
}

export async function exchanged(
  socket: WebSocket,
  data: string | Buffer,
  options: Parameters<WebSocket['send']>[1] = {},
): Promise<Message> {
  const answer = messageOf(socket);
  socket.send(data, options as object);
  return answer;
}

/** Code and reason; 1006 when the connection ended without a Close frame. */
export async function closeOf(socket: WebSocket): Promise<readonly [code: number, reason: string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}
