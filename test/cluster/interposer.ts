// Stands between a client and the API server, counts what is written, and lets a test act before or after each write.
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:https';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiServer } from './api-server.ts';

export interface Write {
  /** From 1. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
}

/** Whether the write, or the answer to it, goes on. */
export type OnWrite = (write: Write, moment: 'before' | 'after') => 'pass' | 'drop';

export class Interposer {
  readonly url: string;
  readonly writes: Write[] = [];
  /** Called twice for each write: dropped `before`, it has no effect; dropped `after`, it has had it, and nobody is told. */
  onWrite: OnWrite = () => 'pass';
  readonly #server: Server;
  readonly #agent: Agent;

  private constructor(url: string, server: Server, agent: Agent) {
    this.url = url;
    this.#server = server;
    this.#agent = agent;
  }

  /** With the certificate of the API server itself. */
  static async start(api: ApiServer): Promise<Interposer> {
    const ca = readFileSync(api.caFile);
    const agent = new Agent({ keepAlive: true, ca });
    const server = createServer({ cert: ca, key: readFileSync(api.caFile.replace(/crt$/, 'key')) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const interposer = new Interposer(`https://127.0.0.1:${port}`, server, agent);
    server.on('request', (incoming: IncomingMessage, response: ServerResponse) => {
      interposer.#forward(api, incoming, response).catch(() => response.destroy());
    });
    return interposer;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  async #forward(api: ApiServer, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    // A lease is renewed all the time and holds no route.
    const isWrite = method !== 'GET' && !url.includes('/leases');
    const write: Write = { number: this.writes.length + 1, method, path: url.replace(/\?.*/, '') };
    if (isWrite) {
      this.writes.push(write);
      if (this.onWrite(write, 'before') === 'drop') return;
    }
    const outgoing = request(new URL(url, api.url), { agent: this.#agent, method, headers });
    response.on('close', () => outgoing.destroy());
    outgoing.on('error', () => response.destroy());
    outgoing.end(Buffer.concat(pieces));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (isWrite && this.onWrite(write, 'after') === 'drop') return;
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    // The head of a quiet watch must not wait for its first event.
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  }
}
