// Every way a request can fail: one table from code to status, side, and whether another endpoint may be tried.
//
// The codes are public: the x-flint-fault header, the access log, the metric label and docs/reference/errors.md use
// them, and a test holds the four together.

export type FaultSide = 'downstream' | 'upstream' | 'internal';

export interface Fault {
  readonly side: FaultSide;
  /** What the client is told; 0 when there is nobody left to tell. */
  readonly status: number;
  /** The same request may be sent to another endpoint, because no backend can have acted on it. */
  readonly retryable: boolean;
  /** Framing is in doubt, or the client does not keep to it: the connection ends with the answer. */
  readonly closes: boolean;
  readonly text: string;
}

function downstream(status: number, closes: boolean, text: string): Fault {
  return { side: 'downstream', status, retryable: false, closes, text };
}

function upstream(status: number, retryable: boolean, text: string): Fault {
  return { side: 'upstream', status, retryable, closes: false, text };
}

function internal(status: number, text: string): Fault {
  return { side: 'internal', status, retryable: false, closes: false, text };
}

export const faults = {
  'request-line-invalid': downstream(400, true, 'the request line is malformed'),
  'version-unsupported': downstream(505, true, 'only HTTP/1.0 and HTTP/1.1 are spoken here'),
  'field-invalid': downstream(400, true, 'a header field is malformed'),
  'host-invalid': downstream(400, true, 'Host is missing, repeated, malformed or at odds with the target'),
  'framing-ambiguous': downstream(400, true, 'Content-Length and Transfer-Encoding leave the body in doubt'),
  'transfer-coding-unsupported': downstream(501, true, 'chunked is the only transfer coding spoken here'),
  'chunk-invalid': downstream(400, true, 'the chunked body is malformed'),
  'path-rejected': downstream(400, true, 'backends would not agree on what this path means'),
  'head-too-large': downstream(431, true, 'the head exceeds the limit of bytes or fields'),
  'target-too-long': downstream(414, true, 'the request target is too long'),
  'method-refused': downstream(405, true, 'CONNECT and TRACE are not served'),
  'expectation-failed': downstream(417, true, '100-continue is the only expectation that can be met'),
  'head-timeout': downstream(408, true, 'the head did not arrive in time'),
  'body-timeout': downstream(408, true, 'the body stopped arriving'),
  'body-too-large': downstream(413, true, 'the body exceeds the limit of the route'),
  'client-denied': downstream(403, false, 'the route does not admit this client address'),
  'plaintext-rejected': downstream(403, false, 'the route is served over HTTPS alone'),
  misdirected: downstream(421, false, 'the connection was made for a name with another certificate'),
  'client-closed': downstream(0, true, 'the client went away before the response was complete'),
  'response-timeout': downstream(0, true, 'the client stopped reading, or the backend sending, mid-response'),
  'tunnel-timeout': downstream(0, true, 'nothing went through the tunnel for the idle timeout'),
  'proxy-header-invalid': downstream(
    400,
    true,
    'the PROXY protocol header of this peer is missing or malformed',
  ),
  'route-not-found': internal(404, 'no route takes this request'),
  'backend-unresolved': internal(503, 'the route refers to a Service, a port or a CA that does not exist'),
  'weights-zero': internal(500, 'all backends of the route have weight 0'),
  'endpoints-none': internal(503, 'the backend has no endpoints'),
  'backend-overloaded': internal(503, 'the backend has as many requests or connections as the route allows'),
  'route-overloaded': internal(503, 'the route has as many requests as it allows'),
  overloaded: internal(
    503,
    'memory is short: no more requests are taken, or what holds most of it is given up',
  ),
  'not-ready': internal(503, 'no routes have been loaded yet'),
  'connect-refused': upstream(503, true, 'no endpoint accepted the connection'),
  'connect-timeout': upstream(504, true, 'no endpoint accepted the connection in time'),
  'backend-refused': upstream(503, true, 'no endpoint took the request, and none has acted on it'),
  'backend-certificate-rejected': upstream(
    502,
    true,
    'no endpoint has a certificate that proves it to be the backend',
  ),
  'backend-handshake-failed': upstream(502, true, 'no endpoint completed the TLS handshake'),
  'backend-reset': upstream(502, false, 'the backend closed the connection before its response'),
  'backend-malformed': upstream(502, false, 'the backend did not speak HTTP correctly'),
  'backend-truncated': upstream(0, false, 'the backend broke off in the middle of its response'),
  'backend-timeout': upstream(504, false, 'the backend did not answer in time'),
  'request-timeout': upstream(
    504,
    false,
    'no backend answered in the time of the request, all attempts together',
  ),
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultCode = keyof typeof faults;

export function faultOf(code: FaultCode): Fault {
  return faults[code];
}
