// TLS by node:tls over the sockets of node:net, on either runtime.
//
// One TLSSocket for each connection and no tls.Server: its SNICallback can give certificates only, neither an alert nor
// another policy, and by now the name has been read.
import { constants } from 'node:crypto';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { NodeSocket, nodeTransport } from './node.ts';
import { connectSecurely, createServerTrust } from './node-tls-client.ts';
import type { SecureEvents, SecureTransport, TlsContext } from './secure-transport.ts';
import { ciphers } from './tls-ciphers.ts';
import type { Socket } from './transport.ts';

export const nodeSecureTransport: SecureTransport = {
  canReusePort: nodeTransport.canReusePort,
  listen: (options, onConnection) => nodeTransport.listen(options, onConnection),

  createContext({ pairs, minVersion, sessionScope, ticketKeys }) {
    return createSecureContext({
      cert: pairs.map(({ chain }) => chain),
      key: pairs.map(({ key }) => key),
      minVersion: `TLSv${minVersion}`,
      ciphers,
      honorCipherOrder: true,
      sessionIdContext: sessionScope,
      ticketKeys,
      // A client could make us work without an end by it (RFC 9325 3.5).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    }) as unknown as TlsContext;
  },

  secure(socket: Socket, bytes, context, protocols, events: SecureEvents): Socket {
    if (!(socket instanceof NodeSocket)) throw new TypeError('the socket is of another transport');
    const { remoteAddress, remotePort } = socket;
    const plain = socket.release();
    plain.unshift(bytes);
    const secured = new TLSSocket(plain, {
      isServer: true,
      secureContext: context as unknown as SecureContext,
      ALPNProtocols: [...protocols],
    });
    const owned = new NodeSocket(secured, remoteAddress, remotePort, plain);
    owned.events = events;
    secured.once('secure', () => events.onSecured(secured.alpnProtocol || ''));
    // What goes wrong after the handshake only a tls.Server would hear of: the connection would stay, and what comes be kept.
    secured.on('_tlsError', () => secured.destroy());
    return owned;
  },

  createServerTrust,
  connect: connectSecurely,
};
