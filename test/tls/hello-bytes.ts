// ClientHellos written by hand: every field of one can be bent.

export interface HelloShape {
  readonly legacyVersion: number;
  readonly sessionId: Buffer;
  readonly suites: Buffer;
  readonly compression: Buffer;
  /** Undefined: none, as clients before TLS 1.2 may do. */
  readonly extensions: readonly Extension[] | undefined;
  /** After everything that a ClientHello has. */
  readonly rest: Buffer;
}

export type Extension = readonly [type: number, content: Buffer];

const plain: HelloShape = {
  legacyVersion: 0x0303,
  sessionId: Buffer.alloc(32, 7),
  suites: Buffer.from('130113021303c02bc02f', 'hex'),
  compression: Buffer.from([0]),
  extensions: [serverName('shop.example'), protocols('h2', 'http/1.1'), versions(0x1a1a, 0x0304, 0x0303)],
  rest: Buffer.alloc(0),
};

/** The handshake message. */
export function helloMessage(shape: Partial<HelloShape> = {}): Buffer {
  const { legacyVersion, sessionId, suites, compression, extensions, rest } = { ...plain, ...shape };
  const body = Buffer.concat([
    uint16(legacyVersion),
    Buffer.alloc(32, 9),
    vector8(sessionId),
    vector16(suites),
    vector8(compression),
    extensions === undefined
      ? Buffer.alloc(0)
      : vector16(Buffer.concat(extensions.flatMap(([type, content]) => [uint16(type), vector16(content)]))),
    rest,
  ]);
  return Buffer.concat([Buffer.from([1]), uint24(body.length), body]);
}

/** In records of at most `most` bytes. */
export function inRecords(message: Buffer, most = 16_384): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += most)
    records.push(Buffer.from([22, 3, 1]), vector16(message.subarray(at, at + most)));
  return Buffer.concat(records);
}

export function serverName(name: string): Extension {
  return [0, vector16(hostName(name))];
}

export function hostName(name: string): Buffer {
  return Buffer.concat([Buffer.from([0]), vector16(Buffer.from(name, 'latin1'))]);
}

export function protocols(...names: readonly string[]): Extension {
  return [16, vector16(Buffer.concat(names.map((name) => vector8(Buffer.from(name, 'latin1')))))];
}

export function versions(...all: readonly number[]): Extension {
  return [43, vector8(Buffer.concat(all.map(uint16)))];
}

export function vector8(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([content.length]), content]);
}

export function vector16(content: Buffer): Buffer {
  return Buffer.concat([uint16(content.length), content]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint24(value: number): Buffer {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntBE(value, 0, 3);
  return bytes;
}
