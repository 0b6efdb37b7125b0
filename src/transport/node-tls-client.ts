// TLS to servers by node:tls, on either runtime: the chain and the name are verified before anybody hears that there is a
// connection.
//
//   connect --> TCP --> handshake --> verified --> onConnect, and from then on the events of any socket
//      \---------\-----------\------------\--> onClose, with a code that says how far it got
import net from 'node:net';
import { checkServerIdentity, connect, createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import { clock } from './clock.ts';
import { NodeSocket } from './node.ts';
import { certificatesOf } from './pem-certificates.ts';
import { runtimeTurn } from './runtime-turn.ts';
import { HandshakeFailure } from './secure-transport.ts';
import type { ServerTerms, ServerTrust } from './secure-transport.ts';
import { SessionStore } from './session-store.ts';
import { ciphers } from './tls-ciphers.ts';
import type { ConnectEvents, Socket, SocketEvents } from './transport.ts';

interface Trust {
  readonly serverName: string;
  readonly protocols: string[];
  readonly secureContext: SecureContext;
  readonly sessions: SessionStore;
}

/** One takes 35 KB, and many servers are vouched for by the same few authorities. */
const mostContexts = 64;
const contexts = new Map<string | undefined, SecureContext>();

export function createServerTrust({ serverName, authorities, protocols }: ServerTerms): ServerTrust {
  const trust: Trust = {
    serverName,
    protocols: [...protocols],
    secureContext: contextOf(authorities),
    sessions: new SessionStore(),
  };
  return trust as unknown as ServerTrust;
}

/** The same one for the same authorities; undefined: those of the runtime. */
function contextOf(authorities: string | undefined): SecureContext {
  const known = contexts.get(authorities);
  if (known !== undefined) return known;
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ciphers,
    ...(authorities === undefined ? {} : { ca: certificatesOf(authorities) }),
  });
  const [oldest] = contexts.keys();
  if (contexts.size >= mostContexts) contexts.delete(oldest);
  contexts.set(authorities, context);
  return context;
}

export function connectSecurely(
  address: string,
  port: number,
  trust: ServerTrust,
  events: ConnectEvents,
): Socket {
  return new Handshake(address, port, trust as unknown as Trust, events).socket;
}

const owner = Symbol('handshake');

interface OwnedSocket extends TLSSocket {
  [owner]?: Handshake;
}

/** The events of a socket until its server is known. */
class Handshake implements SocketEvents {
  readonly socket: NodeSocket;
  readonly #secured: TLSSocket;
  readonly #trust: Trust;
  readonly #events: ConnectEvents;
  /** The server, for its sessions. */
  readonly #server: string;
  #isReached = false;
  /** The handshake is over; whether its certificate is accepted is judged after it. */
  #isShaken = false;
  #isVerified = false;
  #session: Buffer | undefined = undefined;
  #verifiedMs = 0;

  constructor(address: string, port: number, trust: Trust, events: ConnectEvents) {
    this.#trust = trust;
    this.#events = events;
    this.#server = `${address} ${port}`;
    const { serverName, protocols, secureContext, sessions } = trust;
    const kept = sessions.get(this.#server, clock.now());
    if (kept !== undefined) this.#verifiedMs = kept.verifiedMs;
    const plain = net.connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const secured: OwnedSocket = connect({
      socket: plain,
      servername: serverName,
      secureContext,
      ALPNProtocols: protocols,
      rejectUnauthorized: true,
      checkServerIdentity: checkAlternativeNames,
      ...(kept === undefined ? {} : { session: kept.session }),
    });
    this.#secured = secured;
    secured[owner] = this;
    this.socket = new NodeSocket(secured, address, port, plain);
    this.socket.events = this;
    plain.once('connect', () => {
      this.#isReached = true;
    });
    secured.once('secure', onSecure);
    secured.once('secureConnect', onSecureConnect);
    secured.on('session', onSession);
    runtimeTurn.isWanted = true;
  }

  onShaken(): void {
    this.#isShaken = true;
  }

  onVerified(): void {
    clock.forget();
    // What the runtime is asked for, and what it has done: both, before a byte is sent.
    if (!this.#secured.authorized) {
      this.#secured.destroy();
      return;
    }
    this.#isVerified = true;
    if (!this.#secured.isSessionReused()) this.#verifiedMs = clock.now();
    if (this.#session !== undefined) this.onSession(this.#session);
    this.socket.events = this.#events;
    const protocol = this.#secured.alpnProtocol;
    this.#events.onConnect(typeof protocol === 'string' ? protocol : '');
  }

  /** A session vouches for its server without its certificate: only one that was verified may. */
  onSession(session: Buffer): void {
    const { sessions } = this.#trust;
    if (this.#isVerified) sessions.set(this.#server, { session, verifiedMs: this.#verifiedMs });
    else this.#session = session;
  }

  onBytes(): void {}

  onDrain(): void {}

  onEnd(): void {
    this.#secured.destroy();
  }

  onClose(code: string | undefined): void {
    if (!this.#isReached) this.#events.onClose(code);
    else this.#events.onClose(this.#isShaken ? HandshakeFailure.Certificate : HandshakeFailure.Other);
  }
}

// Listeners at module level: one function for all sockets instead of three closures for each.

function onSecure(this: OwnedSocket): void {
  this[owner]?.onShaken();
}

function onSecureConnect(this: OwnedSocket): void {
  this[owner]?.onVerified();
}

function onSession(this: OwnedSocket, session: Buffer): void {
  this[owner]?.onSession(session);
}

/**
 * The common name of a subject names no server any more (RFC 9525 2); the runtimes still fall back to it, also where there
 * is a subjectAltName without a DNS name.
 */
function checkAlternativeNames(name: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname === undefined) return new Error('the certificate has no subjectAltName');
  return checkServerIdentity(name, { ...certificate, subject: { ...certificate.subject, CN: '' } });
}
