// The words of the framing layer (RFC 9113 4.1, 6).

export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const Flag = {
  EndStream: 0x1,
  Ack: 0x1,
  EndHeaders: 0x4,
  Padded: 0x8,
  Priority: 0x20,
} as const;

export const frameHeadBytes = 9;
/** What every endpoint takes, and what we ask for and send at most (RFC 9113 4.2). */
export const usualFrameBytes = 16_384;
export const largestWindow = 0x7fff_ffff;
/** Of every connection and stream before anybody has said otherwise (RFC 9113 6.9.2). */
export const firstWindow = 65_535;

/** What a client sends first (RFC 9113 3.4). */
export const connectionPreface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
