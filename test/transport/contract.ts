// What every transport must do, as plain checks that run inside whichever runtime is asked.
import assert from 'node:assert/strict';
import type { ConnectEvents, Listener, Socket, SocketEvents, Transport } from '#transport/transport.ts';

/** Records what happens to one socket and lets a check wait for it. */
export class Recorder implements ConnectEvents {
  readonly received: Buffer[] = [];
  bytes = 0;
  drains = 0;
  isConnected = false;
  isEnded = false;
  isClosed = false;
  code: string | undefined = undefined;
  onBytesHook: ((bytes: Buffer) => void) | undefined = undefined;
  #listeners: (() => void)[] = [];

  onConnect(): void {
    this.isConnected = true;
    this.#wake();
  }

  onBytes(bytes: Buffer): void {
    // Valid only now.
    this.received.push(Buffer.from(bytes));
    this.bytes += bytes.length;
    this.onBytesHook?.(bytes);
    this.#wake();
  }

  onDrain(): void {
    this.drains++;
    this.#wake();
  }

  onEnd(): void {
    assert.equal(this.isClosed, false, 'onEnd after onClose');
    this.isEnded = true;
    this.#wake();
  }

  onClose(code: string | undefined): void {
    assert.equal(this.isClosed, false, 'onClose twice');
    this.isClosed = true;
    this.code = code;
    this.#wake();
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
      });
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

interface Pair {
  readonly client: Socket;
  readonly clientEvents: Recorder;
  readonly server: Socket;
  readonly serverEvents: Recorder;
}

const host = '127.0.0.1';

async function withPair(transport: Transport, check: (pair: Pair) => Promise<void>): Promise<void> {
  const serverEvents = new Recorder();
  let onAccepted: (socket: Socket) => void;
  const accepted = new Promise<Socket>((resolve) => {
    onAccepted = resolve;
  });
  const listener = await transport.listen({ host, port: 0, reusePort: false }, (socket): SocketEvents => {
    onAccepted(socket);
    return serverEvents;
  });
  const clientEvents = new Recorder();
  const client = transport.connect(host, listener.port, clientEvents);
  try {
    await clientEvents.until(() => clientEvents.isConnected);
    await check({ client, clientEvents, server: await accepted, serverEvents });
  } finally {
    client.destroy();
    listener.close();
  }
}

/** All of `bytes`. */
function send(socket: Socket, bytes: Buffer): boolean {
  return socket.write(bytes, 0, bytes.length);
}

