// What a ClientHello asks for, read before any TLS library has seen it: the name decides which certificate and which
// policy the connection is for, and whether it is for us at all.
//
//   bytes of the connection --> records (RFC 8446 5.1) --> one handshake message (4) --> its extensions (4.2)
//
// Only what is needed for that is judged. Nothing is consumed: whoever terminates the connection reads the same bytes.
import { Alert } from './alert.ts';

export interface ClientHello {
  /** In lower case (RFC 6066 3); undefined where the client names none. */
  readonly serverName: string | undefined;
  /** In the client's order (RFC 7301); empty where it says nothing. */
  readonly protocols: readonly string[];
  /** The highest that it offers, as on the wire: 0x0303 is TLS 1.2, 0x0304 TLS 1.3. */
  readonly version: number;
}

export type ClientHelloRead =
  | { readonly kind: 'Incomplete' }
  /** Its first bytes are not those of TLS. */
  | { readonly kind: 'NotTls' }
  | { readonly kind: 'Refused'; readonly alert: Alert; readonly cause: string }
  | { readonly kind: 'Hello'; readonly hello: ClientHello };

const handshakeRecord = 22;
const recordHeaderBytes = 5;
const mostRecordBytes = 16_384;
const clientHello = 1;
const messageHeaderBytes = 4;
/** Post-quantum key shares and ECH take some 4 KB. */
export const mostHelloBytes = 16_384;
/** Two are seen in the wild; each costs a look at every read. */
const mostRecords = 32;
const mostSessionIdBytes = 32;
const mostProtocols = 64;

const Extension = { ServerName: 0, Protocols: 16, SupportedVersions: 43 } as const;
const hostName = 0;
const tls12 = 0x0303;
const tls13 = 0x0304;
/** Labels of letters, digits, hyphens and, as many have them, underscores. No address is written with them alone but IPv4. */
const nameGrammar = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/;

const incomplete: ClientHelloRead = { kind: 'Incomplete' };
const notTls: ClientHelloRead = { kind: 'NotTls' };

/** `bytes` start at the first byte of the connection, or after what a proxy said in front of it. Never throws. */
export function parseClientHello(bytes: Buffer): ClientHelloRead {
  const message = gatherMessage(bytes);
  if (!Buffer.isBuffer(message)) return message;
  try {
    return { kind: 'Hello', hello: readMessage(new Cursor(message)) };
  } catch (error) {
    if (error instanceof MalformedHello) return refused(error.alert, error.message);
    throw error;
  }
}

/** The handshake message without its header, from as many records as it takes. */
function gatherMessage(bytes: Buffer): Buffer | ClientHelloRead {
  const parts: Buffer[] = [];
  let gathered = 0;
  let wanted = Infinity;
  let at = 0;
  for (let records = 0; gathered < wanted; records++) {
    if (records === mostRecords) return refused(Alert.DecodeError, 'the ClientHello is in too many pieces');
    if (at < bytes.length && bytes[at] !== handshakeRecord)
      return records === 0 ? notTls : refused(Alert.UnexpectedMessage, 'a record is not of the handshake');
    if (at + 1 < bytes.length && bytes[at + 1] !== 3)
      return records === 0 ? notTls : refused(Alert.DecodeError, 'a record has another version');
    if (at + recordHeaderBytes > bytes.length) return incomplete;
    const length = bytes.readUInt16BE(at + 3);
    if (length > mostRecordBytes) return refused(Alert.RecordOverflow, 'a record is too long');
    if (length === 0) return refused(Alert.UnexpectedMessage, 'a record of the handshake is empty');
    at += recordHeaderBytes;
    parts.push(bytes.subarray(at, at + length));
    gathered += length;
    if (wanted === Infinity) {
      const start = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (start.length > 0 && start[0] !== clientHello)
        return refused(Alert.UnexpectedMessage, 'the handshake does not begin with a ClientHello');
      if (start.length >= messageHeaderBytes) wanted = messageHeaderBytes + start.readUIntBE(1, 3);
      if (wanted !== Infinity && wanted > mostHelloBytes)
        return refused(Alert.DecodeError, 'the ClientHello is too long');
    }
    if (at + length > bytes.length) return incomplete;
    at += length;
  }
  const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  return whole.subarray(messageHeaderBytes, wanted);
}

