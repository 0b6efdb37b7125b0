// Connections to the endpoints of one upstream with TLS, all on the same terms.
import type { Upstream } from '#model/route-model.ts';
import type { SecureTransport, ServerTrust } from '#transport/secure-transport.ts';
import type { ConnectEvents, Socket, Transport } from '#transport/transport.ts';

export type Connector = Pick<Transport, 'connect'>;

/** What ALPN calls it (RFC 7301 6). */
const protocolIds: Readonly<Record<Upstream['protocol'], string>> = {
  'HTTP/1.1': 'http/1.1',
  'HTTP/2': 'h2',
};

/**
 * Undefined: in the clear. `secure`: what a thread has that serves upstreams with TLS. Throws for authorities that the
 * runtime does not take.
 */
export function connectorFor(
  { protocol, tls }: Pick<Upstream, 'protocol' | 'tls'>,
  secure: SecureTransport | undefined,
): Connector | undefined {
  if (tls.kind === 'None') return undefined;
  // Never in the clear where TLS is expected.
  if (secure === undefined) throw new Error('this thread was not made for TLS to backends');
  const trust = secure.createServerTrust({
    serverName: tls.serverName,
    authorities: tls.authorities.kind === 'System' ? undefined : tls.authorities.pem,
    protocols: [protocolIds[protocol]],
  });
  return new SecureConnector(secure, trust);
}

class SecureConnector implements Connector {
  readonly #transport: SecureTransport;
  readonly #trust: ServerTrust;

  constructor(transport: SecureTransport, trust: ServerTrust) {
    this.#transport = transport;
    this.#trust = trust;
  }

  connect(address: string, port: number, events: ConnectEvents): Socket {
    return this.#transport.connect(address, port, this.#trust, events);
  }
}
