// What hosts and upstreams say where nobody has asked for more: what every model meant before they could say it.
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

export const plainBackend: Pick<Upstream, 'protocol' | 'tls' | 'policies'> = {
  protocol: 'HTTP/1.1',
  tls: { kind: 'None' },
  policies: [],
};