/** RFC 8446 4.1.2. */
function readMessage(message: Cursor): ClientHello {
  const legacyVersion = message.uint16();
  message.skip(32);
  if (message.vector8().length > mostSessionIdBytes) throw new MalformedHello('its session id is too long');
  const suites = message.vector16();
  if (suites.length < 2 || suites.length % 2 !== 0)
    throw new MalformedHello('its cipher suites are malformed');
  if (message.vector8().length < 1) throw new MalformedHello('it names no compression method');
  const hello = {
    serverName: undefined as string | undefined,
    protocols: [] as readonly string[],
    // Without the extension the field says it; what is in it beyond TLS 1.2 means nothing (RFC 8446 4.1.2).
    version: Math.min(legacyVersion, tls12),
  };
  if (message.isAtEnd) return hello;
  const extensions = new Cursor(message.vector16());
  if (!message.isAtEnd) throw new MalformedHello('bytes follow its extensions');
  const seen = new Set<number>();
  while (!extensions.isAtEnd) {
    const type = extensions.uint16();
    const content = new Cursor(extensions.vector16());
    // Two that differ would be read one way here and another way by whoever terminates the connection.
    if (seen.has(type)) throw new MalformedHello(`extension ${type} is repeated`, Alert.IllegalParameter);
    seen.add(type);
    if (type === Extension.ServerName) hello.serverName = readServerName(content);
    else if (type === Extension.Protocols) hello.protocols = readProtocols(content);
    else if (type === Extension.SupportedVersions) hello.version = readVersion(content);
  }
  return hello;
}

/** RFC 6066 3: of each type of name there is at most one, and no type but the host name was ever defined. */
function readServerName(content: Cursor): string {
  const list = new Cursor(content.vector16());
  if (!content.isAtEnd) throw new MalformedHello('bytes follow its server name');
  const type = list.uint8();
  const name = list.vector16().toString('latin1').toLowerCase();
  if (type !== hostName || !list.isAtEnd) throw new MalformedHello('it has not one server name');
  if (!nameGrammar.test(name))
    throw new MalformedHello('its server name is no host name', Alert.IllegalParameter);
  // The name of the root is not said (RFC 6066 3), and some say it.
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** RFC 7301 3.1. */
function readProtocols(content: Cursor): readonly string[] {
  const list = new Cursor(content.vector16());
  if (!content.isAtEnd) throw new MalformedHello('bytes follow its protocols');
  const protocols: string[] = [];
  while (!list.isAtEnd) {
    const protocol = list.vector8().toString('latin1');
    if (protocol === '') throw new MalformedHello('a protocol has no name');
    if (protocols.length === mostProtocols) throw new MalformedHello('it names too many protocols');
    protocols.push(protocol);
  }
  if (protocols.length === 0) throw new MalformedHello('its list of protocols is empty');
  return protocols;
}

/** RFC 8446 4.2.1. Versions that mean nothing to anybody (RFC 8701) are offered, too. */
function readVersion(content: Cursor): number {
  const list = new Cursor(content.vector8());
  if (!content.isAtEnd) throw new MalformedHello('bytes follow its versions');
  let highest = 0;
  while (!list.isAtEnd) {
    const version = list.uint16();
    if (version <= tls13 && version > highest) highest = version;
  }
  if (highest === 0) throw new MalformedHello('it offers no version', Alert.ProtocolVersion);
  return highest;
}

function refused(alert: Alert, cause: string): ClientHelloRead {
  return { kind: 'Refused', alert, cause };
}

class MalformedHello extends Error {
  override readonly name = 'MalformedHello';
  readonly alert: Alert;

  constructor(cause: string, alert: Alert = Alert.DecodeError) {
    super(cause);
    this.alert = alert;
  }
}

/** Reads big-endian numbers and vectors with their length in front; throws MalformedHello where there is too little. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint8(): number {
    return this.skip(1).readUInt8(0);
  }

  uint16(): number {
    return this.skip(2).readUInt16BE(0);
  }

  vector8(): Buffer {
    return this.skip(this.uint8());
  }

  vector16(): Buffer {
    return this.skip(this.uint16());
  }

  /** Returns what is skipped. */
  skip(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new MalformedHello('it ends too early');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
