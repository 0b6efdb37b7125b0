// Heads at a byte a second, many at once.
import { rawBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { openClient } from '../e2e/many-clients.ts';
import { pause } from '../e2e/process-figures.ts';
import { count, seconds, tallied, unless } from './probe.ts';
import type { Probe } from './probe.ts';

const clients = 200;
const longestMs = 40_000;
const head = 'GET / HTTP/1.1\r\nHost: shop.test\r\nCookie: a=b; c=d\r\n';

export const slowHead: Probe = {
  name: 'slow head',
  fault: `${clients} heads at a byte a second`,
  promise: '408 after 10 s, however the bytes come; others are served meanwhile',
  async run(side, context) {
    const backend = await rawBackend(context, (socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] } });
    const beganMs = performance.now();
    const slow = Array.from({ length: clients }, () => openClient(subject.port));
    context.after(() => slow.forEach(({ socket }) => socket.destroy()));
    let failed = 0;
    let others = 0;
    for (let sent = 0; sent < head.length && performance.now() - beganMs < longestMs; sent++) {
      const open = slow.filter(({ isClosed, statuses }) => !isClosed && statuses.length === 0);
      if (open.length === 0) break;
      for (const { socket } of open) socket.write(head[sent] ?? '');
      others++;
      const answer = await request(subject.port, 'shop.test', '/').catch(() => undefined);
      if (answer?.status !== 200) failed++;
      await pause(1000);
    }
    const lastedMs = performance.now() - beganMs;
    const seen = new Map<string, number>();
    for (const { statuses, isClosed } of slow)
      count(seen, String(statuses[0] ?? (isClosed ? 'closed without a word' : 'still open')));
    const ended = clients - (seen.get('still open') ?? 0);
    return {
      figures: [tallied(seen), `after ${seconds(lastedMs)}`, `${failed} of ${others} others failed`],
      breaches: unless(
        [ended === clients, `${clients - ended} still open after ${seconds(lastedMs)}`],
        [failed === 0, `${failed} others failed`],
      ),
    };
  },
};
