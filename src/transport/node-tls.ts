// TLS by node:tls over the sockets of node:net, on either runtime.
//
// One TLSSocket for each connection and no tls.Server: its SNICallback can give certificates only, neither an alert nor
// another policy, and by now the name has been read.
import { constants } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { NodeSocket, nodeTransport } from './node.ts';
import { connectSecurely, createServerTrust } from './node-tls-client.ts';
import { certificatesOf } from './pem-certificates.ts';
import type { ClientProof, SecureEvents, SecureTransport, TlsContext } from './secure-transport.ts';
import { ciphers, groups } from './tls-ciphers.ts';
import type { Socket } from './transport.ts';

interface Made {
  readonly secureContext: SecureContext;
  readonly asksClient: boolean;
}

const noProof: ClientProof = { kind: 'None' };
const refusedProof: ClientProof = { kind: 'Refused' };

/** What a tls.Server asks itself (node:tls has no other way to it). Whatever does not say that a certificate was verified says that it was not. */
interface VerifyingSocket {
  readonly ssl?: { verifyError?(): Error | null } | null;
}

function proofOf(secured: TLSSocket): ClientProof {
  const certificate = secured.getPeerX509Certificate();
  if (certificate === undefined) return noProof;
  const { ssl } = secured as unknown as VerifyingSocket;
  const isVerified = ssl?.verifyError !== undefined && ssl.verifyError() === null;
  return isVerified && isAsRead(certificate, secured) && isInTime(certificate)
    ? { kind: 'Verified', certificate }
    : refusedProof;
}

/** Bun reads the bytes again, looks for PEM first, and finds the certificate that somebody has put into a name of his own. */
function isAsRead({ raw }: X509Certificate, secured: TLSSocket): boolean {
  return raw.equals(secured.getPeerCertificate().raw);
}

/** A session that is resumed tells what its first handshake has found, however long ago, and is renewed without an end. */
function isInTime({ validTo }: X509Certificate): boolean {
  return Date.parse(validTo) >= Date.now();
}

export const nodeSecureTransport: SecureTransport = {
  canReusePort: nodeTransport.canReusePort,
  listen: (options, onConnection) => nodeTransport.listen(options, onConnection),

  createContext({ pairs, minVersion, clients, sessionScope, ticketKeys }) {
    const secureContext = createSecureContext({
      cert: pairs.map(({ chain }) => chain),
      key: pairs.map(({ key }) => key),
      minVersion: `TLSv${minVersion}`,
      ciphers,
      ecdhCurve: groups,
      honorCipherOrder: true,
      sessionIdContext: sessionScope,
      ticketKeys,
      ...(clients.kind === 'Asked' ? { ca: certificatesOf(clients.authorities) } : {}),
      // A client could make us work without an end by it (RFC 9325 3.5).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    return { secureContext, asksClient: clients.kind === 'Asked' } satisfies Made as unknown as TlsContext;
  },

  /** The runtime sees by itself when nobody has it any more. */
  releaseContext() {},

  secure(socket: Socket, bytes, context, protocols, events: SecureEvents): Socket {
    if (!(socket instanceof NodeSocket)) throw new TypeError('the socket is of another transport');
    const { remoteAddress, remotePort } = socket;
    const plain = socket.release();
    plain.unshift(bytes);
    const { secureContext, asksClient } = context as unknown as Made;
    const secured = new TLSSocket(plain, {
      isServer: true,
      secureContext,
      ALPNProtocols: [...protocols],
      requestCert: asksClient,
      // Whoever asked judges: where this is true, a handshake without a certificate ends without a word here.
      rejectUnauthorized: false,
    });
    const owned = new NodeSocket(secured, remoteAddress, remotePort, plain);
    owned.events = events;
    secured.once('secure', () =>
      events.onSecured(secured.alpnProtocol || '', asksClient ? proofOf(secured) : noProof),
    );
    // What goes wrong after the handshake only a tls.Server would hear of: the connection would stay, and what comes be kept.
    secured.on('_tlsError', () => secured.destroy());
    return owned;
  },

  createServerTrust,
  connect: connectSecurely,
};
