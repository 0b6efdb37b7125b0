// One end of TLS as a machine without a socket: bytes of the wire go in and come out, and so do bytes of the application.
//
//   feed --> [incoming] --> SSL_read --> plaintext          SSL_write --> [outgoing] --> output
//
// All engines of a thread share one pair of rings, through which the bytes of one pass at a time: whoever feeds reads until
// nothing is left, and whoever has made output takes it, before another engine gets its turn. So an idle connection owns
// nothing of them.
import {
  BIO_CTRL_RESET,
  OPENSSL_NPN_NEGOTIATED,
  SSL_ERROR_WANT_READ,
  SSL_ERROR_ZERO_RETURN,
  SSL_TLSEXT_ERR_ALERT_FATAL,
  SSL_TLSEXT_ERR_OK,
  X509_V_OK,
  bytesAt,
  clearCells,
  encoded,
  firstCell,
  firstInCell,
  lastingBytes,
  lastingCallback,
  libcrypto,
  libssl,
  pointerTo,
  secondCell,
  secondInCell,
  textAt,
  versions,
} from './libssl.ts';
import type { Pointer } from './libssl.ts';

/** What is fed at a time at most. */
export const mostFed = 524_288;
/** Decrypted bytes are fewer, but for the beginning of a record that was fed before. */
const mostRead = mostFed + 32_768;
/** What is encrypted at a time. */
const mostEncrypted = 524_288;
/** With what the records add to it, and room for what the library says by itself. */
const outgoingBytes = mostEncrypted + 131_072;

/** Of feeding and reading: what there is beside a number of bytes. */
export const Step = { Wants: 0, Ended: -1, Failed: -2 } as const;

const { near, far } = openPair();
/** The memory of the outgoing ring itself: it begins at its start whenever it was empty. */
export const output: Buffer = outgoingRing();
export const plaintext: Buffer = lastingBytes(mostRead);
const plaintextPointer = pointerTo(plaintext, 0, mostRead);

/** `far` is the end of every SSL, `near` is ours. */
function openPair(): { readonly near: Pointer; readonly far: Pointer } {
  clearCells();
  if (libcrypto.BIO_new_bio_pair(firstCell, mostFed, secondCell, outgoingBytes) !== 1)
    throw new Error('OpenSSL has no memory');
  return { near: firstInCell(), far: secondInCell() as Pointer };
}

function outgoingRing(): Buffer {
  const one = lastingBytes(1);
  libcrypto.BIO_write(far, pointerTo(one, 0, 1), 1);
  if (libcrypto.BIO_nread(near, firstCell, 1) !== 1) throw new Error('the ring does not work');
  return bytesAt(firstInCell(), outgoingBytes);
}

/** As ALPN has it on the wire. */
export function protocolList(protocols: readonly string[]): Buffer {
  return Buffer.concat(
    protocols.map((protocol) => Buffer.concat([Buffer.of(protocol.length), Buffer.from(protocol)])),
  );
}

/** What is spoken by the server whose handshake is under way. */
let spoken: Buffer = Buffer.alloc(1);

/** The first of ours that the client has, too; without any, `no_application_protocol` (RFC 7301 3.2). */
export const protocolChoice: Pointer = lastingCallback(
  'aaaaua',
  'i',
  (_ssl, out, outLength, theirs, length) =>
    libssl.SSL_select_next_proto(out, outLength, spoken, spoken.length, theirs, length) ===
    OPENSSL_NPN_NEGOTIATED
      ? SSL_TLSEXT_ERR_OK
      : SSL_TLSEXT_ERR_ALERT_FATAL,
);

/** Of this thread: what it leaves when it dies would stay with the process. */
const open = new Set<TlsEngine>();
process.on('exit', () => {
  for (const engine of open) engine.free();
});

export function countOpenEngines(): number {
  return open.size;
}

export class TlsEngine {
  #ssl: Pointer | undefined;
  readonly #isServer: boolean;
  readonly #protocols: Buffer;

