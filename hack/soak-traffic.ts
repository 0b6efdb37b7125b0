// The traffic of `make soak`: everything that clients do, the rude ones included, each at a pace that two cores can bear.
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';

/** Path -> bytes of the answer. */
export const answerBytes: Readonly<Record<string, number>> = {
  '/tiny': 12,
  '/10k': 10_240,
  '/1m': 1_048_576,
  '/8m': 8_388_608,
  '/chunked': 102_400,
  '/post': 2,
};

const patienceMs = 20_000;
const uploadBytes = 10_240;

/** Resolves when the exchange went as it should, rejects with what was wrong. */
type Exchange = (port: number) => Promise<void>;

interface Client {
  readonly exchange: Exchange;
  readonly name: string;
  /** Between one exchange and the next. */
  readonly paceMs: number;
  readonly count: number;
}

const keepAlive = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });

const clients: readonly Client[] = [
  { name: 'tiny', exchange: (port) => ask(port, '/tiny'), paceMs: 10, count: 8 },
  { name: '10 KB', exchange: (port) => ask(port, '/10k'), paceMs: 10, count: 4 },
  { name: '1 MB', exchange: (port) => ask(port, '/1m'), paceMs: 100, count: 2 },
  { name: 'chunked', exchange: (port) => ask(port, '/chunked'), paceMs: 30, count: 4 },
  {
    name: 'POST 10 KB',
    exchange: (port) => ask(port, '/post', { upload: Buffer.alloc(uploadBytes, 'y') }),
    paceMs: 20,
    count: 4,
  },
  {
    name: 'connection per request',
    exchange: (port) => ask(port, '/tiny', { agent: false }),
    paceMs: 20,
    count: 4,
  },
  { name: 'aborted download', exchange: abortDownload, paceMs: 50, count: 2 },
  { name: 'aborted upload', exchange: abortUpload, paceMs: 50, count: 2 },
  // More than the kernel buffers between the two, so that Flint has to wait.
  { name: 'slow reader', exchange: (port) => ask(port, '/8m', { readMs: 20 }), paceMs: 10, count: 4 },
];

export class Traffic {
  requests = 0;
  failures = 0;
  /** What was wrong -> how often. */
  readonly reasons = new Map<string, number>();
  readonly #port: number;
  readonly #done: Promise<unknown>;
  #isStopped = false;

  constructor(port: number) {
    this.#port = port;
    const loops = clients.flatMap((client) => Array.from({ length: client.count }, () => this.#loop(client)));
    this.#done = Promise.all(loops);
  }

  /** Resolves when the last exchange has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    keepAlive.destroy();
  }

  async #loop({ exchange, name, paceMs }: Client): Promise<void> {
    while (!this.#isStopped) {
      this.requests++;
      try {
        await exchange(this.#port);
      } catch (error) {
        this.failures++;
        const reason = `${name}: ${error instanceof Error ? error.message : String(error)}`;
        this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, paceMs);
      });
    }
  }
}

interface Asking {
  readonly upload?: Buffer;
  readonly agent?: Agent | false;
  /** Above 0: after each piece that arrives, nothing is read for so long. */
  readonly readMs?: number;
}

function ask(
  port: number,
  path: string,
  { upload, agent = keepAlive, readMs = 0 }: Asking = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent,
        method: upload === undefined ? 'GET' : 'POST',
        headers: { host: 'soak.test', ...(upload === undefined ? {} : { 'content-length': upload.length }) },
        timeout: patienceMs,
      },
      (response) => {
        readAll(response, readMs).then((bytes) => {
          const due = answerBytes[path];
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
          else if (bytes === due) resolve();
          else reject(new Error(`${bytes} bytes instead of ${due}`));
        }, reject);
      },
    );
    asking.on('timeout', () => asking.destroy(new Error(`nothing for ${patienceMs} ms`)));
    asking.on('error', reject);
    asking.end(upload);
  });
}

/** Resolves to the bytes of the body. */
function readAll(response: IncomingMessage, readMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    response.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (readMs === 0) return;
      response.pause();
      setTimeout(() => response.resume(), readMs);
    });
    response.on('end', () => resolve(bytes));
    response.on('error', reject);
    response.on('aborted', () => reject(new Error('the body broke off')));
  });
}

/** Goes away when the first bytes of a long answer are there. */
function abortDownload(port: number): Promise<void> {
  return abort(port, 'GET /1m HTTP/1.1\r\nHost: soak.test\r\n\r\n', 'after first bytes');
}

/** Goes away in the middle of what it announced. */
function abortUpload(port: number): Promise<void> {
  const head = `POST /post HTTP/1.1\r\nHost: soak.test\r\nContent-Length: ${10 * uploadBytes}\r\n\r\n`;
  return abort(port, head + 'y'.repeat(uploadBytes), 'after writing');
}

function abort(port: number, text: string, moment: 'after first bytes' | 'after writing'): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const leave = (): void => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(patienceMs, () => {
      socket.destroy();
      reject(new Error(`nothing for ${patienceMs} ms`));
    });
    socket.on('error', reject);
    socket.on('data', leave);
    socket.write(text, () => {
      if (moment === 'after writing') setTimeout(leave, 5);
    });
  });
}
