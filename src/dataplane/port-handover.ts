// A port that another process shares is left to it without a fault.
//
//   shared? -- yes --> nobody begins to connect to us --> nobody is halfway in, or 250 ms are over --> our listeners may close
//      | no: they may
//
// A handshake takes a round trip, and a listener that closes resets whoever is halfway in: the system gives the rest of a
// handshake to nobody else, unless it is told to. Where nobody shares the port there is nobody to leave anything to:
// whoever comes is better refused at once.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketsAt } from './port-sockets.ts';

export interface HeldPort {
  readonly port: number;
  /** Of this process. */
  readonly listeners: number;
}

/** A round trip around the world; in a network of short ways the first look is the last. */
const mostMs = 250;
const firstLookMs = 10;

/** `turnAway` resolves when nobody begins to connect to this process any more. */
export async function leavePorts(held: readonly HeldPort[], turnAway: () => Promise<unknown>): Promise<void> {
  const ports = held.map(({ port }) => port);
  const startedMs = performance.now();
  const sockets = await socketsAt(ports);
  const readMs = performance.now() - startedMs;
  const isShared = held.some(({ listeners }, index) => sockets[index]!.listeners > listeners);
  if (!isShared || (await movesHandshakes())) return;
  await turnAway();
  await nobodyHalfway(ports, readMs);
}

/**
 * Within 250 ms, of which a wait counts as what was meant: in a standstill nobody has come in. `readMs`: what it takes to
 * look, which is long where there are many sockets; it is not begun when it would not fit in any more.
 */
async function nobodyHalfway(ports: readonly number[], readMs: number): Promise<void> {
  let leftMs = mostMs;
  for (let lookMs = firstLookMs; leftMs > 0; lookMs *= 2) {
    const isLast = lookMs + readMs >= leftMs;
    const waitMs = isLast ? leftMs : lookMs;
    await sleep(waitMs);
    if (isLast) return;
    const startedMs = performance.now();
    const sockets = await socketsAt(ports);
    if (sockets.every(({ halfway }) => halfway === 0)) return;
    leftMs -= waitMs + performance.now() - startedMs;
  }
}

/** Linux gives those who are halfway in to the other listeners of the port (5.14 and later, net.ipv4.tcp_migrate_req). */
async function movesHandshakes(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/ipv4/tcp_migrate_req', 'latin1').catch(() => '0');
  return text.trim() === '1';
}
