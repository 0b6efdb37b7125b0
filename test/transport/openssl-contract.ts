// What TLS by the system's OpenSSL must do beyond the contract of all, as plain checks that run inside Bun.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { opensslTransport as transport } from '#transport/openssl.ts';
import type { SecureEvents, TlsContext } from '#transport/secure-transport.ts';
import { countOpenEngines } from '#transport/tls-engine.ts';
import type { Socket } from '#transport/transport.ts';
import { createAuthority } from '../tls/certificates.ts';
import { Recorder } from './contract.ts';

const host = '127.0.0.1';
const authority = createAuthority();
const leaf = authority.issue({ dnsNames: ['a.test'] });
const protocols = ['h2', 'http/1.1'];

class Served extends Recorder implements SecureEvents {
  protocol: string | undefined = undefined;
  onSecuredHook: (() => void) | undefined = undefined;
  secured: Socket | undefined = undefined;
  endsWithPeer = true;

  override onEnd(): void {
    super.onEnd();
    if (this.endsWithPeer) this.secured?.end();
  }

  onSecured(protocol: string): void {
    this.protocol = protocol;
    this.onSecuredHook?.();
    // Whoever waits for a connection.
    this.onConnect();
  }
}

interface Server {
  readonly port: number;
  readonly served: Served[];
}

function createContext(sessionScope = 'one'): TlsContext {
  return transport.createContext({
    pairs: [{ chain: authority.chainOf(leaf), key: leaf.keyPem }],
    minVersion: '1.2',
    clients: { kind: 'NotAsked' },
    sessionScope,
    ticketKeys: Buffer.alloc(48, 7),
  });
}

/** `prepare` sees the events of each connection before anything comes of it. */
async function withServer(
  check: (server: Server) => Promise<void>,
  prepare: (served: Served) => void = () => {},
  context: TlsContext = createContext(),
): Promise<void> {
  const served: Served[] = [];
  const openBefore = countOpenEngines();
  const listener = await transport.listen({ host, port: 0, reusePort: false }, (socket) => {
    const events = new Served();
    served.push(events);
    prepare(events);
    const { onBytesHook } = events;
    events.onBytesHook = (bytes): void => {
      events.received.length = 0;
      events.bytes = 0;
      events.onBytesHook = onBytesHook;
      events.secured = transport.secure(socket, Buffer.from(bytes), context, protocols, events);
    };
    return events;
  });
  try {
    await check({ port: listener.port, served });
  } finally {
    listener.close();
    for (const { secured } of served) secured?.destroy();
    transport.releaseContext(context);
    await until(() => countOpenEngines() <= openBefore);
  }
}

async function open(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host, port, servername: 'a.test', ca: authority.root.certificate, ...options });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause();
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
}

/** The descriptions of the alerts that are in the clear in these records. */
function plainAlerts(records: Buffer): number[] {
  const alerts: number[] = [];
  for (let at = 0; at + 5 <= records.length; at += 5 + records.readUInt16BE(at + 3))
    if (records[at] === 21) alerts.push(records[at + 6]!);
  return alerts;
}

function write(socket: Socket | undefined, text: string): void {
  const bytes = Buffer.from(text);
  socket?.write(bytes, 0, bytes.length);
}

