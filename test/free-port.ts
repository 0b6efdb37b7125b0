// Ports for servers of tests that have to be told theirs before they listen.
import { createServer } from 'node:net';

// Below those that the system gives to whoever asks for any.
const first = 20_000;
const last = 32_000;
let next = first + Math.floor(Math.random() * (last - first));

/** One that nobody has at the moment, and another one with each call. */
export async function freePort(): Promise<number> {
  for (;;) {
    next = next < last ? next + 1 : first;
    if (await isFree(next)) return next;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
