// A backend that stands for any number of endpoints: every address of 127.0.0.0/8 leads to it. Prints its port.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

/** The least that a server can do, so that what is left of the machine is the data plane's. */
const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end(answer));
});
server.listen(0, '0.0.0.0', 4096, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
