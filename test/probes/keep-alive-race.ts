// Backends that close idle connections without a word, in several manners and after several times.
import type { Socket } from 'node:net';
import { askInPairs, requestsInPairs } from '../e2e/pairs.ts';
import { listenRaw } from '../e2e/raw-server.ts';
import { count, duplicatesIn, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

interface Manner {
  readonly name: string;
  readonly afterMs: number;
  readonly end: (socket: Socket) => void;
}

const closing = (socket: Socket): void => void socket.destroy();
const resetting = (socket: Socket): void => void socket.resetAndDestroy();
const manners: readonly Manner[] = [
  { name: 'close at once', afterMs: 0, end: closing },
  { name: 'close after 5 ms', afterMs: 5, end: closing },
  { name: 'reset after 1 ms', afterMs: 1, end: resetting },
  { name: 'reset after 40 ms', afterMs: 40, end: resetting },
];

export const keepAliveRace: Probe = {
  name: 'keep-alive close race',
  fault: `keep-alive close race: 300 GET and 300 POST to a backend that does a ${manners.map(({ name }) => name).join(', a ')}, one after the other`,
  promise: '0 errors, 0 duplicates',
  async run(side, context, scale) {
    const statuses = new Map<number, number>();
    const deliveries = new Map<string, number>();
    const asked = scale === 'Full' ? manners : [manners[0]!, manners[3]!];
    for (const manner of asked) {
      const port = await listenRaw(context, (socket) => serve(socket, manner, deliveries));
      const subject = await side.start(context, { pools: { 'shop.test': [port] } });
      const seen = await askInPairs({ httpPort: subject.port }, manner.afterMs);
      for (const [status, times] of seen) statuses.set(status, (statuses.get(status) ?? 0) + times);
    }
    const all = asked.length * requestsInPairs;
    const errors = all - (statuses.get(200) ?? 0);
    const duplicates = duplicatesIn(deliveries);
    return {
      figures: [
        `${errors} errors of ${all}${errors === 0 ? '' : ` (${tallied(statuses).replace(' x 0', ' x no answer')})`}`,
        `${duplicates} duplicates`,
      ],
      breaches: unless([errors === 0, `${errors} errors`], [duplicates === 0, `${duplicates} duplicates`]),
    };
  },
};

function serve(socket: Socket, { name, afterMs, end }: Manner, deliveries: Map<string, number>): void {
  let text = '';
  let timer: NodeJS.Timeout | undefined;
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
    const [, method, path] = /^(GET|POST) (\S+) HTTP/.exec(text) ?? [];
    if (!text.endsWith(method === 'POST' ? '\r\n\r\nhi' : '\r\n\r\n')) return;
    text = '';
    // Whatever the backend has read whole, it has acted on.
    count(deliveries, `${name} ${method} ${path}`);
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', () => {
      clearTimeout(timer);
      if (afterMs === 0) end(socket);
      else timer = setTimeout(end, afterMs, socket);
    });
  });
}
