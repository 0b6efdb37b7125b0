// Calls of the API over many connections that stay open, as the controllers of a busy cluster make them. TestCluster's own
// calls open a connection each, which costs more than most of what they ask for.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { ApiServer } from './api-server.ts';

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

export interface Write {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** application/json when absent. */
  readonly contentType?: string;
}

interface Call {
  readonly text: string;
  readonly onReply: (reply: Reply) => void;
  readonly onError: (error: Error) => void;
}

/** Well below what the API server allows an idle connection: one that it closes must not be written to. */
const idleMs = 30_000;

export class ApiConnections {
  readonly #port: number;
  readonly #ca: Buffer;
  readonly #token: string;
  readonly #most: number;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #waiting: Call[] = [];

  /** As an administrator, whom the API server does not queue: at most `most` calls at once, the others wait here. */
  constructor(api: ApiServer, most: number) {
    this.#port = api.port;
    this.#ca = readFileSync(api.caFile);
    this.#token = api.adminToken;
    this.#most = most;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  call(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Reply> {
    const content = body === undefined ? '' : JSON.stringify(body);
    const fields = [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${this.#port}`,
      `Authorization: Bearer ${this.#token}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${Buffer.byteLength(content)}`,
    ];
    return new Promise((onReply, onError) => {
      this.#waiting.push({ text: `${fields.join('\r\n')}\r\n\r\n${content}`, onReply, onError });
      this.#next();
    });
  }

  /** Rejects unless the answer is a 2xx. */
  async write({ method, path, body, contentType }: Write): Promise<void> {
    const reply = await this.call(method, path, body, contentType);
    if (reply.status < 200 || reply.status > 299)
      throw new Error(`${method} ${path}: ${reply.status} ${reply.body.toString()}`);
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString()}`);
    return JSON.parse(body.toString()) as T;
  }

  close(): void {
    for (const connection of this.#open) connection.close();
  }

  #next(): void {
    const oldestMs = performance.now() - idleMs;
    while (this.#waiting.length > 0) {
      let connection = this.#idle.pop();
      if (connection !== undefined && connection.usedMs < oldestMs) {
        connection.close();
        continue;
      }
      if (connection === undefined && this.#open.size >= this.#most) return;
      connection ??= this.#connect();
      connection.send(this.#waiting.shift() as Call);
    }
  }

  #connect(): Connection {
    const socket = connect({ host: '127.0.0.1', port: this.#port, ca: this.#ca });
    const connection = new Connection(socket, {
      onFree: () => {
        this.#idle.push(connection);
        this.#next();
      },
      onClose: () => {
        this.#open.delete(connection);
        const place = this.#idle.indexOf(connection);
        if (place >= 0) this.#idle.splice(place, 1);
        this.#next();
      },
    });
    this.#open.add(connection);
    return connection;
  }
}

interface ConnectionEvents {
  readonly onFree: () => void;
  readonly onClose: () => void;
}

/** One call at a time. */
class Connection {
  usedMs = 0;
  readonly #socket: TLSSocket;
  #call: Call | undefined = undefined;
  #received: Buffer = Buffer.alloc(0);

  constructor(socket: TLSSocket, { onFree, onClose }: ConnectionEvents) {
    this.#socket = socket;
    socket.setNoDelay(true);
    let failure = new Error('the API server closed a connection');
    socket.on('error', (error) => (failure = error));
    socket.on('data', (bytes: Buffer) => {
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
      const reply = readReply(this.#received);
      if (reply === undefined) return;
      const { onReply } = this.#call ?? {};
      this.#call = undefined;
      this.#received = Buffer.alloc(0);
      this.usedMs = performance.now();
      onReply?.(reply);
      onFree();
    });
    socket.on('close', () => {
      const { onError } = this.#call ?? {};
      onClose();
      onError?.(failure);
    });
  }

  send(call: Call): void {
    this.#call = call;
    this.#socket.write(call.text);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Undefined while it is not complete. */
function readReply(received: Buffer): Reply | undefined {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = received.toString('latin1', 0, headEnd + 2);
  const status = Number(head.slice(9, 12));
  const [, length] = /\r\ncontent-length: *([0-9]+)\r\n/i.exec(head) ?? [];
  if (length !== undefined) {
    const body = received.subarray(headEnd + 4);
    return body.length < Number(length) ? undefined : { status, body };
  }
  const pieces: Buffer[] = [];
  for (let at = headEnd + 4; ;) {
    const lineEnd = received.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (received.length < start + size + 2) return undefined;
    if (size === 0) return { status, body: Buffer.concat(pieces) };
    pieces.push(received.subarray(start, start + size));
    at = start + size + 2;
  }
}

/** So many at a time; rejects with the first failure, after which none is begun. */
export async function eachInParallel<T>(
  values: Iterable<T>,
  parallel: number,
  work: (value: T) => Promise<void>,
): Promise<void> {
  const rest = values[Symbol.iterator]();
  const failures: unknown[] = [];
  const workOn = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && failures.length === 0; next = rest.next())
      await work(next.value).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: parallel }, workOn));
  if (failures.length > 0) throw failures[0];
}
