// What hosts and upstreams say of TLS where nobody has asked for more: what every model before schema 4 meant.
import type { Upstream, VirtualHost } from './route-model.ts';

export type TlsTerms = Pick<
  VirtualHost,
  'tlsMode' | 'minTlsVersion' | 'strictTransport' | 'clientValidation'
>;

export const plainTls: TlsTerms = {
  tlsMode: 'Terminate',
  minTlsVersion: '1.2',
  strictTransport: { kind: 'Unsaid' },
  clientValidation: { kind: 'None' },
};

export const plainBackend: Pick<Upstream, 'protocol' | 'tls'> = {
  protocol: 'HTTP/1.1',
  tls: { kind: 'None' },
};