export const opensslContract: Readonly<Record<string, () => Promise<void>>> = {
  'what is preferred here is agreed on': () =>
    withServer(async ({ port, served }) => {
      const socket = await open(port, { ALPNProtocols: ['http/1.1', 'h2'] });
      assert.equal(socket.alpnProtocol, 'h2');
      await until(() => served[0]?.protocol === 'h2');
      socket.destroy();
    }),

  'a client that asks for no protocol gets none, and one that has none in common an alert': () =>
    withServer(async ({ port, served }) => {
      const socket = await open(port);
      await until(() => served[0]?.protocol === '');
      socket.destroy();
      const other = connect({ host, port, servername: 'a.test', ALPNProtocols: ['spdy/3'] });
      const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException];
      assert.match(`${error.code} ${error.message}`, /NO_APPLICATION_PROTOCOL|no application protocol/i);
      other.destroy();
      await until(() => served[1]?.isClosed === true);
      assert.equal(served[1]?.protocol, undefined);
    }),

  'a session is resumed by another context of the same scope, as by another thread, and by none of another':
    async () => {
      let session: Buffer | undefined;
      const isResumed = async (context: TlsContext): Promise<boolean> => {
        let isReused = false;
        await withServer(
          async ({ port, served }) => {
            const socket = connect({
              host,
              port,
              servername: 'a.test',
              ca: authority.root.certificate,
              ...(session === undefined ? {} : { session }),
            });
            socket.on('error', () => {});
            socket.on('session', (given: Buffer) => {
              session ??= given;
            });
            await once(socket, 'secureConnect');
            isReused = socket.isSessionReused();
            await until(() => served[0]?.isConnected === true);
            // Tickets come with the first answer.
            write(served[0]?.secured, 'answer');
            await once(socket, 'data');
            await until(() => session !== undefined);
            socket.destroy();
          },
          undefined,
          context,
        );
        return isReused;
      };
      assert.equal(await isResumed(createContext()), false);
      assert.equal(await isResumed(createContext()), true);
      assert.equal(await isResumed(createContext('two')), false);
    },

  'records of a stranger get an alert and the end': () =>
    withServer(async ({ port, served }) => {
      const plain = connectPlain({ host, port });
      const socket = connect({ socket: plain, servername: 'a.test', ca: authority.root.certificate });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      await until(() => served[0]?.isConnected === true);
      // A record of application data that nobody has encrypted.
      plain.write(Buffer.concat([Buffer.of(23, 3, 3, 0, 64), Buffer.alloc(64, 7)]));
      await until(() => served[0]?.isClosed === true);
      assert.equal(served[0]?.code, 'EPROTO');
      assert.equal(served[0].bytes, 0);
      socket.destroy();
    }),

  'a ClientHello with no version that is spoken gets an alert that can be read': () =>
    withServer(async ({ port, served }) => {
      const received: Buffer[] = [];
      const plain = connectPlain({ host, port });
      plain.on('error', () => {});
      plain.on('data', (bytes: Buffer) => received.push(bytes));
      await once(plain, 'connect');
      // TLS 1.1, one cipher, no compression, no extension.
      const body = Buffer.concat([
        Buffer.of(3, 2),
        Buffer.alloc(32, 1),
        Buffer.of(0, 0, 2, 0xc0, 0x2b, 1, 0),
      ]);
      plain.write(Buffer.concat([Buffer.of(22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length), body]));
      await once(plain, 'end');
      plain.end();
      assert.deepEqual(plainAlerts(Buffer.concat(received)), [70]);
      await until(() => served[0]?.isClosed === true);
    }),

  'many handshakes leave no engine, and no memory': () => {
    const openBefore = countOpenEngines();
    return withServer(
      async ({ port, served }) => {
        const shake = async (): Promise<void> => {
          const socket = await open(port);
          socket.write('question');
          await once(socket, 'data');
          socket.destroy();
        };
        const many = async (count: number): Promise<number> => {
          for (let done = 0; done < count; done += 10) await Promise.all(Array.from({ length: 10 }, shake));
          await until(() => served.every(({ isClosed }) => isClosed));
          served.length = 0;
          // What is garbage is no leak.
          (globalThis as { Bun?: { gc(force: boolean): void } }).Bun?.gc(true);
          return process.memoryUsage().rss;
        };
        let before = await many(300);
        const growths: number[] = [];
        for (let round = 0; round < 6; round++) {
          const after = await many(300);
          growths.push(after - before);
          before = after;
        }
        assert.equal(countOpenEngines(), openBefore);
        // The heap comes and goes by itself; a leak of one SSL for each would be 3 MB and more in every round.
        assert.ok(Math.min(...growths) < 2_000_000, `${growths.join(', ')} bytes more`);
      },
      (served) => {
        served.onBytesHook = (): void => write(served.secured, 'answer');
      },
    );
  },

  'connections outlive the context that they were made with': async () => {
    const context = createContext();
    await withServer(
      async ({ port, served }) => {
        const socket = await open(port);
        await until(() => served[0]?.isConnected === true);
        transport.releaseContext(context);
        transport.releaseContext(context);
        socket.write('question');
        await until(() => served[0]?.text === 'question');
        write(served[0]?.secured, 'answer');
        assert.equal(String((await once(socket, 'data'))[0]), 'answer');
        socket.destroy();
        await until(() => served[0]?.isClosed === true);
      },
      undefined,
      context,
    );
  },

  'bytes that come with the end of the handshake wait for resume': () =>
    withServer(
      async ({ port, served }) => {
        const socket = connect({ host, port, servername: 'a.test', ca: authority.root.certificate });
        // Before the handshake is over: it leaves together with the last flight.
        socket.end('question');
        await until(() => served[0]?.isConnected === true);
        await pause();
        assert.equal(served[0]?.bytes, 0);
        assert.equal(served[0].isEnded, false);
        served[0].secured?.resume();
        await until(() => served[0]?.isEnded === true);
        assert.equal(served[0].text, 'question');
        socket.destroy();
      },
      (served) => {
        served.onSecuredHook = (): void => served.secured?.pause();
      },
    ),

  'a slow reader gets everything, and no more is held than was written': () =>
    withServer(async ({ port, served }) => {
      const socket = await open(port);
      socket.pause();
      await until(() => served[0]?.isConnected === true);
      const { secured } = served[0]!;
      const body = Buffer.alloc(16_000_000);
      for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(at, at);
      assert.equal(secured?.write(body, 0, body.length), false);
      assert.ok(secured.pendingBytes < body.length * 1.01);
      secured.end();
      const received: Buffer[] = [];
      socket.on('data', (bytes: Buffer) => received.push(bytes));
      socket.resume();
      await once(socket, 'end');
      assert.ok(Buffer.concat(received).equals(body));
      socket.destroy();
    }),

  'whoever has said that nothing more comes can still be answered': () =>
    withServer(
      async ({ port, served }) => {
        const socket = await open(port, { allowHalfOpen: true } as ConnectionOptions);
        socket.end('question');
        await until(() => served[0]?.isEnded === true);
        assert.equal(served[0]?.text, 'question');
        write(served[0].secured, 'answer');
        served[0].secured?.end();
        assert.equal(String((await once(socket, 'data'))[0]), 'answer');
        await until(() => served[0]?.isClosed === true);
        assert.equal(served[0].code, undefined);
        socket.destroy();
      },
      (served) => {
        served.endsWithPeer = false;
      },
    ),

  'many connections at a time, in pieces of every size, get each its own bytes': () =>
    withServer(
      async ({ port }) => {
        const echo = async (number: number): Promise<void> => {
          const socket = await open(port);
          const sent = Buffer.alloc(40_000 + number * 977, String(number));
          const received: Buffer[] = [];
          socket.on('data', (bytes: Buffer) => received.push(bytes));
          for (let at = 0; at < sent.length; at += 1 + number * 31)
            socket.write(sent.subarray(at, at + 1 + number * 31));
          await until(() => Buffer.concat(received).length >= sent.length);
          assert.ok(Buffer.concat(received).equals(sent), `connection ${number}`);
          socket.destroy();
        };
        await Promise.all(Array.from({ length: 40 }, (_, index) => echo(index + 20)));
      },
      (served) => {
        served.onBytesHook = (bytes): void => void served.secured?.write(bytes, 0, bytes.length);
      },
    ),

  'pairs that are none make no context, and leave nothing': async () => {
    const other = authority.issue({ dnsNames: ['b.test'] });
    const usual = { chain: authority.chainOf(leaf), key: leaf.keyPem };
    for (const pair of [
      { ...usual, key: other.keyPem },
      { ...usual, key: 'no key' },
      { ...usual, chain: leaf.keyPem },
    ])
      assert.throws(() =>
        transport.createContext({
          pairs: [pair],
          minVersion: '1.2',
          clients: { kind: 'NotAsked' },
          sessionScope: 'one',
          ticketKeys: Buffer.alloc(48),
        }),
      );
    await Promise.resolve();
  },
};
