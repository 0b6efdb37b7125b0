// Clients of HTTPS, and the objects that hosts with TLS are made of.
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { RequestOptions } from 'node:https';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createAuthority, generateKey } from '../tls/certificates.ts';
import type { Issued, TestAuthority } from '../tls/certificates.ts';
import type { FlintProcess } from './flint-process.ts';
import { simpleRoute } from './manifests.ts';

export const authority = createAuthority();

export function pairFor(name: string, key = generateKey()): Issued {
  return authority.issue({ dnsNames: [name], key });
}

export function secret(name: string, pair: Issued): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name },
    stringData: { 'tls.crt': authority.chainOf(pair), 'tls.key': pair.keyPem },
  };
}

/** As cert-manager writes one: what vouches for others is in its ca.crt. */
export function authoritySecret(name: string, of: TestAuthority): unknown {
  const pair = of.issue({ dnsNames: ['unused.test'] });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name },
    stringData: {
      'tls.crt': of.chainOf(pair),
      'tls.key': pair.keyPem,
      'ca.crt': of.root.certificate,
    },
  };
}

export function secureRoute(hostname: string, serviceName: string, ...secrets: readonly string[]): unknown {
  return routeWithTls(hostname, serviceName, { certificateRefs: secrets.map((name) => ({ name })) });
}

export function routeWithTls(hostname: string, serviceName: string, tls: object, more: object = {}): unknown {
  const object = simpleRoute(hostname, serviceName) as { readonly spec: object };
  return { ...object, spec: { ...object.spec, tls, ...more } };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly fault: string;
  readonly dnsNames: string;
  readonly headers: IncomingHttpHeaders;
}

/** One request over a connection of its own. */
export async function ask(
  flint: FlintProcess,
  name: string,
  { path = '/', ...options }: RequestOptions = {},
  body?: Buffer,
): Promise<Answer> {
  const request = httpsRequest({
    host: '127.0.0.1',
    port: flint.httpsPort,
    servername: name,
    ca: authority.root.certificate,
    headers: { host: name },
    agent: false,
    path,
    ...options,
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return {
    status: response.statusCode ?? 0,
    text,
    fault: String(response.headers['x-flint-fault'] ?? ''),
    headers: response.headers,
    dnsNames: (response.socket as TLSSocket).getPeerCertificate().subjectaltname ?? '',
  };
}

/** The code that a client gives to a handshake that fails. */
export async function failureOf(flint: FlintProcess, options: ConnectionOptions): Promise<string> {
  const socket = connect({
    host: '127.0.0.1',
    port: flint.httpsPort,
    ca: authority.root.certificate,
    ...options,
  });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  socket.destroy();
  return error.code ?? error.message;
}

export async function open(
  flint: FlintProcess,
  name: string,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: flint.httpsPort,
    servername: name,
    ca: authority.root.certificate,
    ...options,
  });
  await once(socket, 'secureConnect');
  return socket;
}
