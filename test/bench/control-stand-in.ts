// Stands in for the API server towards an operator: what it asks for comes from the real one, and into its watch of
// EndpointSlices go changes that nobody has made, at a rate that the real one could not take beside all else on two cores.
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:https';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiServer } from '../cluster/api-server.ts';

const sliceWatch = /^\/apis\/discovery\.k8s\.io\/v1\/endpointslices\?.*watch=true/;

/** Above every version that the API server gives in a run: made-up changes are the newest. */
const firstVersion = 1_000_000_000;

export class StandIn {
  readonly url: string;
  readonly caFile: string;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #watches = new Set<ServerResponse>();
  #version = firstVersion;

  private constructor(url: string, caFile: string, server: Server, agent: Agent) {
    this.url = url;
    this.caFile = caFile;
    this.#server = server;
    this.#agent = agent;
  }

  /** With the certificate of the API server itself. */
  static async start(api: ApiServer): Promise<StandIn> {
    const ca = readFileSync(api.caFile);
    const agent = new Agent({ keepAlive: true, ca });
    const server = createServer({ cert: ca, key: readFileSync(api.caFile.replace(/crt$/, 'key')) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const standIn = new StandIn(`https://127.0.0.1:${port}`, api.caFile, server, agent);
    server.on('request', (incoming: IncomingMessage, response: ServerResponse) => {
      standIn.#forward(api, incoming, response).catch(() => response.destroy());
    });
    return standIn;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  get isWatched(): boolean {
    return this.#watches.size > 0;
  }

  /** Bytes that the operator has not read yet. */
  get unreadBytes(): number {
    return Math.max(0, ...[...this.#watches].map(({ writableLength }) => writableLength));
  }

  /** `stored` with another content, as if somebody had just written it. */
  change(stored: StoredSlice, endpoints: readonly unknown[]): void {
    const metadata = { ...stored.metadata, resourceVersion: String(this.#version++) };
    const object = { ...stored, metadata, endpoints };
    const line = `${JSON.stringify({ type: 'MODIFIED', object })}\n`;
    for (const watch of this.#watches) watch.write(line);
  }

  async #forward(api: ApiServer, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const outgoing = request(new URL(url, api.url), { agent: this.#agent, method, headers });
    response.on('close', () => outgoing.destroy());
    outgoing.on('error', () => response.destroy());
    outgoing.end(Buffer.concat(pieces));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    // The head of a quiet watch must not wait for its first event.
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    if (sliceWatch.test(url) && answer.statusCode === 200) this.#pipeLines(answer, response);
    else answer.pipe(response);
  }

  /** Only between two lines is there room for one of ours. */
  #pipeLines(answer: IncomingMessage, response: ServerResponse): void {
    let rest = '';
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => {
      const end = text.lastIndexOf('\n') + 1;
      if (end > 0) {
        response.write(rest + text.slice(0, end));
        rest = '';
      }
      rest += text.slice(end);
    });
    answer.on('end', () => response.end());
    response.on('close', () => this.#watches.delete(response));
    this.#watches.add(response);
  }
}

/** An EndpointSlice as the API server gives it, with all that it has added. */
export interface StoredSlice {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}
