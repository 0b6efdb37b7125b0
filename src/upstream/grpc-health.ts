// grpc.health.v1.Health/Check as bytes: two messages with one field each, which take no compiler of protobuf.
//
//   message HealthCheckRequest { string service = 1; }
//   message HealthCheckResponse { ServingStatus status = 1; }
//
// A message is prefixed by a byte that says whether it is compressed, and by its length in four (gRPC over HTTP2).

export const grpcHealthPath = '/grpc.health.v1.Health/Check';

const prefixBytes = 5;
/** Number and wire type of the one field: a string, a number. */
const serviceTag = 0x0a;
const statusTag = 0x08;
const WireType = { Varint: 0, Fixed64: 1, Length: 2, Fixed32: 5 } as const;
/** A number of 64 bits, 7 in a byte. */
const longestVarint = 10;

/** `service`: empty for the server as a whole. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // proto3 leaves out what is empty.
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([serviceTag, ...varintOf(name.length)]), name]);
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The number of the ServingStatus, undefined for bytes that are no such message. */
export function readServingStatus(body: Buffer): number | undefined {
  if (body.length < prefixBytes || body[0] !== 0) return undefined;
  if (body.readUInt32BE(1) !== body.length - prefixBytes) return undefined;
  const reader = new MessageReader(body, prefixBytes);
  // The last one counts, and a field that nobody knows means nothing.
  let status = 0;
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    if (tag === statusTag) status = reader.varint();
    else reader.skip(tag & 7);
  }
  return reader.isBroken ? undefined : status;
}

/** `SERVING`, and whatever else there may be. */
export function servingStatusText(status: number): string {
  return ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][status] ?? `status ${status}`;
}

export const serving = 1;

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return [...bytes, left];
    bytes.push((left & 0x7f) | 0x80);
  }
}

/** Stands at the end, and is broken, as soon as anything does not fit. */
class MessageReader {
  isBroken = false;
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  get isAtEnd(): boolean {
    return this.isBroken || this.#at === this.#bytes.length;
  }

  /** Of numbers above 32 bits what is below counts: none here has them. */
  varint(): number {
    let value = 0;
    for (let index = 0; index < longestVarint; index++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      if (index < 5) value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return value >>> 0;
    }
    this.isBroken = true;
    return 0;
  }

  skip(wireType: number): void {
    if (wireType === WireType.Varint) this.varint();
    else if (wireType === WireType.Fixed64) this.#at += 8;
    else if (wireType === WireType.Fixed32) this.#at += 4;
    else if (wireType === WireType.Length) {
      const length = this.varint();
      this.#at += length;
    } else this.isBroken = true;
    if (this.#at > this.#bytes.length) this.isBroken = true;
  }
}
