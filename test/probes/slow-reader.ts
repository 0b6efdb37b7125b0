// A client that asks for 1 GiB and reads none of it.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { eventually, mib, pause, settled } from '../e2e/process-figures.ts';
import { bytesTaken, listenRaw, stream } from '../e2e/raw-server.ts';
import { request } from '../e2e/http-client.ts';
import { seconds, unless } from './probe.ts';
import type { Probe } from './probe.ts';
import { residentBytesOfAll } from './process-tree.ts';

const bodyBytes = 1024 * mib;
/** Buffers of the kernel, two sockets on each side, take some of it too. */
const heldBytes = 24 * mib;
const grownBytes = 16 * mib;
/** More than the idle timeout, for a machine that is busy. */
const longestMs = 75_000;
const othersAsked = 200;
/** In /proc/net/tcp. */
const established = '01';

export const slowReader: Probe = {
  name: 'slow reader of a huge body',
  fault: 'a client asks for 1 GiB and reads nothing',
  promise:
    'backpressure up to the backend, at most 1 MiB buffered beyond what the kernel takes; ended without progress: after the idle timeout of the rule (60 s), never before 30 s',
  async run(side, context) {
    const sockets: Socket[] = [];
    const port = await listenRaw(context, (socket) => {
      socket.once('data', (bytes: Buffer) => {
        if (bytes.includes(' /other ')) {
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
          return;
        }
        sockets.push(socket);
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
        stream(socket, bodyBytes);
      });
    });
    const subject = await side.start(context, { pools: { 'big.test': [port] } });
    // Warm, so that what grows later is what is measured.
    for (let number = 0; number < othersAsked; number++) await request(subject.port, 'big.test', '/other');
    const before = residentBytesOfAll(subject.pids());
    const client = connect({ port: subject.port, host: '127.0.0.1' });
    client.on('error', () => {});
    context.after(() => client.destroy());
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: big.test\r\n\r\n');
    const beganMs = performance.now();
    await eventually(
      () => sockets.length,
      (length) => length === 1,
    );
    const held = await settled(() => bytesTaken(sockets[0]!), 1000, 20_000);
    const grown = Math.max(0, residentBytesOfAll(subject.pids()) - before);
    // One who lingers with the client has let the backend go before; one who has taken all of it holds the client alone.
    const isOver = (): boolean =>
      sockets[0]?.destroyed === true || !isEstablished(subject.port, client.localPort ?? 0);
    while (!isOver() && performance.now() - beganMs < longestMs) await pause(250);
    const endedMs = performance.now() - beganMs;
    const isEnded = endedMs < longestMs;
    return {
      figures: [
        `${Math.round(held / mib)} MiB taken from the backend`,
        `${Math.round(grown / mib)} MiB of memory grown`,
        isEnded ? `ended after ${seconds(endedMs)}` : `not ended after ${seconds(longestMs)}`,
      ],
      breaches: unless(
        [held < heldBytes, `${Math.round(held / mib)} MiB taken from the backend`],
        [grown < grownBytes, `${Math.round(grown / mib)} MiB of memory`],
        [isEnded, 'not ended'],
      ),
    };
  },
};

/** Of the proxy's side of a connection; the client that does not read does not learn of its end. */
function isEstablished(port: number, clientPort: number): boolean {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .some((line) => {
      const [, local = '', remote = '', state] = line.trim().split(/\s+/);
      return (
        local.endsWith(`:${hex(port)}`) && remote.endsWith(`:${hex(clientPort)}`) && state === established
      );
    });
}
