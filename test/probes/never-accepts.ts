// Backends that swallow handshakes, or refuse them: beside another that lives, and alone.
import { closedPort, rawBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { silentPort } from '../e2e/raw-server.ts';
import { count, duplicatesIn, seconds, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const asked = 40;
const askedAlone = 10;
/** Three tries of a second each, and time for a machine that is busy. */
const longestMs = 6000;

export const neverAccepts: Probe = {
  name: 'backend never accepts',
  fault: 'one of two endpoints swallows handshakes; all do; all refuse',
  promise:
    '1 s of connecting, then the next endpoint, each request delivered once; alone: 504 when it swallows, 503 when it refuses',
  async run(side, context, scale) {
    const silent = await silentPort(context);
    const refusing = closedPort;
    const deliveries = new Map<string, number>();
    const backend = await rawBackend(context, (socket, received) => {
      const [, text = ''] = [...received.matchAll(/((?:GET|POST) \S+) HTTP/g)].at(-1) ?? [];
      if (!received.endsWith(text.startsWith('POST') ? 'hi' : '\r\n\r\n')) return;
      count(deliveries, text);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const subject = await side.start(context, {
      pools: { 'shop.test': [silent, backend.port], 'silent.test': [silent], 'refusing.test': [refusing] },
    });
    let slowestMs = 0;
    const askAll = async (host: string, times: number): Promise<Map<string, number>> => {
      const statuses = new Map<string, number>();
      const one = async (number: number): Promise<void> => {
        const beganMs = performance.now();
        const body = number % 2 === 0 ? {} : { method: 'POST', body: 'hi' };
        const answer = await request(subject.port, host, `/${number}`, body).catch(() => undefined);
        count(statuses, String(answer?.status ?? 'no answer'));
        slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      };
      await Promise.all(Array.from({ length: times }, (_, number) => one(number)));
      return statuses;
    };
    const beside = await askAll('shop.test', asked);
    const besideMs = slowestMs;
    slowestMs = 0;
    const alone = await askAll('silent.test', askedAlone);
    const refused = await askAll('refusing.test', askedAlone);
    const duplicates = duplicatesIn(deliveries);
    const isTold = ([...statuses]: Map<string, number>): boolean =>
      statuses.every(([status]) => ['502', '503', '504'].includes(status));
    return {
      figures: [
        `beside one that lives: ${tallied(beside)}, slowest ${seconds(besideMs)}, ${duplicates} duplicates`,
        `alone: ${tallied(alone)}, slowest ${seconds(slowestMs)}`,
        `refused: ${tallied(refused)}`,
      ],
      breaches: unless(
        [beside.get('200') === asked, `only ${beside.get('200') ?? 0} of ${asked} served`],
        [duplicates === 0, `${duplicates} delivered twice`],
        [isTold(alone) && isTold(refused), 'not told so'],
        [
          scale === 'Test' || Math.max(besideMs, slowestMs) < longestMs,
          `took ${seconds(Math.max(besideMs, slowestMs))}`,
        ],
      ),
    };
  },
};