export const contract: Readonly<Record<string, (transport: Transport) => Promise<void>>> = {
  'a part of a buffer is written, and a copied one may change at once': (transport) =>
    withPair(transport, async ({ client, serverEvents }) => {
      const bytes = Buffer.from('..first..');
      client.write(bytes, 2, 7);
      const copied = Buffer.alloc(2_000_000, 'x');
      // More than the system takes at once: the rest must be the caller's bytes of now.
      client.writeCopy(copied, 0, copied.length);
      client.writeCopy(copied, 0, 3);
      copied.fill('~');
      await serverEvents.until(() => serverEvents.bytes >= 5 + copied.length + 3);
      assert.equal(serverEvents.text, `first${'x'.repeat(copied.length + 3)}`);
    }),

  'a FIN that answers ours is told before the close': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      client.end();
      await serverEvents.until(() => serverEvents.isEnded);
      server.end();
      await clientEvents.until(() => clientEvents.isClosed);
      assert.equal(clientEvents.isEnded, true);
    }),

  'bytes arrive whole and in order': (transport) =>
    withPair(transport, async ({ client, serverEvents }) => {
      const pieces = Array.from({ length: 500 }, (_, index) => Buffer.from(`${index},`));
      for (const piece of pieces) send(client, piece);
      const expected = Buffer.concat(pieces).toString();
      await serverEvents.until(() => serverEvents.bytes >= expected.length);
      assert.equal(serverEvents.text, expected);
    }),

  'addresses and ports are those of the peer': (transport) =>
    withPair(transport, async ({ server }) => {
      assert.equal(server.remoteAddress, host);
      assert.ok(server.remotePort > 0 && server.localPort > 0);
      await Promise.resolve();
    }),

  'a write beyond the high-water mark returns false, and onDrain follows when the peer reads': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      server.pause();
      const piece = Buffer.alloc(262_144, 'x');
      let written = 0;
      do written += piece.length;
      while (send(client, piece));
      assert.ok(client.pendingBytes > 0);
      assert.equal(clientEvents.drains, 0);
      server.resume();
      await clientEvents.until(() => clientEvents.drains > 0);
      await serverEvents.until(() => serverEvents.bytes === written);
      assert.equal(client.pendingBytes, 0);
    }),

  'pause holds bytes back, resume lets them come': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      server.pause();
      send(client, Buffer.from('held'));
      // An answer in the other direction proves that time has passed.
      send(server, Buffer.from('ping'));
      await clientEvents.until(() => clientEvents.text === 'ping');
      assert.equal(serverEvents.bytes, 0);
      server.resume();
      await serverEvents.until(() => serverEvents.text === 'held');
    }),

  'half-close: FIN comes after the last byte, and the other direction lives on': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      send(client, Buffer.alloc(300_000, 'x'));
      client.end();
      await serverEvents.until(() => serverEvents.isEnded);
      assert.equal(serverEvents.bytes, 300_000);
      send(server, Buffer.from('late answer'));
      await clientEvents.until(() => clientEvents.text === 'late answer');
      server.end();
      await clientEvents.until(() => clientEvents.isClosed);
      await serverEvents.until(() => serverEvents.isClosed);
    }),

  'destroy: onClose on both sides, nothing after it': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      client.destroy();
      await clientEvents.until(() => clientEvents.isClosed);
      await serverEvents.until(() => serverEvents.isEnded || serverEvents.isClosed);
      server.destroy();
      await serverEvents.until(() => serverEvents.isClosed);
    }),

  'reset: the peer sees a broken connection, not an end': (transport) =>
    withPair(transport, async ({ client, server, serverEvents }) => {
      send(server, Buffer.from('x'));
      client.reset();
      await serverEvents.until(() => serverEvents.isClosed);
      assert.deepEqual([serverEvents.isEnded, serverEvents.code], [false, 'ECONNRESET']);
    }),

  'a chunk may be written on to another socket, which keeps what it cannot send': (transport) =>
    withPair(transport, async ({ client, clientEvents, server, serverEvents }) => {
      serverEvents.onBytesHook = (bytes) => send(server, bytes);
      client.pause();
      const total = 12_000_000;
      const sent = Buffer.alloc(total, 'abcdefghijklmnopqrstuvwxyz0123456789');
      send(client, sent);
      // Nobody reads what comes back: most of it waits at the server.
      await serverEvents.until(() => serverEvents.bytes === total);
      client.resume();
      await clientEvents.until(() => clientEvents.bytes === total);
      assert.ok(Buffer.concat(clientEvents.received).equals(sent));
    }),

  'a reset is told although the peer has ended before, and although bytes wait to be sent': (transport) =>
    withPair(transport, async ({ client, server, serverEvents }) => {
      client.end();
      await serverEvents.until(() => serverEvents.isEnded);
      client.pause();
      send(server, Buffer.alloc(12_000_000, 'x'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.reset();
      await serverEvents.until(() => serverEvents.isClosed);
    }),

  'a connection that is being opened can be given up': async (transport) => {
    // Nobody answers there: an address for documentation.
    const events = new Recorder();
    const socket = transport.connect('192.0.2.1', 9, events);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await events.until(() => events.isClosed);
    assert.equal(events.isConnected, false);
  },

  'a refused connection is one onClose with its code': async (transport) => {
    const listener = await transport.listen({ host, port: 0, reusePort: false }, () => new Recorder());
    const { port } = listener;
    listener.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const events = new Recorder();
    transport.connect(host, port, events);
    await events.until(() => events.isClosed);
    assert.deepEqual([events.isConnected, events.code], [false, 'ECONNREFUSED']);
  },

  'whoever is turned away comes to the next listener of the port': async (transport) => {
    const listen = (port: number, name: string): Promise<Listener> =>
      transport.listen({ host, port, reusePort: transport.canReusePort }, (socket) => {
        send(socket, Buffer.from(name));
        return new Recorder();
      });
    const leaving = await listen(0, 'leaving');
    assert.equal(leaving.turnAway(), transport.canTurnAway);
    const events = new Recorder();
    const client = transport.connect(host, leaving.port, events);
    if (transport.canTurnAway) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(events.isConnected, false);
      const next = await listen(leaving.port, 'next');
      leaving.close();
      await events.until(() => events.text === 'next');
      next.close();
    } else {
      await events.until(() => events.text === 'leaving');
      leaving.close();
    }
    client.destroy();
  },

  'an address that is taken rejects': async (transport) => {
    const listener = await transport.listen({ host, port: 0, reusePort: false }, () => new Recorder());
    await assert.rejects(
      transport.listen({ host, port: listener.port, reusePort: false }, () => new Recorder()),
    );
    listener.close();
  },

  'two thousand sockets at once': async (transport) => {
    const listener = await transport.listen({ host, port: 0, reusePort: false }, (socket) => {
      const events = new Recorder();
      events.onBytesHook = (bytes) => send(socket, bytes);
      return events;
    });
    const all = Array.from({ length: 2000 }, (_, index) => {
      const events = new Recorder();
      return { events, socket: transport.connect(host, listener.port, events), text: `${index}` };
    });
    await Promise.all(all.map(({ events }) => events.until(() => events.isConnected)));
    for (const { socket, text } of all) send(socket, Buffer.from(text));
    await Promise.all(all.map(({ events, text }) => events.until(() => events.text === text)));
    for (const { socket } of all) socket.destroy();
    listener.close();
  },
};
