// A server that is nothing but sockets: what it reads, and when, is for the test to say.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Cleanup } from './backends.ts';
import { eventually } from './process-figures.ts';

/** Gives every connection to `serve`, unread. Resolves to the port. */
export async function listenRaw(context: Cleanup, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    serve(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** What `stream` writes at a time. */
export const pieceBytes = 65_536;

/** Writes `bytes` bytes as fast as the peer takes them. */
export function stream(socket: Socket, bytes: number): void {
  const piece = Buffer.alloc(pieceBytes, 'x');
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      const part = left < piece.length ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (!socket.write(part)) return;
    }
  };
  socket.on('drain', more);
  more();
}

/** What the kernel has taken of everything that was written. */
export function bytesTaken(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

/** A port that completes no more handshakes: its thread never accepts, and its queue is full. */
export async function silentPort(context: Cleanup): Promise<number> {
  const worker = new Worker(
    `const { createServer } = require('node:net');
     const { parentPort } = require('node:worker_threads');
     const server = createServer();
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  context.after(() => void worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  // Linux queues one more than the backlog; every later handshake hangs.
  const fillers = Array.from({ length: 8 }, () => connect({ port, host: '127.0.0.1' }));
  let connected = 0;
  for (const filler of fillers) {
    filler.on('error', () => {});
    filler.on('connect', () => connected++);
  }
  context.after(() => fillers.forEach((filler) => filler.destroy()));
  await eventually(
    () => connected,
    (count) => count === 2,
  );
  return port;
}
