// What is counted of client connections, in words. Apart from what serves them: a thread that only counts loads nothing else.

export const defaultConcurrentStreams = 128;

/** How a connection that was to be one with TLS has begun, or ended. */
export const handshakeOutcomes = [
  'completed',
  'passed-through',
  'unknown-name',
  'no-certificate',
  'version-too-low',
  'client-refused',
  'malformed',
  'not-tls',
  'timeout',
  'failed',
] as const;
export type HandshakeOutcome = (typeof handshakeOutcomes)[number];

/** Why a client connection was ended as soon as it had come. */
export const refusals = [
  /** As many as there may be, and nobody is idle. */
  'no-room',
  /** Its client has more than any other, and none of them is idle. */
  'largest-client',
  /** Its client has as many as one may have. */
  'client-limit',
  'memory',
] as const;
export type Refusal = (typeof refusals)[number];

export const http2Scopes = ['stream', 'connection'] as const;
export type Http2Scope = (typeof http2Scopes)[number];
