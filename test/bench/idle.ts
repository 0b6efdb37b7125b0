// What a keep-alive connection weighs that has had its answer and waits: resident memory with many, less that with few.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { pause } from './lab.ts';
import { residentKilobytes } from './measure.ts';
import type { Proxy, Side } from './proxies.ts';
import { hostOf, scenes } from './scene.ts';
import { rounds } from './settings.ts';
import { cell, median, table } from './table.ts';

interface Counts {
  /** These pay for code that is compiled and for heaps that grow once. */
  readonly first: number;
  /** And these are what is measured. */
  readonly further: number;
}

const plainCounts: Counts = { first: 1000, further: 8000 };
/** The clients of these take memory and time, too. */
const secureCounts: Counts = { first: 400, further: 1000 };
const opening = 100;
/** Loopback has many addresses, and each has ports of its own: the range of one is small, and old connections hold some. */
const sources = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
const pauseMs = 3000;
/** A single one takes half a minute, and they hardly differ. */
const idleRounds = Math.min(rounds, 3);

const requestText = `GET /tiny HTTP/1.1\r\nHost: ${hostOf(0)}\r\n\r\n`;
const bodyText = 'hello, world';

export async function measureIdle(
  sides: readonly Side[],
  say: (line: string) => void,
  isSecure = false,
): Promise<void> {
  const counts = isSecure ? secureCounts : plainCounts;
  const { first, further } = counts;
  say(
    `\nMemory of an idle keep-alive connection${isSecure ? ' with TLS' : ''}: resident memory with ${first + further} of them, less that with ${first}, ` +
      `after one request each and ${pauseMs / 1000} s of silence:\n`,
  );
  const results = sides.map((side) => ({ side, kilobytes: [] as number[], fault: '' }));
  for (let round = 0; round < idleRounds; round++)
    for (const result of results)
      try {
        result.kilobytes.push(await measureSide(result.side, isSecure, counts));
      } catch (error) {
        result.fault = error instanceof Error ? error.message : String(error);
      }
  const rows = results.map(({ side, kilobytes, fault }) => [
    side.name,
    fault === '' ? `${median(kilobytes).toFixed(2)} KB` : `thrown out: ${cell(fault)}`,
  ]);
  say(table(['proxy', 'an idle connection'], rows));
}

/** Resolves to kilobytes a connection. */
async function measureSide(side: Side, isSecure: boolean, { first, further }: Counts): Promise<number> {
  const proxy = await side.start(isSecure ? scenes.secure : scenes.one);
  const sockets: Socket[] = [];
  try {
    await openMore(proxy, sockets, first);
    await pause(pauseMs);
    const before = residentKilobytes(proxy.running.pid);
    await openMore(proxy, sockets, further);
    await pause(pauseMs);
    const lost = sockets.filter((socket) => socket.readyState !== 'open').length;
    if (lost > 0) throw new Error(`${lost} of ${sockets.length} idle connections were closed`);
    return (residentKilobytes(proxy.running.pid) - before) / further;
  } finally {
    await proxy.running.stop();
    for (const socket of sockets) socket.destroy();
  }
}

async function openMore(proxy: Proxy, sockets: Socket[], count: number): Promise<void> {
  const goal = sockets.length + count;
  let next = sockets.length;
  const openInTurn = async (): Promise<void> => {
    while (next < goal) sockets.push(await openOne(proxy, next++));
  };
  await Promise.all(Array.from({ length: opening }, openInTurn));
}

/** Resolves when its one request is answered. */
function openOne({ port, isSecure }: Proxy, number: number): Promise<Socket> {
  const localAddress = sources[number % sources.length] ?? '127.0.0.1';
  const plain = connect({ host: '127.0.0.1', port, localAddress });
  const socket: Socket = isSecure
    ? connectSecurely({ socket: plain, servername: hostOf(0), rejectUnauthorized: false })
    : plain;
  return new Promise((resolve, reject) => {
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
      if (!received.endsWith(bodyText)) return;
      if (received.startsWith('HTTP/1.1 200 ')) resolve(socket);
      else reject(new Error(`was answered ${received.slice(0, 30)}`));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('a connection was closed without an answer')));
    socket.write(requestText);
  });
}
