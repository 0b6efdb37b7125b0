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
import { halfwayAt, listenersAt } from './port-sockets.ts';

export interface HeldPort {
  readonly port: number;
  /** Of this process. */
  readonly listeners: number;
}

/**
 * 250 ms in all, a round trip around the world; in a network of short ways the first look is the last. Looks are counted,
 * and not what the clock says: in a standstill nobody has come in.
 */
const looksMs = [10, 20, 40, 80, 100];

/** `turnAway` resolves when nobody begins to connect to this process any more. */
export async function leavePorts(held: readonly HeldPort[], turnAway: () => Promise<unknown>): Promise<void> {
  const shared = await Promise.all(
    held.map(async ({ port, listeners }) => (await listenersAt(port)) > listeners),
  );
  if (!shared.includes(true) || (await movesHandshakes())) return;
  await turnAway();
  for (const lookMs of looksMs) {
    await sleep(lookMs);
    const counts = await Promise.all(held.map(({ port }) => halfwayAt(port)));
    if (counts.every((count) => count === 0)) return;
  }
}

/** Linux gives those who are halfway in to the other listeners of the port (5.14 and later, net.ipv4.tcp_migrate_req). */
async function movesHandshakes(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/ipv4/tcp_migrate_req', 'latin1').catch(() => '0');
  return text.trim() === '1';
}
