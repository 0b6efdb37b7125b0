// Backends with TLS, and the objects that say how they are to be verified.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createAuthority } from '../tls/certificates.ts';
import type { Issued } from '../tls/certificates.ts';
import type { Cleanup } from './backends.ts';
import { simpleRoute } from './manifests.ts';

export const privateAuthority = createAuthority('Private CA');
export const otherAuthority = createAuthority('Other CA');
export const backendName = 'backend.test';

export function leafFor(name = backendName): Issued {
  return privateAuthority.issue({ dnsNames: [name] });
}

/** A Secret with nothing but authorities, as far as anybody reads it here. */
export function caSecret(name: string, ...authorities: readonly string[]): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name },
    stringData: { 'ca.crt': authorities.join(''), 'tls.crt': '', 'tls.key': '' },
  };
}

/** Everything of the host to the Service of that name, verified by `tls`. */
export function verifiedRoute(
  hostname: string,
  serviceName: string,
  tls: object = { hostname: backendName, caCertificateRefs: [{ name: 'ca' }] },
): unknown {
  return simpleRoute(hostname, serviceName, { backendRefs: [{ name: serviceName, port: 80, tls }] });
}

export interface TlsBackend {
  readonly port: number;
  /** Method and path of each request, with the digest of its body. */
  readonly requests: string[];
  /** The names that were asked for, a handshake each; of resumed ones, too. */
  readonly names: (string | false | null)[];
  readonly protocols: (string | false | null)[];
  resumed: number;
}

export function digestOf(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

/** Bytes that are others at every place, so that a mixed-up part shows. */
export function variedBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return bytes;
}

async function digestOfBody(request: IncomingMessage): Promise<string> {
  const digest = createHash('sha1');
  for await (const piece of request) digest.update(piece as Buffer);
  return digest.digest('hex');
}

/** Answers `/N` with N varied bytes, and everything else with the digest of what it got. */
const answer =
  (backend: TlsBackend): RequestListener =>
  (request, response) => {
    digestOfBody(request).then(
      (digest) => {
        backend.requests.push(`${request.method} ${request.url} ${digest}`);
        const size = /^\/(\d+)$/.exec(request.url ?? '')?.[1];
        response.end(size === undefined ? digest : variedBytes(Number(size)));
      },
      () => {},
    );
  };

/** `maxRequestsPerSocket`: 0 for any number. */
export async function tlsBackend(
  context: Cleanup,
  leaf: Issued = leafFor(),
  { maxRequestsPerSocket = 0, ...options }: ServerOptions & { readonly maxRequestsPerSocket?: number } = {},
  chain = privateAuthority.chainOf(leaf),
): Promise<TlsBackend> {
  const server = createServer({ cert: chain, key: leaf.keyPem, keepAliveTimeout: 60_000, ...options });
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const backend: TlsBackend = { port, requests: [], names: [], protocols: [], resumed: 0 };
  server.on('request', answer(backend));
  server.on('secureConnection', (socket: TLSSocket & { readonly servername?: string }) => {
    backend.names.push(socket.servername ?? null);
    backend.protocols.push(socket.alpnProtocol);
    if (socket.isSessionReused()) backend.resumed++;
  });
  server.on('tlsClientError', () => {});
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return backend;
}
