// Why a stream or a connection of HTTP/2 ends (RFC 9113 7).

export const ErrorCode = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  SettingsTimeout: 4,
  StreamClosed: 5,
  FrameSizeError: 6,
  RefusedStream: 7,
  Cancel: 8,
  CompressionError: 9,
  ConnectError: 10,
  EnhanceYourCalm: 11,
  InadequateSecurity: 12,
  Http11Required: 13,
} as const;

/** A peer may send others: they mean InternalError (RFC 9113 7). */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** As RFC 9113 names them, by number: labels of a metric. */
export const errorCodeNames: readonly string[] = Object.keys(ErrorCode).map((name) =>
  name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
);
