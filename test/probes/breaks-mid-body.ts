// Backends that break off in the middle of a body, in every framing: no client may take what it has for the whole.
import type { Socket } from 'node:net';
import { HttpClient } from '../e2e/http-client.ts';
import { rawBackend } from '../e2e/backends.ts';
import { count, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const half = 'x'.repeat(50_000);
const asked = 20;

const heads: Readonly<Record<string, string>> = {
  length: `HTTP/1.1 200 OK\r\nContent-Length: ${2 * half.length}\r\n\r\n${half}`,
  chunked: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${half.length.toString(16)}\r\n${half}\r\n`,
  'within a chunk': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${(2 * half.length).toString(16)}\r\n${half}`,
  'until close': `HTTP/1.1 200 OK\r\n\r\n${half}`,
};
const ends: Readonly<Record<string, (socket: Socket) => void>> = {
  FIN: (socket) => void socket.end(),
  RST: (socket) => void socket.resetAndDestroy(),
};
/** FIN is how a body until close ends by right. */
const cases = Object.keys(heads)
  .flatMap((framing) => Object.keys(ends).map((end) => ({ framing, end })))
  .filter(({ framing, end }) => framing !== 'until close' || end !== 'FIN');

export const breaksMidBody: Probe = {
  name: 'backend breaks mid-body',
  fault:
    'backend breaks off mid-body, by FIN and by RST: Content-Length, between and within chunks, until close',
  promise: 'never a complete-looking body: the connection of the client ends without its end',
  async run(side, context) {
    const backend = await rawBackend(context, (socket, received) => {
      const [, number = '0'] = [...received.matchAll(/GET \/(\d+) HTTP/g)].at(-1) ?? [];
      const { framing, end } = cases[Number(number)]!;
      // Some of it has been passed on by then.
      socket.write(heads[framing]!, () => setTimeout(() => ends[end]!(socket), 30));
    });
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] } });
    const complete = new Map<string, number>();
    const seen = new Map<string, number>();
    for (const [number, { framing, end }] of cases.entries())
      await Promise.all(
        Array.from({ length: asked }, async () => {
          const client = await HttpClient.open(subject.port);
          client.send(`GET /${number} HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
          const status = await client.answer().then(
            (answer) => answer.status,
            () => 0,
          );
          client.close();
          count(seen, status === 0 ? 'broken off' : String(status));
          if (status === 200) count(complete, `${framing}, ${end}`);
        }),
      );
    return {
      figures: [tallied(seen), ...(complete.size === 0 ? [] : [`looked complete: ${tallied(complete)}`])],
      breaches: unless([complete.size === 0, `looked complete: ${tallied(complete)}`]),
    };
  },
};
