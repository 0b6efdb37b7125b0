// Thousands of client connections that cost the test little: no buffers, only what each has been answered.
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** One of them. `statuses` are those of the answers so far. */
export interface Client {
  readonly socket: Socket;
  statuses: number[];
  isOpen: boolean;
  isClosed: boolean;
}

export function openClient(port: number, sourceAddress = '127.0.0.1'): Client {
  const socket = connect({ port, host: '127.0.0.1', localAddress: sourceAddress, noDelay: true });
  const client: Client = { socket, statuses: [], isOpen: false, isClosed: false };
  socket.on('connect', () => {
    client.isOpen = true;
  });
  // Answers in these tests are small; a status line that is cut in two has not been seen.
  socket.on('data', (bytes: Buffer) => {
    for (const [, status] of bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) /g))
      client.statuses.push(Number(status));
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    client.isClosed = true;
  });
  return client;
}

/** Sends `text` on `client` and resolves to the status of the answer, 0 if the connection closes without one. */
export function ask(client: Client, text: string): Promise<number> {
  const seen = client.statuses.length;
  if (client.isClosed) return Promise.resolve(0);
  return new Promise((resolve) => {
    const { socket } = client;
    const look = (): void => {
      if (client.statuses.length === seen && !client.isClosed) return;
      socket.off('data', look);
      socket.off('close', look);
      resolve(client.statuses[seen] ?? 0);
    };
    socket.on('data', look);
    socket.on('close', look);
    socket.write(text, 'latin1');
  });
}

/** Works through `count` numbers, `width` at a time. */
export async function inTurns(
  count: number,
  width: number,
  work: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

export function closeAll(clients: readonly Client[]): void {
  for (const { socket } of clients) socket.destroy();
}
