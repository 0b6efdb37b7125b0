// A backend at every address of the private network: its answer is the address that it was asked at, so that an answer says
// which version of an EndpointSlice it came through. Requests have no bodies.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

const headEnd = '\r\n\r\n';

export class AddressBackend {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(port: number, server: Server, sockets: ReadonlySet<Socket>) {
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async open(port: number): Promise<AddressBackend> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      answerAll(socket);
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    return new AddressBackend(port, server, sockets);
  }

  /** The connections that are open to one address. */
  socketsAt(address: string): readonly Socket[] {
    return [...this.#sockets].filter(({ localAddress }) => localAddress === address);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function answerAll(socket: Socket): void {
  const { localAddress = '' } = socket;
  const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${localAddress.length}\r\n\r\n${localAddress}`;
  let rest = '';
  // A data plane that is killed takes its connections with it.
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    const heads = (rest + bytes.toString('latin1')).split(headEnd);
    rest = heads.pop() ?? '';
    if (heads.length > 0) socket.write(answer.repeat(heads.length), 'latin1');
  });
}
