// What connections with TLS to servers must do, as plain checks that run inside whichever runtime is asked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:net';
import type { AddressInfo, Server, Socket as NetSocket } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { HandshakeFailure } from '#transport/secure-transport.ts';
import type { ClientProof, SecureEvents, SecureTransport, ServerTerms } from '#transport/secure-transport.ts';
import type { Socket } from '#transport/transport.ts';
import { createAuthority, issue } from '../tls/certificates.ts';
import type { Issued } from '../tls/certificates.ts';
import { der } from '../tls/der.ts';
import { Recorder } from './contract.ts';

const host = '127.0.0.1';
const serverName = 'backend.test';
const authority = createAuthority();
const other = createAuthority('Other CA');
const usual = authority.issue({ dnsNames: [serverName] });

const terms: ServerTerms = {
  serverName,
  authorities: authority.root.certificate,
  protocols: ['http/1.1'],
};

class Client extends Recorder {
  protocol: string | undefined = undefined;

  override onConnect(protocol?: string): void {
    this.protocol = protocol;
    super.onConnect();
  }
}

class Greeted extends Recorder implements SecureEvents {
  onProof: ((kind: ClientProof['kind']) => void) | undefined = undefined;

  onSecured(_protocol: string, { kind }: ClientProof): void {
    this.onProof?.(kind);
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Served {
  readonly port: number;
  /** Whatever came over TLS from anybody. */
  readonly received: Buffer[];
  readonly sockets: TLSSocket[];
}

async function withServer(
  leaf: Issued,
  chain: string,
  check: (served: Served) => Promise<void>,
  options: TlsOptions = {},
): Promise<void> {
  const served = { received: [] as Buffer[], sockets: [] as TLSSocket[] };
  const server = createServer({ cert: chain, key: leaf.keyPem, ...options }, (socket) => {
    served.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => served.received.push(bytes));
  });
  server.on('tlsClientError', () => {});
  try {
    await check({ ...served, port: await listen(server) });
  } finally {
    for (const socket of served.sockets) socket.destroy();
    server.close();
  }
}

function withUsualServer(check: (served: Served) => Promise<void>, options?: TlsOptions): Promise<void> {
  return withServer(usual, authority.chainOf(usual), check, options);
}

function open(
  transport: SecureTransport,
  port: number,
  wanted: Partial<ServerTerms> = {},
): { socket: Socket; events: Client } {
  const events = new Client();
  const trust = transport.createServerTrust({ ...terms, ...wanted });
  return { socket: transport.connect(host, port, trust, events), events };
}

/** The code of a handshake that fails. */
async function failureOf(
  transport: SecureTransport,
  port: number,
  wanted?: Partial<ServerTerms>,
): Promise<string | undefined> {
  const { events } = open(transport, port, wanted);
  await events.until(() => events.isClosed || events.isConnected);
  assert.equal(events.isConnected, false, 'the server was believed');
  assert.equal(events.isEnded, false, 'an end was told before there was a connection');
  return events.code;
}

const untrusted: Readonly<Record<string, readonly [leaf: Issued, chain: string]>> = {
  'a wrong name': chained(authority.issue({ dnsNames: ['other.test'] })),
  'a wildcard that covers one label less': chained(authority.issue({ dnsNames: ['*.backend.test'] })),
  'a name in the subject alone': chained(authority.issue({ commonName: serverName })),
  'a name in the subject beside an address': chained(
    authority.issue({ commonName: serverName, alternativeNames: der(0x87, Buffer.from([127, 0, 0, 1])) }),
  ),
  'an expired leaf': chained(authority.issue({ dnsNames: [serverName], notAfter: '2021-01-01T00:00:00Z' })),
  'a leaf of the future': chained(
    authority.issue({ dnsNames: [serverName], notBefore: '2100-01-01T00:00:00Z' }),
  ),
  'a self-signed leaf': own(issue({ dnsNames: [serverName] })),
  'an unknown CA': unknown(other.issue({ dnsNames: [serverName] })),
  'no intermediate': own(authority.issue({ dnsNames: [serverName] })),
  'a leaf that another leaf signed': own(issue({ dnsNames: [serverName], issuer: usual })),
};

function chained(leaf: Issued): readonly [Issued, string] {
  return [leaf, authority.chainOf(leaf)];
}

function own(leaf: Issued): readonly [Issued, string] {
  return [leaf, leaf.certificate + usual.certificate];
}

function unknown(leaf: Issued): readonly [Issued, string] {
  return [leaf, other.chainOf(leaf) + other.root.certificate];
}

const plainAnswers: Readonly<Record<string, (socket: NetSocket) => void>> = {
  'speaks no TLS': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'sends an alert': (socket) => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, 40])),
  'answers with TLS 1.1': (socket) => socket.write(serverHello(2)),
  resets: (socket) => socket.resetAndDestroy(),
  ends: (socket) => socket.end(),
};

