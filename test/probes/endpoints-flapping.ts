// Endpoints that come and go several times a second, by changes of files for Flint and by reloads for its peers, under load.
import { rawBackend } from '../e2e/backends.ts';
import { Load } from '../e2e/load.ts';
import { mib, pause } from '../e2e/process-figures.ts';
import { seconds, unless } from './probe.ts';
import type { Probe } from './probe.ts';
import { residentBytesOfAll } from './process-tree.ts';

const host = 'shop.test';
/** First as fast as this, for what breaks; ... */
const burstMs = 100;
const burstOf = { Test: 20, Full: 100 } as const;
/** ... then slowly enough to see when each has become true. */
const changeMs = 1500;
const changesOf = { Test: 3, Full: 10 } as const;
const clients = 8;
const stalenessMs = 700;

export const endpointsFlapping: Probe = {
  name: 'endpoints flapping',
  fault: `endpoints flapping: one of three leaves and the one before comes back, every ${burstMs} ms, then every ${seconds(changeMs)}`,
  promise:
    '0 failed requests, no connection of a client closed, none to an endpoint that stays; staleness below 0.7 s',
  async run(side, context, scale) {
    const lastSeenMs = new Map<number, number>();
    const backends = await Promise.all(
      Array.from({ length: 3 }, async (_, index) =>
        rawBackend(context, (socket, received) => {
          if (!received.endsWith('\r\n\r\n') && !received.endsWith('hi')) return;
          lastSeenMs.set(index, performance.now());
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        }),
      ),
    );
    const ports = backends.map(({ port }) => port);
    const subject = await side.start(context, { pools: { [host]: ports } });
    const load = new Load({
      port: subject.port,
      host,
      connections: clients,
      onClose: 'reconnect',
      request: (number) =>
        number % 2 === 0
          ? `GET /${number} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
          : `POST /${number} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\n\r\nhi`,
    });
    await load.more(200);
    const connectionsBefore = backends[0]!.connections;
    const change = (number: number): Promise<void> =>
      // The first one always stays.
      subject.change({ [host]: ports.filter((_, index) => index !== 1 + (number % 2)) });
    for (let number = 0; number < burstOf[scale]; number++) {
      await change(number);
      await pause(burstMs);
    }
    await pause(changeMs);
    let staleMs = 0;
    for (let number = 0; number < changesOf[scale]; number++) {
      const askedMs = performance.now();
      await change(number);
      await pause(changeMs);
      staleMs = Math.max(staleMs, (lastSeenMs.get(1 + (number % 2)) ?? 0) - askedMs);
    }
    const pids = subject.pids();
    const resident = residentBytesOfAll(pids);
    const result = await load.stop();
    const fresh = backends[0]!.connections - connectionsBefore;
    const { 200: _served, ...others } = result.statuses;
    const failed = Object.values(others).reduce((sum, times) => sum + times, result.errors.length);
    return {
      figures: [
        `${result.requests} requests`,
        `${failed} failed`,
        `${result.closedConnections} client connections closed without a word`,
        `${fresh} new connections to the endpoint that stayed`,
        `an endpoint that had gone was used for ${seconds(staleMs)} at most`,
        `${pids.length} processes and ${Math.round(resident / mib)} MB at the end`,
      ],
      breaches: unless(
        [failed === 0, `${failed} requests failed`],
        [result.closedConnections === 0, `${result.closedConnections} client connections closed`],
        [fresh < 3 * clients, `${fresh} new connections to the endpoint that stayed`],
        [scale === 'Test' || staleMs < stalenessMs, `staleness ${seconds(staleMs)}`],
      ),
    };
  },
};
