// appProtocol of a Service port -> how its endpoints are spoken to, where a reference does not say it.
import type { Service, ServicePort } from '#api/service.ts';
import { plainBackend } from '#model/plain-terms.ts';
import type { Upstream } from '#model/route-model.ts';

export type BackendTerms = Pick<Upstream, 'protocol' | 'tls' | 'policies'>;

type Kind = 'Plain' | 'Secure' | 'PlainHttp2';

/**
 * In lower case. Names without a prefix are IANA's, but for `ws`, `wss`, `h2c` and `grpc`, which are in wide use. `http2`
 * is not here: some take it for TLS and some for none.
 */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ['https', 'Secure'],
  ['kubernetes.io/wss', 'Secure'],
  ['wss', 'Secure'],
  ['kubernetes.io/h2c', 'PlainHttp2'],
  ['h2c', 'PlainHttp2'],
  ['grpc', 'PlainHttp2'],
  ['kubernetes.io/grpc', 'PlainHttp2'],
]);

/** Whatever is not known is HTTP/1.1 in the clear, as is a port that says nothing. */
export function termsOf(service: Service, { appProtocol }: ServicePort): BackendTerms {
  switch (kinds.get(appProtocol.toLowerCase()) ?? 'Plain') {
    case 'Plain':
      return plainBackend;
    case 'PlainHttp2':
      return { ...plainBackend, protocol: 'HTTP/2' };
    case 'Secure':
      return {
        ...plainBackend,
        tls: { kind: 'Verified', serverName: nameOf(service), authorities: { kind: 'System' } },
      };
  }
}

/**
 * Without a word of the route about whom to trust: the name by which everybody in a cluster knows the Service. The dot that
 * keeps a resolver from searching is not part of it (RFC 6066 3).
 */
function nameOf({ type, externalName, name, namespace }: Service): string {
  return type === 'ExternalName'
    ? externalName.toLowerCase().replace(/(?<=.)\.$/, '')
    : `${name}.${namespace}.svc`;
}
