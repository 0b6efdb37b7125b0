// Clients of HTTP/1.1 and WebSocket, the rude ones included.
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { badStatus, patienceMs, settledInTime, wrong } from './soak-exchange.ts';
import type { Client, Exchange, Target } from './soak-exchange.ts';
import { answerBytes, echoField, host, idField } from './soak-orders.ts';

const uploadBytes = 10_240;
const echoes = 10;
const echoPauseMs = 50;
const xByte = 'x'.charCodeAt(0);

const keepAlive = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });
const upload = Buffer.alloc(uploadBytes, 'y');

export const http1Clients: readonly Client[] = [
  get('tiny', '/tiny', 10, 8),
  get('10 KB', '/10k', 10, 4),
  get('1 MB', '/1m', 100, 2),
  get('chunked', '/chunked', 30, 4),
  get('connection per request', '/tiny', 20, 4, { agent: false }),
  // More than the kernel buffers between the two, so that Flint has to wait.
  get('slow reader', '/8m', 10, 4, { readMs: 20 }),
  { ...get('POST 10 KB', '/post', 20, 4, { upload }), isIdempotent: false },
  { name: 'aborted download', exchange: abortDownload, isIdempotent: true, paceMs: 50, count: 2 },
  { name: 'aborted upload', exchange: abortUpload, isIdempotent: false, paceMs: 50, count: 2 },
  // No method could be repeated less than an upgrade; whether Flint may is for its own rules to say.
  { name: 'ws', exchange: webSocket('ws'), isIdempotent: false, paceMs: 100, count: 3 },
  { name: 'wss', exchange: webSocket('wss'), isIdempotent: false, paceMs: 100, count: 2 },
];

export function closeHttp1(): void {
  keepAlive.destroy();
}

interface Asking {
  readonly upload?: Buffer;
  readonly agent?: Agent | false;
  /** Above 0: after each piece that arrives, nothing is read for so long. */
  readonly readMs?: number;
}

function get(name: string, path: string, paceMs: number, count: number, asking: Asking = {}): Client {
  const exchange: Exchange = ({ httpPort }, id) => ask(httpPort, id, path, asking);
  return { name, exchange, isIdempotent: true, paceMs, count };
}

function ask(port: number, id: string, path: string, asking: Asking): Promise<void> {
  const { upload: body, agent = keepAlive, readMs = 0 } = asking;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { host, [idField]: id, ...(body === undefined ? {} : { 'content-length': body.length }) },
        timeout: patienceMs,
      },
      (response) => {
        readAll(response, readMs, response.statusCode === 200).then((bytes) => {
          const due = answerBytes[path];
          if (response.statusCode !== 200) reject(badStatus(response.statusCode ?? 0));
          else if (response.headers[echoField] !== id) reject(wrong('an answer to somebody else'));
          else if (bytes === due) resolve();
          else reject(wrong(`${bytes} bytes instead of ${due}`));
        }, reject);
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`nothing for ${patienceMs} ms`)));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Resolves to the bytes of the body, which are all the same where the backend has sent it. */
function readAll(response: IncomingMessage, readMs: number, isOfBackend: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    response.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (isOfBackend && (piece[0] !== xByte || piece.at(-1) !== xByte))
        reject(wrong('foreign bytes in a body'));
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
function abortDownload({ httpPort }: Target, id: string): Promise<void> {
  const head = `GET /1m HTTP/1.1\r\nHost: ${host}\r\n${idField}: ${id}\r\n\r\n`;
  return abort(httpPort, head, 'after first bytes');
}

/** Goes away in the middle of what it announced. */
function abortUpload({ httpPort }: Target, id: string): Promise<void> {
  const head = `POST /post HTTP/1.1\r\nHost: ${host}\r\n${idField}: ${id}\r\nContent-Length: ${10 * uploadBytes}\r\n\r\n`;
  return abort(httpPort, head + 'y'.repeat(uploadBytes), 'after writing');
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
    socket.on('close', () => reject(new Error('closed without an answer')));
    socket.write(text, () => {
      if (moment === 'after writing') setTimeout(leave, 5);
    });
  });
}

/** Says something, waits for its echo, and again, and leaves. */
function webSocket(scheme: 'ws' | 'wss'): Exchange {
  return ({ httpPort, httpsPort, ca }, id) =>
    settledInTime((resolve, reject) => {
      const port = scheme === 'ws' ? httpPort : httpsPort;
      const headers = { host, [idField]: id };
      const secured = { servername: host, ca };
      const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/`, [], { headers, ...secured });
      let said = 0;
      const say = (): void => socket.send(`${id} says ${said}`);
      socket.on('open', say);
      socket.on('message', (data: Buffer) => {
        if (data.toString() !== `${id} says ${said}`) reject(wrong('an echo of something else'));
        if (++said === echoes) socket.close(1000);
        else setTimeout(() => socket.readyState === WebSocket.OPEN && say(), echoPauseMs);
      });
      socket.on('unexpected-response', (asked, { statusCode }) => {
        asked.destroy();
        reject(badStatus(statusCode ?? 0));
      });
      socket.on('error', reject);
      socket.on('close', (code) => {
        if (said === echoes) resolve();
        else reject(new Error(`closed with ${code} after ${said} echoes`));
      });
    });
}
