// The backend of `make soak`, a process of its own so that its memory is not Flint's: prints its two ports.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerBytes } from './soak-traffic.ts';

const bodies = new Map(Object.entries(answerBytes).map(([path, bytes]) => [path, Buffer.alloc(bytes, 'x')]));
const chunkBytes = 4096;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const body = bodies.get(request.url ?? '');
  request.resume();
  request.on('end', () => {
    if (body === undefined) response.writeHead(404).end();
    else if (request.url === '/chunked') {
      for (let start = 0; start < body.length; start += chunkBytes)
        response.write(body.subarray(start, start + chunkBytes));
      response.end();
    } else response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  // Clients of Flint that give up are part of the traffic.
  request.on('error', () => {});
}

const ports: number[] = [];
for (let endpoint = 0; endpoint < 2; endpoint++) {
  const server = createServer({ keepAliveTimeout: 30_000 }, answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  ports.push((server.address() as AddressInfo).port);
}
process.stdout.write(`${JSON.stringify(ports)}\n`);
// Whoever started this one is gone.
process.stdin.once('end', () => process.exit(0)).resume();