  /** `protocols`: what a server speaks. Throws when there is no memory. */
  constructor(context: Pointer, isServer: boolean, protocols: Buffer) {
    const ssl = libssl.SSL_new(context);
    if (ssl === null) throw new Error('OpenSSL has no memory');
    this.#ssl = ssl;
    this.#isServer = isServer;
    this.#protocols = protocols;
    libcrypto.BIO_up_ref(far);
    libssl.SSL_set_bio(ssl, far, far);
    if (isServer) libssl.SSL_set_accept_state(ssl);
    else libssl.SSL_set_connect_state(ssl);
    open.add(this);
  }

  /** Not after `free`. */
  get pointer(): Pointer {
    if (this.#ssl === undefined) throw new Error('the engine was freed');
    return this.#ssl;
  }

  /** `bytes` are `mostFed` at most; they are to be read until there are none. */
  feed(bytes: Buffer): void {
    const length = bytes.length;
    if (length > 0 && libcrypto.BIO_write(near, pointerTo(bytes, 0, length), length) !== length)
      throw new Error('the bytes of another connection were not read');
  }

  /** 1: the handshake is over; or a Step. */
  handshake(): number {
    spoken = this.#protocols;
    libcrypto.ERR_clear_error();
    const result = libssl.SSL_do_handshake(this.pointer);
    return result === 1 ? 1 : this.#stepOf(result);
  }

  /** Decrypts everything that was fed: how many bytes of `plaintext` there are, and the Step at which it stopped. */
  readAll(): { readonly size: number; readonly step: number } {
    let size = 0;
    let step: number = Step.Wants;
    while (libcrypto.BIO_ctrl_pending(far) > 0) {
      libcrypto.ERR_clear_error();
      const result = libssl.SSL_read(this.pointer, (plaintextPointer + size) as Pointer, mostRead - size);
      if (result <= 0) {
        step = this.#stepOf(result);
        break;
      }
      size += result;
    }
    return { size, step };
  }

  /** The rest of what was fed is nobody's. */
  #stepOf(result: number): number {
    const error = libssl.SSL_get_error(this.pointer, result);
    if (error === SSL_ERROR_WANT_READ) return Step.Wants;
    libcrypto.BIO_ctrl(near, BIO_CTRL_RESET, 0, null);
    return error === SSL_ERROR_ZERO_RETURN ? Step.Ended : Step.Failed;
  }

  /** How much of `bytes[start, end)` was encrypted; 0: the connection is broken. */
  encrypt(bytes: Buffer, start: number, end: number): number {
    const size = Math.min(end - start, mostEncrypted);
    libcrypto.ERR_clear_error();
    const result = libssl.SSL_write(this.pointer, pointerTo(bytes, start, start + size), size);
    return result > 0 ? result : 0;
  }

  /** Says that nothing more will come. */
  shutdown(): void {
    libcrypto.ERR_clear_error();
    libssl.SSL_shutdown(this.pointer);
  }

  /** What was chosen by ALPN; empty for nothing. */
  get protocol(): string {
    clearCells();
    libssl.SSL_get0_alpn_selected(this.pointer, firstCell, secondCell);
    const length = secondInCell();
    return length === 0 ? '' : textAt(firstInCell(), length);
  }

  /** Of a server that has just shaken hands: what it has to say by itself is of use for later connections only (TLS 1.3). */
  get isLastFlightForLater(): boolean {
    return this.#isServer && libssl.SSL_version(this.pointer) === versions['1.3'];
  }

  get isVerified(): boolean {
    return libssl.SSL_get_verify_result(this.pointer) === X509_V_OK;
  }

  get isResumed(): boolean {
    return libssl.SSL_session_reused(this.pointer) === 1;
  }

  /** DER, as the handshake has read it. */
  get peerCertificate(): Buffer | undefined {
    const certificate = libssl.SSL_get1_peer_certificate(this.pointer);
    if (certificate === null) return undefined;
    try {
      return encoded((out) => libcrypto.i2d_X509(certificate, out));
    } finally {
      libcrypto.X509_free(certificate);
    }
  }

  free(): void {
    if (this.#ssl === undefined) return;
    libssl.SSL_free(this.#ssl);
    this.#ssl = undefined;
    open.delete(this);
  }
}

/** How much of `output` there is to send, whoever has made it; it is to be sent before anybody makes more. */
export function takeOutput(): number {
  return Math.max(0, libcrypto.BIO_nread(near, firstCell, outgoingBytes));
}
