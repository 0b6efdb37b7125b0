// Thousands of clients that have been answered once and say nothing more.
import { rawBackend } from '../e2e/backends.ts';
import { ask, closeAll, inTurns, openClient } from '../e2e/many-clients.ts';
import type { Client } from '../e2e/many-clients.ts';
import { kib, ownDescriptorLimit, pause } from '../e2e/process-figures.ts';
import { clientIdleSeconds } from './plan.ts';
import { unless } from './probe.ts';
import type { Probe } from './probe.ts';
import { residentBytesOfAll } from './process-tree.ts';

const firstConnections = 1500;
const silenceMs = 3000;
const mostBytesEach = 24 * kib;
/** One address has about 28,000 ports, of which closed connections hold some for a minute. */
const addresses = 8;
const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';

export const idleConnections: Probe = {
  name: 'idle connections',
  fault: '10,000 idle keep-alive connections',
  promise: 'all served, none closed, under 24 KiB each',
  async run(side, context, scale) {
    // Flint keeps one descriptor more for the way to a backend, and some for itself.
    const most = Math.floor((ownDescriptorLimit() - 600) / 200) * 100;
    const connections = Math.min(scale === 'Full' ? 10_000 : 3000, most);
    const backend = await rawBackend(context, (socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    // haproxy's timeout of clients ends those that are idle, too.
    const idleMs = clientIdleSeconds * 1000;
    const subject = await side.start(context, { pools: { 'shop.test': [backend.port] }, idleMs });
    const clients: Client[] = [];
    context.after(() => closeAll(clients));
    let unserved = 0;
    const open = (count: number): Promise<void> =>
      inTurns(count, 50, async (number) => {
        const client = openClient(subject.port, `127.0.0.${2 + (number % addresses)}`);
        clients.push(client);
        if ((await ask(client, get)) !== 200) unserved++;
      });
    // These pay for code that is compiled and for heaps that grow once.
    await open(firstConnections);
    await pause(silenceMs);
    const before = residentBytesOfAll(subject.pids());
    await open(connections - firstConnections);
    await pause(silenceMs);
    const each = (residentBytesOfAll(subject.pids()) - before) / (connections - firstConnections);
    const closed = clients.filter(({ isClosed }) => isClosed).length;
    return {
      figures: [
        `${connections} connections`,
        `${unserved} not served`,
        `${closed} closed`,
        each < kib ? 'less than 1 KiB each' : `${(each / kib).toFixed(1)} KiB each`,
      ],
      breaches: unless(
        [unserved === 0, `${unserved} not served`],
        [closed === 0, `${closed} closed`],
        [each < mostBytesEach, `${(each / kib).toFixed(1)} KiB each`],
      ),
    };
  },
};
