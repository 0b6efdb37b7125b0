// TLS: on sockets that were accepted in the clear, since whoever reads the first bytes knows which certificate they ask for;
// and to servers, of which no byte is sent to one that has not proved its name.
//
// What is written to a socket with TLS may have come by onBytes of any transport: it is copied where it has to wait.
import type { X509Certificate } from 'node:crypto';
import type {
  ConnectEvents,
  ListenOptions,
  Listener,
  OnConnection,
  Socket,
  SocketEvents,
} from './transport.ts';

export interface KeyPair {
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
}

export interface TlsContextOptions {
  /** Of different kinds of keys: the client's algorithms decide. */
  readonly pairs: readonly KeyPair[];
  /** The lowest that is spoken. */
  readonly minVersion: '1.2' | '1.3';
  readonly clients: ClientTerms;
  /** Sessions are resumed within one such text, of 32 bytes at most, and never beyond. */
  readonly sessionScope: string;
  /** 48 bytes, the same in all threads, so that a session of one is resumed by another, where the runtime allows it. */
  readonly ticketKeys: Buffer;
}

/** Whether clients are asked for a certificate. One that is not believed does not end the handshake: who asked judges it. */
export type ClientTerms =
  | { readonly kind: 'NotAsked' }
  | {
      readonly kind: 'Asked';
      /** PEM of the certificates of CAs. */
      readonly authorities: string;
    };

/** What a client has shown. A session that is resumed keeps what its first handshake has proved, until the leaf expires. */
export type ClientProof =
  /** Nothing, or it was not asked. */
  | { readonly kind: 'None' }
  /** The chain leads to nobody trusted, has expired, or is not for clients. */
  | { readonly kind: 'Refused' }
  /** `certificate`: its leaf as the handshake has read it. Another look at its bytes may find another one in them. */
  | { readonly kind: 'Verified'; readonly certificate: LeafCertificate };

export type LeafCertificate = Pick<X509Certificate, 'raw' | 'subject' | 'subjectAltName'>;

declare const tlsContext: unique symbol;

/** What a runtime has made of pairs: expensive to make, and shared by connections. */
export interface TlsContext {
  readonly [tlsContext]: true;
}

/** What a server has to prove, and what may be spoken with it. */
export interface ServerTerms {
  /** A DNS name: it is asked for, and the certificate has to be for it by its subjectAltName (RFC 9525 6). */
  readonly serverName: string;
  /** PEM of the certificates of CAs; undefined: those that the runtime trusts by itself. */
  readonly authorities: string | undefined;
  /** What may be spoken, the preferred one first (RFC 7301). */
  readonly protocols: readonly string[];
}

declare const serverTrust: unique symbol;

/** What a runtime has made of terms; sessions are resumed within it and never beyond. */
export interface ServerTrust {
  readonly [serverTrust]: true;
}

/** What onClose says of a connection that was made and whose handshake failed, whatever the runtime calls it. */
export const HandshakeFailure = {
  /** The chain leads to nobody trusted, has expired, or is for another name. */
  Certificate: 'CERTIFICATE_REJECTED',
  /** Anything else: the server speaks no TLS, no common version, or broke off. */
  Other: 'HANDSHAKE_FAILED',
} as const;

export interface SecureEvents extends SocketEvents {
  /**
   * The handshake is over; the first event unless the connection broke before. `protocol`: what was agreed on; empty where the
   * client did not ask.
   */
  onSecured(protocol: string, proof: ClientProof): void;
}

export interface SecureTransport {
  readonly canReusePort: boolean;
  listen(options: ListenOptions, onConnection: OnConnection): Promise<Listener>;
  /** Throws for pairs that are none, and for authorities without a certificate. */
  createContext(options: TlsContextOptions): TlsContext;
  /** Nobody begins anything with it any more; connections that have it keep it. */
  releaseContext(context: TlsContext): void;
  /**
   * Ends TLS on a socket of this transport, which gives no more events; `bytes` are all that have come of it, and
   * `protocols` what is spoken here, the preferred one first (RFC 7301). A handshake that fails is told by onClose.
   */
  secure(
    socket: Socket,
    bytes: Buffer,
    context: TlsContext,
    protocols: readonly string[],
    events: SecureEvents,
  ): Socket;
  /** Throws for authorities without a certificate; one that is damaged is trusted by nobody. */
  createServerTrust(terms: ServerTerms): ServerTrust;
  /**
   * Starts to connect, with TLS 1.2 or 1.3; onConnect, which says what was agreed on, or onClose follows. Nothing may be
   * written before onConnect: only then it is known to whom.
   */
  connect(address: string, port: number, trust: ServerTrust, events: ConnectEvents): Socket;
}