/** Of TLS 1.`minor - 1`. */
function serverHello(minor: number): Buffer {
  const body = Buffer.concat([Buffer.from([3, minor]), Buffer.alloc(32, 7), Buffer.from([0, 0xc0, 0x13, 0])]);
  return Buffer.concat([Buffer.from([22, 3, minor, 0, body.length + 4, 2, 0, 0, body.length]), body]);
}

export const tlsContract: Readonly<Record<string, (transport: SecureTransport) => Promise<void>>> = {
  'a server that proves its name is spoken to, by its name': (transport) =>
    withUsualServer(
      async ({ port, received, sockets }) => {
        const { socket, events } = open(transport, port);
        await events.until(() => events.isConnected);
        assert.equal(events.protocol, 'http/1.1');
        socket.write(Buffer.from('..hello..'), 2, 7);
        while (received.length === 0) await pause();
        assert.equal(Buffer.concat(received).toString(), 'hello');
        assert.equal(sockets[0]?.servername, serverName);
        sockets[0].write('answer');
        await events.until(() => events.text === 'answer');
        socket.destroy();
        await events.until(() => events.isClosed);
      },
      { ALPNProtocols: ['h2', 'http/1.1'] },
    ),

  'a server that chooses no protocol is spoken to, and that is said': (transport) =>
    withUsualServer(async ({ port }) => {
      const { socket, events } = open(transport, port);
      await events.until(() => events.isConnected);
      assert.equal(events.protocol, '');
      socket.destroy();
    }),

  'whoever proves nothing, or another name, gets no byte': async (transport) => {
    for (const [what, [leaf, chain]] of Object.entries(untrusted))
      await withServer(leaf, chain, async ({ port, received }) => {
        assert.equal(await failureOf(transport, port), HandshakeFailure.Certificate, what);
        assert.deepEqual(received, [], what);
      });
  },

  'a private CA is not one that the runtime trusts': (transport) =>
    withUsualServer(async ({ port }) => {
      assert.equal(
        await failureOf(transport, port, { authorities: undefined }),
        HandshakeFailure.Certificate,
      );
    }),

  'a handshake that fails otherwise is told apart': async (transport) => {
    for (const [what, answer] of Object.entries(plainAnswers)) {
      const server = createPlainServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => answer(socket));
      });
      const port = await listen(server);
      assert.equal(await failureOf(transport, port), HandshakeFailure.Other, what);
      server.close();
    }
  },

  'a refused connection has the code of the system': async (transport) => {
    const server = createPlainServer();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    assert.equal(await failureOf(transport, port), 'ECONNREFUSED');
  },

  'a handshake that nobody answers can be given up': async (transport) => {
    const sockets: NetSocket[] = [];
    const server = createPlainServer((socket) => sockets.push(socket));
    const port = await listen(server);
    const { socket, events } = open(transport, port);
    while (sockets.length === 0) await pause();
    socket.destroy();
    await events.until(() => events.isClosed);
    assert.equal(events.isConnected, false);
    for (const each of sockets) each.destroy();
    server.close();
  },

  'authorities that are none are refused, and never taken for those of the runtime': async (transport) => {
    for (const authorities of ['', 'no PEM', usual.keyPem])
      assert.throws(() => transport.createServerTrust({ ...terms, authorities }), /certificate to trust/);
    await Promise.resolve();
  },

  'a session is resumed with the same server and the same terms, and with nobody else': (transport) =>
    withUsualServer(
      async ({ port, sockets }) => {
        const trust = transport.createServerTrust(terms);
        const isResumed = async (by: typeof trust): Promise<boolean> => {
          const before = sockets.length;
          const events = new Client();
          const socket = transport.connect(host, port, by, events);
          await events.until(() => events.isConnected);
          while (sockets.length === before) await pause();
          const accepted = sockets[before]!;
          // Tickets of TLS 1.3 come with the first bytes.
          accepted.write('x');
          await events.until(() => events.bytes > 0);
          const isReused = accepted.isSessionReused();
          socket.destroy();
          await events.until(() => events.isClosed);
          return isReused;
        };
        const seen = [await isResumed(trust), await isResumed(trust), await isResumed(trust)];
        assert.deepEqual(seen, [false, true, true]);
        assert.equal(await isResumed(transport.createServerTrust(terms)), false);
      },
      { maxVersion: 'TLSv1.2' },
    ),

  'a session does not make a certificate of a client valid again that has expired since': async (
    transport,
  ) => {
    const client = authority.issue({ dnsNames: ['client.test'] });
    const proofs: string[] = [];
    const context = transport.createContext({
      pairs: [{ chain: authority.chainOf(usual), key: usual.keyPem }],
      minVersion: '1.2',
      clients: { kind: 'Asked', authorities: authority.root.certificate },
      sessionScope: 'one',
      ticketKeys: Buffer.alloc(48, 7),
    });
    const listener = await transport.listen({ host, port: 0, reusePort: false }, (socket) => {
      const greeted = new Greeted();
      greeted.onBytesHook = (bytes): void => {
        greeted.onBytesHook = undefined;
        transport.secure(socket, Buffer.from(bytes), context, ['http/1.1'], greeted);
      };
      greeted.onProof = (kind): void => void proofs.push(kind);
      return greeted;
    });
    const open = async (session?: Buffer): Promise<TLSSocket> => {
      const socket = connect({
        host,
        port: listener.port,
        servername: serverName,
        ca: authority.root.certificate,
        maxVersion: 'TLSv1.2',
        cert: authority.chainOf(client),
        key: client.keyPem,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      return socket;
    };
    const { now } = Date;
    try {
      const first = await open();
      const session = first.getSession();
      first.destroy();
      Date.now = (): number => Date.parse('2121-01-01T00:00:00Z');
      const second = await open(session);
      assert.ok(second.isSessionReused());
      while (proofs.length < 2) await pause();
      second.destroy();
    } finally {
      Date.now = now;
      listener.close();
    }
    assert.deepEqual(proofs, ['Verified', 'Refused']);
  },

  'large bodies go both ways under backpressure, and what is written may change after the event': (
    transport,
  ) =>
    withUsualServer(async ({ port, received, sockets }) => {
      const { socket, events } = open(transport, port);
      await events.until(() => events.isConnected);
      while (sockets.length === 0) await pause();
      const server = sockets[0]!;
      server.pause();
      // As a transport does that has one receive buffer for all of its sockets.
      const shared = Buffer.alloc(65_536);
      const expected: Buffer[] = [];
      let isFlowing = true;
      for (let number = 0; isFlowing || number < 8; number++) {
        shared.fill(number % 251);
        expected.push(Buffer.from(shared));
        isFlowing = socket.write(shared, 0, shared.length);
      }
      shared.fill(255);
      assert.ok(socket.pendingBytes > 0);
      server.resume();
      const total = expected.length * shared.length;
      await events.until(() => events.drains > 0);
      while (Buffer.concat(received).length < total) await pause();
      assert.ok(Buffer.concat(received).equals(Buffer.concat(expected)));
      const back = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz');
      server.write(back);
      await events.until(() => events.bytes >= back.length);
      assert.ok(Buffer.concat(events.received).equals(back));
      socket.destroy();
    }),

  'pause holds bytes back, resume lets them come': (transport) =>
    withUsualServer(async ({ port, received, sockets }) => {
      const { socket, events } = open(transport, port);
      await events.until(() => events.isConnected);
      while (sockets.length === 0) await pause();
      socket.pause();
      sockets[0]?.write('held');
      socket.write(Buffer.from('ping'), 0, 4);
      while (received.length === 0) await pause();
      assert.equal(events.bytes, 0);
      socket.resume();
      await events.until(() => events.text === 'held');
      socket.destroy();
    }),

  'half-close: the end comes after the last byte, and the other direction lives on': (transport) =>
    withUsualServer(
      async ({ port, received, sockets }) => {
        const { socket, events } = open(transport, port);
        await events.until(() => events.isConnected);
        while (sockets.length === 0) await pause();
        const server = sockets[0]!;
        const ended = once(server, 'end');
        socket.write(Buffer.alloc(300_000, 'x'), 0, 300_000);
        socket.end();
        await ended;
        assert.equal(Buffer.concat(received).length, 300_000);
        server.write('late answer');
        await events.until(() => events.text === 'late answer');
        server.end();
        await events.until(() => events.isClosed);
        assert.equal(events.isEnded, true);
      },
      { allowHalfOpen: true },
    ),

  'a server that ends is told of, and what is sent until then arrives': (transport) =>
    withUsualServer(async ({ port, sockets }) => {
      const { socket, events } = open(transport, port);
      await events.until(() => events.isConnected);
      while (sockets.length === 0) await pause();
      sockets[0]?.end('bye');
      await events.until(() => events.isEnded);
      assert.equal(events.text, 'bye');
      socket.end();
      await events.until(() => events.isClosed);
    }),

  'destroy and reset: one onClose on either side': (transport) =>
    withUsualServer(async ({ port, sockets }) => {
      for (const how of ['destroy', 'reset'] as const) {
        const before = sockets.length;
        const { socket, events } = open(transport, port);
        await events.until(() => events.isConnected);
        while (sockets.length === before) await pause();
        const closed = new Promise((resolve) => sockets[before]?.once('close', resolve));
        socket[how]();
        await events.until(() => events.isClosed);
        await closed;
      }
    }),
};

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
}
