// TLS by the system's OpenSSL on the sockets of the system: one loop, no object of the runtime's for any connection.
import { X509Certificate } from 'node:crypto';
import { EpollSocket, epollTransport } from './epoll.ts';
import { connectSecurely, createServerTrust } from './openssl-client.ts';
import { OpenSslSocket } from './openssl-socket.ts';
import { HandshakeFailure } from './secure-transport.ts';
import type { ClientProof, SecureEvents, SecureTransport, TlsContext } from './secure-transport.ts';
import { createServerContext, freeContext } from './tls-contexts.ts';
import { TlsEngine, protocolList } from './tls-engine.ts';
import type { Pointer } from './libssl.ts';
import type { Socket } from './transport.ts';

interface Made {
  /** Undefined: released. */
  pointer: Pointer | undefined;
  readonly asksClient: boolean;
}

const noProof: ClientProof = { kind: 'None' };
const refusedProof: ClientProof = { kind: 'Refused' };

function proofOf(engine: TlsEngine): ClientProof {
  const der = engine.peerCertificate;
  if (der === undefined) return noProof;
  if (!engine.isVerified) return refusedProof;
  const certificate = readCertificate(der);
  return certificate !== undefined && isInTime(certificate)
    ? { kind: 'Verified', certificate }
    : refusedProof;
}

/** Bun looks for PEM first, and finds the certificate that somebody has put into a name of his own. */
function readCertificate(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    return certificate.raw.equals(der) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** A session that is resumed tells what its first handshake has found, however long ago, and is renewed without an end. */
function isInTime({ validTo }: X509Certificate): boolean {
  return Date.parse(validTo) >= Date.now();
}

class ServerSocket extends OpenSslSocket {
  readonly #asksClient: boolean;

  constructor(engine: TlsEngine, plain: Socket, asksClient: boolean) {
    super(engine, (events) => {
      plain.events = events;
      return plain;
    });
    this.#asksClient = asksClient;
  }

  protected override onShaken(): boolean {
    const proof = this.#asksClient ? proofOf(this.engine) : noProof;
    (this.events as SecureEvents).onSecured(this.engine.protocol, proof);
    return true;
  }

  protected override onOpenBytes(): void {}

  protected override failureCode(): string {
    return HandshakeFailure.Other;
  }
}

/** The lists of this process are few, and never made anew. */
const lists = new WeakMap<readonly string[], Buffer>();

function listOf(protocols: readonly string[]): Buffer {
  const known = lists.get(protocols);
  if (known !== undefined) return known;
  const made = protocolList(protocols);
  lists.set(protocols, made);
  return made;
}

export const opensslTransport: SecureTransport = {
  canReusePort: epollTransport.canReusePort,
  listen: (options, onConnection) => epollTransport.listen(options, onConnection),

  createContext(options) {
    const made: Made = {
      pointer: createServerContext(options),
      asksClient: options.clients.kind === 'Asked',
    };
    return made as unknown as TlsContext;
  },

  releaseContext(context) {
    const made = context as unknown as Made;
    if (made.pointer !== undefined) freeContext(made.pointer);
    made.pointer = undefined;
  },

  secure(socket: Socket, bytes, context, protocols, events: SecureEvents): Socket {
    if (!(socket instanceof EpollSocket)) throw new TypeError('the socket is of another transport');
    const { pointer, asksClient } = context as unknown as Made;
    if (pointer === undefined) throw new Error('the context was released');
    const secured = new ServerSocket(new TlsEngine(pointer, true, listOf(protocols)), socket, asksClient);
    secured.events = events;
    // The first event comes when the peer has answered, or when the socket has closed: never within this call.
    secured.onBytes(bytes);
    return secured;
  },

  createServerTrust,
  connect: connectSecurely,
};
