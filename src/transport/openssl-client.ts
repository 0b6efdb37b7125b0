// TLS to servers by the system's OpenSSL: chain and name are verified by it, in the handshake.
//
//   connect --> TCP --> handshake, verified --> onConnect, and from then on the events of any socket
//      \---------\------------\--> onClose, with a code that says how far it got
import { getCACertificates } from 'node:tls';
import { clock } from './clock.ts';
import { epollTransport } from './epoll.ts';
import {
  Ctrl,
  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
  cString,
  decoded,
  encoded,
  libcrypto,
  libssl,
} from './libssl.ts';
import type { Pointer } from './libssl.ts';
import { OpenSslSocket } from './openssl-socket.ts';
import { certificatesOf } from './pem-certificates.ts';
import { HandshakeFailure } from './secure-transport.ts';
import type { ServerTerms, ServerTrust } from './secure-transport.ts';
import { SessionStore } from './session-store.ts';
import { createClientContext, freeContext } from './tls-contexts.ts';
import { TlsEngine, protocolList } from './tls-engine.ts';
import type { ConnectEvents, Socket } from './transport.ts';

/** Freed when no trust has it any more; connections that are open hold it by themselves. */
interface ClientContext {
  readonly pointer: Pointer;
}

interface Trust {
  readonly serverName: Buffer;
  readonly protocols: Buffer;
  readonly context: ClientContext;
  readonly sessions: SessionStore;
}

/** One takes some 30 KB, and many servers are vouched for by the same few authorities. */
const mostContexts = 64;
const contexts = new Map<string | undefined, ClientContext>();
const forgotten = new FinalizationRegistry<Pointer>(freeContext);

export function createServerTrust({ serverName, authorities, protocols }: ServerTerms): ServerTrust {
  const trust: Trust = {
    serverName: cString(serverName),
    protocols: protocolList(protocols),
    context: contextOf(authorities),
    sessions: new SessionStore(),
  };
  return trust as unknown as ServerTrust;
}

/** The same one for the same authorities; undefined: those of the runtime. */
function contextOf(authorities: string | undefined): ClientContext {
  const known = contexts.get(authorities);
  if (known !== undefined) return known;
  const context = {
    pointer: createClientContext(
      authorities === undefined ? runtimeAuthorities() : certificatesOf(authorities),
    ),
  };
  forgotten.register(context, context.pointer);
  // Many authorities take their time: what is timed from now on must not begin before them.
  clock.forget();
  const [oldest] = contexts.keys();
  if (contexts.size >= mostContexts) contexts.delete(oldest);
  contexts.set(authorities, context);
  return context;
}

/**
 * Once for each thread, each certificate once: OpenSSL reads one in a quarter of a millisecond, and a file that the
 * environment names often has those of the runtime, too.
 */
function runtimeAuthorities(): readonly string[] {
  const authorities = getCACertificates('default').map((pem) => [pem.replaceAll(/\s/g, ''), pem] as const);
  return [...new Map(authorities).values()];
}

export function connectSecurely(
  address: string,
  port: number,
  trust: ServerTrust,
  events: ConnectEvents,
): Socket {
  return new ClientSocket(address, port, trust as unknown as Trust, events);
}

class ClientSocket extends OpenSslSocket implements ConnectEvents {
  readonly #trust: Trust;
  /** The server, for its sessions. */
  readonly #server: string;
  #isReached = false;
  #isShaken = false;
  /** The session of this connection has been kept. */
  #isKept = false;
  #verifiedMs = 0;

  constructor(address: string, port: number, trust: Trust, events: ConnectEvents) {
    const engine = new TlsEngine(trust.context.pointer, false, trust.protocols);
    super(engine, (own) => epollTransport.connect(address, port, own as ClientSocket));
    this.#trust = trust;
    this.#server = `${address} ${port}`;
    this.events = events;
    this.#prepare(engine.pointer);
  }

  #prepare(ssl: Pointer): void {
    const { serverName, protocols, sessions } = this.#trust;
    libssl.SSL_ctrl(ssl, Ctrl.HostName, 0, serverName);
    libssl.SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    libssl.SSL_set1_host(ssl, serverName);
    libssl.SSL_set_alpn_protos(ssl, protocols, protocols.length);
    const kept = sessions.get(this.#server, clock.now());
    if (kept === undefined) return;
    const session = decoded(kept.session, (out, length) => libssl.d2i_SSL_SESSION(null, out, length));
    if (session === null) return;
    this.#verifiedMs = kept.verifiedMs;
    libssl.SSL_set_session(ssl, session);
    libssl.SSL_SESSION_free(session);
  }

  onConnect(): void {
    this.#isReached = true;
    this.shake();
  }

  protected override onShaken(): boolean {
    if (!this.engine.isVerified) return false;
    this.#isShaken = true;
    if (!this.engine.isResumed) this.#verifiedMs = clock.now();
    this.#keepSession();
    (this.events as ConnectEvents).onConnect(this.engine.protocol);
    return true;
  }

  /** Tickets of TLS 1.3 come after the handshake, mostly with the first bytes. */
  protected override onOpenBytes(): void {
    if (!this.#isKept) this.#keepSession();
  }

  #keepSession(): void {
    const session = libssl.SSL_get1_session(this.engine.pointer);
    if (session === null) return;
    try {
      if (libssl.SSL_SESSION_is_resumable(session) !== 1) return;
      this.#isKept = true;
      const bytes = encoded((out) => libssl.i2d_SSL_SESSION(session, out));
      this.#trust.sessions.set(this.#server, { session: bytes, verifiedMs: this.#verifiedMs });
    } finally {
      libssl.SSL_SESSION_free(session);
      libcrypto.ERR_clear_error();
    }
  }

  /** Whether the server or what it has shown is at fault is known by its certificate. */
  protected override failureCode(): string {
    return this.engine.isVerified ? HandshakeFailure.Other : HandshakeFailure.Certificate;
  }

  /** Whoever waits for the server hears of it at once. */
  protected override fail(code: string): void {
    this.destroyWith(code);
  }

  protected override onEndOfHandshake(): void {
    this.destroyWith(HandshakeFailure.Other);
  }

  override onClose(code: string | undefined): void {
    super.onClose(this.#isReached && !this.#isShaken ? HandshakeFailure.Other : code);
  }
}
