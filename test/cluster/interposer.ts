// Stands between a client and the API server, counts what is written, and lets a test act before or after each write, and
// answer reads in its place.
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

/** Whether the write, or the answer to it, goes on, and when. */
export type OnWrite = (
  write: Write,
  moment: 'before' | 'after',
) => 'pass' | 'drop' | Promise<'pass' | 'drop'>;

export interface ReadAnswer {
  readonly status: number;
  readonly text: string;
  /** The connection breaks after `text`, before the end that was promised. */
  readonly isCut?: true;
}

/** The answer to a read; `ask` gets that of the API server. The connection breaks when it rejects. */
export type Answering = (ask: () => Promise<ReadAnswer>) => Promise<ReadAnswer>;

export class Interposer {
  readonly url: string;
  readonly writes: Write[] = [];
  /** Called twice for each write: dropped `before`, it has no effect; dropped `after`, it has had it, and nobody is told. */
  onWrite: OnWrite = () => 'pass';
  /** Undefined: the read goes on as it is. The query of `url` may be changed on its way. */
  onRead: (url: URL) => Answering | undefined = () => undefined;
  /** What the API server has forbidden, in its words. */
  readonly refusals: string[] = [];
  readonly #watches = new Map<ServerResponse, URL>();
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

  /** Ends the watches of the collections that `isMeant` takes, without a word. */
  breakWatches(isMeant: (url: URL) => boolean): void {
    for (const [response, url] of this.#watches) if (isMeant(url)) response.destroy();
  }

  async #forward(api: ApiServer, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const body = await textOf(incoming);
    // A lease is renewed all the time and holds no route.
    const isWrite = method !== 'GET' && !url.includes('/leases');
    const write: Write = { number: this.writes.length + 1, method, path: url.replace(/\?.*/, '') };
    if (isWrite) {
      this.writes.push(write);
      if ((await this.onWrite(write, 'before')) === 'drop') return;
    }
    const target = new URL(url, api.url);
    const answering = method === 'GET' ? this.onRead(target) : undefined;
    if (answering !== undefined) {
      send(response, await answering(() => this.#read(target, headers)));
      return;
    }
    if (target.searchParams.get('watch') === 'true') {
      this.#watches.set(response, target);
      response.on('close', () => this.#watches.delete(response));
    }
    const outgoing = request(target, { agent: this.#agent, method, headers });
    response.on('close', () => outgoing.destroy());
    outgoing.on('error', () => response.destroy());
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (isWrite && (await this.onWrite(write, 'after')) === 'drop') return;
    if (answer.statusCode === 403) {
      const text = await textOf(answer);
      this.refusals.push((JSON.parse(text) as { readonly message: string }).message);
      send(response, { status: 403, text });
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    // The head of a quiet watch must not wait for its first event.
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  }
  async #read(url: URL, headers: IncomingMessage['headers']): Promise<ReadAnswer> {
    const outgoing = request(url, {
      agent: this.#agent,
      headers: { ...headers, 'accept-encoding': 'identity' },
    });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 500, text: await textOf(answer) };
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function send(response: ServerResponse, { status, text, isCut }: ReadAnswer): void {
  const length = Buffer.byteLength(text) + (isCut === undefined ? 0 : 1);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length });
  if (isCut === undefined) response.end(text);
  else response.write(text, () => response.destroy());
}
