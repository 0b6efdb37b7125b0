// A client on bare sockets that shows exactly what came: heads, bodies, and how the connection ended.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Where to connect: a port of loopback, or of another address. */
export type Target = number | { readonly host: string; readonly port: number };

/** One connection. Answers are read one after the other, by Content-Length, chunks, or until close. */
export class HttpClient {
  readonly socket: Socket;
  isEnded = false;
  isReset = false;
  #received = Buffer.alloc(0);
  #listeners: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('end', () => {
      this.isEnded = true;
      this.#wake();
    });
    socket.on('error', () => {
      this.isReset = true;
      this.#wake();
    });
    socket.on('close', () => {
      this.isEnded = true;
      this.#wake();
    });
  }

  static async open(target: Target): Promise<HttpClient> {
    const address = typeof target === 'number' ? { host: '127.0.0.1', port: target } : target;
    const socket = connect({ ...address, noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    return new HttpClient(socket);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  close(): void {
    this.socket.destroy();
  }

  /** Everything that is unread, for tests that look at bytes. */
  get unread(): string {
    return this.#received.toString('latin1');
  }

  async untilEnded(): Promise<void> {
    await this.#until(() => this.isEnded);
  }

  /** The next response. `method` HEAD has none of the body that its head announces. Rejects if the connection ends early. */
  async answer(method = 'GET'): Promise<Answer> {
    let head = await this.#head();
    while (head.status < 200) head = await this.#head();
    return { ...head, body: await this.#body(head, method) };
  }

  /** The next head alone, interim ones included. */
  async #head(): Promise<Omit<Answer, 'body'>> {
    const text = await this.#take(() => {
      const end = this.#received.indexOf('\r\n\r\n');
      return end < 0 ? undefined : end + 4;
    });
    const [statusLine = '', ...lines] = text.trimEnd().split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    if (!/^HTTP\/1\.1 [0-9]{3} /.test(statusLine))
      throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 2),
      ]),
    );
    return { status, headers };
  }

  interim(): Promise<Omit<Answer, 'body'>> {
    return this.#head();
  }

  async #body({ status, headers }: Omit<Answer, 'body'>, method: string): Promise<string> {
    if (method === 'HEAD' || status === 204 || status === 304) return '';
    if (headers['transfer-encoding'] === 'chunked') return this.#chunks();
    if (headers['content-length'] !== undefined) {
      const length = Number(headers['content-length']);
      return this.#take(() => (this.#received.length >= length ? length : undefined));
    }
    await this.untilEnded();
    if (this.isReset) throw new Error('the connection was reset in the middle of a body');
    return this.#take(() => this.#received.length);
  }

  async #chunks(): Promise<string> {
    let body = '';
    for (;;) {
      const line = await this.#take(() => {
        const end = this.#received.indexOf('\r\n');
        return end < 0 ? undefined : end + 2;
      });
      const size = Number.parseInt(line, 16);
      const chunk = await this.#take(() => (this.#received.length >= size + 2 ? size + 2 : undefined));
      if (size === 0) return body;
      body += chunk.slice(0, -2);
    }
  }

  async #take(lengthOf: () => number | undefined): Promise<string> {
    await this.#until(() => lengthOf() !== undefined || this.isEnded);
    const length = lengthOf();
    if (length === undefined)
      throw new Error(`the connection ended early; unread: ${JSON.stringify(this.unread)}`);
    const text = this.#received.toString('latin1', 0, length);
    this.#received = this.#received.subarray(length);
    return text;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
      });
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

/** One request on a connection of its own. */
export async function request(
  target: Target,
  host: string,
  path: string,
  { method = 'GET', headers = '', body = '' } = {},
): Promise<Answer> {
  const client = await HttpClient.open(target);
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  client.send(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}${length}\r\n${body}`);
  try {
    return await client.answer(method);
  } finally {
    client.close();
  }
}
