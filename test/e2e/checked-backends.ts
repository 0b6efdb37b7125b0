// Backends that are asked whether they are well, and say what a test wants them to.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Cleanup } from './backends.ts';

/** Answers its checks on /healthz, and everything else with its name. */
export class CheckedBackend {
  readonly checks: { readonly headers: IncomingHttpHeaders; readonly port: number }[] = [];
  /** What checks are answered with; 0: with nothing at all. */
  status = 200;
  port = 0;
  #listeners: (() => void)[] = [];

  static async start(context: Cleanup, name: string): Promise<CheckedBackend> {
    const backend = new CheckedBackend();
    const server = createServer((incoming, response) => {
      if (incoming.url !== '/healthz') {
        response.end(JSON.stringify({ backend: name }));
        return;
      }
      backend.checks.push({ headers: incoming.headers, port: incoming.socket.remotePort ?? 0 });
      for (const listener of backend.#listeners.splice(0)) listener();
      if (backend.status !== 0) response.writeHead(backend.status).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    backend.port = (server.address() as AddressInfo).port;
    context.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return backend;
  }

  /** Resolves with the next check. */
  checked(): Promise<void> {
    return new Promise((resolve) => {
      this.#listeners.push(resolve);
    });
  }
}

/** A server of grpc.health.v1.Health in the clear that knows these services. Resolves to its port. */
export async function grpcHealthBackend(
  context: Cleanup,
  statuses: Readonly<Record<string, number>>,
): Promise<number> {
  const check: handleUnaryCall<string, number> = (call, callback) => {
    const status = statuses[call.request];
    if (status === undefined) callback({ code: 5, details: 'unknown service' });
    else callback(null, status);
  };
  const server = new Server();
  server.addService(
    {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        // Names of services in tests are short: their length is one byte.
        requestDeserialize: (bytes: Buffer) => bytes.subarray(2).toString(),
        requestSerialize: (name: string) => Buffer.from([0x0a, name.length, ...Buffer.from(name)]),
        responseSerialize: (status: number) => Buffer.from([0x08, status]),
        responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
      },
    },
    { Check: check },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  context.after(() => server.forceShutdown());
  return port;
}
