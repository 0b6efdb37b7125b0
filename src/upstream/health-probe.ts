// How the endpoints of an upstream are checked: by what serves traffic, the same sockets, terms of TLS and parsers.
import { endpointText } from '#model/route-model.ts';
import type { BackendProtocol, Upstream } from '#model/route-model.ts';
import type { HealthProbe } from '#model/upstream-policies.ts';
import type { SecureTransport } from '#transport/secure-transport.ts';
import { Endpoint, loneHome } from './endpoint.ts';
import { encodeHealthRequest, grpcHealthPath } from './grpc-health.ts';
import { GrpcJudge, HttpJudge } from './probe-judges.ts';
import { failed } from './prober.ts';
import type { Prober } from './prober.ts';
import { RequestProbe } from './request-probe.ts';
import type { Question } from './request-probe.ts';
import { connectorFor } from './secure-connector.ts';
import type { Connector } from './secure-connector.ts';
import { TcpProbe } from './tcp-probe.ts';
import type { UpstreamContext } from './upstream-connection.ts';

export interface ProbeTerms extends Pick<Upstream, 'protocol' | 'tls'> {
  readonly probe: HealthProbe;
  readonly timeoutMs: number;
}

const userAgent = 'flint-health-check';
const noBytes = Buffer.alloc(0);

/** `secure`: absent while no upstream that is checked has TLS. */
export function createProber(
  context: UpstreamContext,
  { protocol, tls, probe, timeoutMs }: ProbeTerms,
  secure: SecureTransport | undefined,
): Prober {
  // gRPC is spoken over HTTP/2, whatever requests are.
  const spoken: BackendProtocol = probe.kind === 'Grpc' ? 'HTTP/2' : protocol;
  let connector: Connector | undefined;
  try {
    connector = connectorFor({ protocol: spoken, tls }, secure);
  } catch {
    return untrustable;
  }
  if (probe.kind === 'Tcp')
    return {
      probe: (endpoint, onOutcome) => new TcpProbe(context, connector, endpoint, timeoutMs, onOutcome),
    };
  const asked = probe.kind === 'Http' ? askHttp(probe) : askGrpc(probe, tls, timeoutMs);
  return {
    probe: (endpoint, onOutcome) =>
      new RequestProbe(
        context,
        new Endpoint(loneHome(), { ...endpoint, state: 'Ready' }, spoken, connector, -Infinity),
        asked,
        timeoutMs,
        onOutcome,
      ),
  };
}

/** No worker has an endpoint of such an upstream either. */
const untrustable: Prober = {
  probe: (_, onOutcome) => {
    const telling = setImmediate(() =>
      onOutcome(failed('the certificate authorities that it is to be verified by cannot be read')),
    );
    return { cancel: () => clearImmediate(telling) };
  },
};

function askHttp({ path, hostname, statuses }: Extract<HealthProbe, { kind: 'Http' }>): Question {
  const head = headOf('GET', path, hostname, ['Accept: */*', 'Connection: close']);
  return { method: 'GET', head: () => head, body: noBytes, judge: () => new HttpJudge(statuses) };
}

function askGrpc(
  { service }: Extract<HealthProbe, { kind: 'Grpc' }>,
  tls: ProbeTerms['tls'],
  timeoutMs: number,
): Question {
  const lines = ['Content-Type: application/grpc', 'TE: trailers', `grpc-timeout: ${timeoutMs}m`];
  return {
    method: 'POST',
    head: (endpoint) =>
      headOf(
        'POST',
        grpcHealthPath,
        tls.kind === 'Verified' ? tls.serverName : endpointText(endpoint),
        lines,
      ),
    body: encodeHealthRequest(service),
    judge: () => new GrpcJudge(),
  };
}

function headOf(method: string, path: string, host: string, lines: readonly string[]): Buffer {
  const all = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, `User-Agent: ${userAgent}`, ...lines];
  return Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1');
}
