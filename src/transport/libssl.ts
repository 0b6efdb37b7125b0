// OpenSSL 3 of the system, called from Bun: the one file with its signatures, its constants and the layout of what it fills.
//
// As in libc.ts: whatever C writes to, or keeps a pointer to, stands on an ArrayBuffer of its own and lives as long as the
// thread. Symbols of Bun's own BoringSSL cannot get in between: it exports none.

import { lasting } from './libc.ts';

/** An address of C. Never 0: what is not there is null. */
export type Pointer = number & { readonly pointer: unique symbol };

type Bytes = NodeJS.ArrayBufferView;
type Code = number;

interface Symbols {
  readonly [name: string]: { readonly args: readonly string[]; readonly returns: string };
}

/** What is used of bun:ffi. */
interface Ffi {
  dlopen(library: string, symbols: Symbols): { readonly symbols: unknown };
  ptr(view: Bytes, byteOffset?: number): Pointer;
  readonly read: { u8(pointer: Pointer, offset: number): number };
  toArrayBuffer(pointer: Pointer, offset: number, length: number): ArrayBuffer;
  readonly JSCallback: new (
    callback: (...values: number[]) => number,
    signature: { readonly args: readonly string[]; readonly returns: string },
  ) => { readonly ptr: Pointer };
}

interface LibSsl {
  OPENSSL_init_ssl(options: number, settings: null): Code;
  TLS_method(): Pointer;
  SSL_CTX_new(method: Pointer): Pointer | null;
  SSL_CTX_free(context: Pointer): void;
  SSL_CTX_ctrl(context: Pointer, command: number, number: number, parameter: Bytes | Pointer | null): Code;
  SSL_CTX_set_options(context: Pointer, options: number): bigint | number;
  SSL_CTX_set_security_level(context: Pointer, level: number): void;
  SSL_CTX_set_cipher_list(context: Pointer, names: Bytes): Code;
  SSL_CTX_set_ciphersuites(context: Pointer, names: Bytes): Code;
  SSL_CTX_set_num_tickets(context: Pointer, count: number): Code;
  SSL_CTX_set_session_id_context(context: Pointer, scope: Bytes, length: number): Code;
  SSL_CTX_use_certificate(context: Pointer, certificate: Pointer): Code;
  SSL_CTX_use_PrivateKey(context: Pointer, key: Pointer): Code;
  SSL_CTX_set_verify(context: Pointer, mode: number, callback: Pointer | null): void;
  SSL_CTX_get_cert_store(context: Pointer): Pointer;
  SSL_CTX_add_client_CA(context: Pointer, certificate: Pointer): Code;
  SSL_CTX_set_alpn_select_cb(context: Pointer, callback: Pointer, argument: null): void;
  SSL_select_next_proto(
    out: number,
    outLength: number,
    ours: Bytes,
    ourLength: number,
    theirs: number,
    theirLength: number,
  ): Code;
  SSL_new(context: Pointer): Pointer | null;
  SSL_free(ssl: Pointer): void;
  SSL_set_bio(ssl: Pointer, reading: Pointer, writing: Pointer): void;
  SSL_set_accept_state(ssl: Pointer): void;
  SSL_set_connect_state(ssl: Pointer): void;
  SSL_do_handshake(ssl: Pointer): Code;
  SSL_read(ssl: Pointer, bytes: Pointer, length: number): Code;
  SSL_write(ssl: Pointer, bytes: Pointer, length: number): Code;
  SSL_shutdown(ssl: Pointer): Code;
  SSL_get_error(ssl: Pointer, result: Code): Code;
  SSL_get_verify_result(ssl: Pointer): Code;
  SSL_get1_peer_certificate(ssl: Pointer): Pointer | null;
  SSL_get0_alpn_selected(ssl: Pointer, out: Pointer, outLength: Pointer): void;
  SSL_version(ssl: Pointer): Code;
  SSL_session_reused(ssl: Pointer): Code;
  SSL_ctrl(ssl: Pointer, command: number, number: number, parameter: Bytes): Code;
  SSL_set1_host(ssl: Pointer, name: Bytes): Code;
  SSL_set_hostflags(ssl: Pointer, flags: number): void;
  SSL_set_alpn_protos(ssl: Pointer, protocols: Bytes, length: number): Code;
  SSL_get1_session(ssl: Pointer): Pointer | null;
  SSL_set_session(ssl: Pointer, session: Pointer): Code;
  SSL_SESSION_is_resumable(session: Pointer): Code;
  SSL_SESSION_free(session: Pointer): void;
  i2d_SSL_SESSION(session: Pointer, out: Pointer | null): Code;
  d2i_SSL_SESSION(into: null, out: Pointer, length: number): Pointer | null;
}

interface LibCrypto {
  ERR_clear_error(): void;
  BIO_new_bio_pair(near: Pointer, nearBytes: number, far: Pointer, farBytes: number): Code;
  BIO_up_ref(bio: Pointer): Code;
  BIO_write(bio: Pointer, bytes: Pointer, length: number): Code;
  BIO_nread(bio: Pointer, out: Pointer, most: number): Code;
  BIO_ctrl_pending(bio: Pointer): number;
  BIO_ctrl(bio: Pointer, command: number, number: number, parameter: null): Code;
  BIO_new_mem_buf(bytes: Bytes, length: number): Pointer | null;
  BIO_free(bio: Pointer): Code;
  PEM_read_bio_X509(bio: Pointer, into: null, callback: null, password: Bytes): Pointer | null;
  PEM_read_bio_PrivateKey(bio: Pointer, into: null, callback: null, password: Bytes): Pointer | null;
  X509_free(certificate: Pointer): void;
  i2d_X509(certificate: Pointer, out: Pointer | null): Code;
  X509_STORE_add_cert(store: Pointer, certificate: Pointer): Code;
  EVP_PKEY_free(key: Pointer): void;
}

/** `a`: an address, `i`: an int, `u`: an unsigned int, `l`: a long or a size, `v`: nothing. The result comes first. */
const signature: Readonly<Record<string, string>> = {
  a: 'ptr',
  i: 'i32',
  u: 'u32',
  l: 'i64_fast',
  v: 'void',
};

function symbolsOf(names: Readonly<Record<string, string>>): Symbols {
  return Object.fromEntries(
    Object.entries(names).map(([name, [returns, ...args]]) => [
      name,
      { returns: signature[returns!]!, args: args.map((kind) => signature[kind]!) },
    ]),
  );
}

const sslNames = {
  OPENSSL_init_ssl: 'ila',
  TLS_method: 'a',
  SSL_CTX_new: 'aa',
  SSL_CTX_free: 'va',
  SSL_CTX_ctrl: 'laila',
  SSL_CTX_set_options: 'lal',
  SSL_CTX_set_security_level: 'vai',
  SSL_CTX_set_cipher_list: 'iaa',
  SSL_CTX_set_ciphersuites: 'iaa',
  SSL_CTX_set_num_tickets: 'ial',
  SSL_CTX_set_session_id_context: 'iaau',
  SSL_CTX_use_certificate: 'iaa',
  SSL_CTX_use_PrivateKey: 'iaa',
  SSL_CTX_set_verify: 'vaia',
  SSL_CTX_get_cert_store: 'aa',
  SSL_CTX_add_client_CA: 'iaa',
  SSL_CTX_set_alpn_select_cb: 'vaaa',
  SSL_select_next_proto: 'iaaauau',
  SSL_new: 'aa',
  SSL_free: 'va',
  SSL_set_bio: 'vaaa',
  SSL_set_accept_state: 'va',
  SSL_set_connect_state: 'va',
  SSL_do_handshake: 'ia',
  SSL_read: 'iaai',
  SSL_write: 'iaai',
  SSL_shutdown: 'ia',
  SSL_get_error: 'iai',
  SSL_get_verify_result: 'la',
  SSL_get1_peer_certificate: 'aa',
  SSL_get0_alpn_selected: 'vaaa',
  SSL_version: 'ia',
  SSL_session_reused: 'ia',
  SSL_ctrl: 'laila',
  SSL_set1_host: 'iaa',
  SSL_set_hostflags: 'vau',
  SSL_set_alpn_protos: 'iaau',
  SSL_get1_session: 'aa',
  SSL_set_session: 'iaa',
  SSL_SESSION_is_resumable: 'ia',
  SSL_SESSION_free: 'va',
  i2d_SSL_SESSION: 'iaa',
  d2i_SSL_SESSION: 'aaal',
} as const satisfies Record<keyof LibSsl, string>;

const cryptoNames = {
  ERR_clear_error: 'v',
  BIO_new_bio_pair: 'ialal',
  BIO_up_ref: 'ia',
  BIO_write: 'iaai',
  BIO_nread: 'iaai',
  BIO_ctrl_pending: 'la',
  BIO_ctrl: 'laila',
  BIO_new_mem_buf: 'aai',
  BIO_free: 'ia',
  PEM_read_bio_X509: 'aaaaa',
  PEM_read_bio_PrivateKey: 'aaaaa',
  X509_free: 'va',
  i2d_X509: 'iaa',
  X509_STORE_add_cert: 'iaa',
  EVP_PKEY_free: 'va',
} as const satisfies Record<keyof LibCrypto, string>;

const ffiModule: string = 'bun:ffi';
const ffi = (await import(ffiModule)) as Ffi;
export const libssl = ffi.dlopen('libssl.so.3', symbolsOf(sslNames)).symbols as LibSsl;
export const libcrypto = ffi.dlopen('libcrypto.so.3', symbolsOf(cryptoNames)).symbols as LibCrypto;

// Constants of <openssl/ssl.h>, <openssl/bio.h> and <openssl/x509v3.h>, the same in every OpenSSL 3.
export const Ctrl = {
  Mode: 33,
  SessionCacheMode: 44,
  HostName: 55,
  TicketKeys: 59,
  ChainCertificate: 89,
  Groups: 92,
  MinVersion: 123,
} as const;
export const versions = { '1.2': 0x0303, '1.3': 0x0304 } as const;
export const SSL_MODE_RELEASE_BUFFERS = 0x10;
export const SSL_OP_NO_COMPRESSION = 1 << 17;
export const SSL_OP_CIPHER_SERVER_PREFERENCE = 1 << 22;
export const SSL_OP_NO_RENEGOTIATION = 1 << 30;
export const SSL_SESS_CACHE_OFF = 0;
export const SSL_VERIFY_PEER = 1;
export const SSL_ERROR_WANT_READ = 2;
export const SSL_ERROR_ZERO_RETURN = 6;
export const SSL_TLSEXT_ERR_OK = 0;
export const SSL_TLSEXT_ERR_ALERT_FATAL = 2;
export const OPENSSL_NPN_NEGOTIATED = 1;
export const BIO_CTRL_RESET = 1;
export const X509_V_OK = 0;
export const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4;
export const X509_CHECK_FLAG_NEVER_CHECK_SUBJECT = 0x20;
const OPENSSL_INIT_NO_LOAD_CONFIG = 0x80;
const OPENSSL_INIT_NO_ATEXIT = 0x80000;

// What is served must not depend on a file of the machine; and a process that exits must not take the library apart under
// threads that still use it.
if (libssl.OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, null) !== 1)
  throw new Error('OpenSSL does not start');

// Memory

/** Bytes that stay where they are. */
export function lastingBytes(size: number): Buffer {
  return Buffer.from(lasting(size), 0, size);
}

/** Within the call only, unless the bytes are lasting ones. Throws for a range that is not one of `bytes`. */
export function pointerTo(bytes: Buffer, start: number, end: number): Pointer {
  if (start < 0 || end > bytes.length || start >= end)
    throw new RangeError(`${start} to ${end} of ${bytes.length}`);
  return ffi.ptr(bytes, start);
}

/** With the 0 that ends a string of C. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8');
}

/** Memory of C as bytes, not owned by anybody here. */
export function bytesAt(pointer: Pointer, length: number): Buffer {
  return Buffer.from(ffi.toArrayBuffer(pointer, 0, length));
}

/** Of a few characters: a view of the memory costs ten times as much. */
export function textAt(pointer: Pointer, length: number): string {
  let text = '';
  for (let index = 0; index < length; index++) text += String.fromCharCode(ffi.read.u8(pointer, index));
  return text;
}

const cells = new Uint32Array(lasting(16));
/** Two places for C to leave an address or a number in, in 64 bits, of which numbers fill the lower half at most. */
export const firstCell = ffi.ptr(cells, 0);
export const secondCell = ffi.ptr(cells, 8);

/** What is in the first cell; 0 for no address. */
export function firstInCell(): Pointer {
  return (cells[0]! + cells[1]! * 2 ** 32) as Pointer;
}

export function secondInCell(): number {
  return cells[2]! + cells[3]! * 2 ** 32;
}

export function clearCells(): void {
  cells.fill(0, 0, 4);
}

function putInFirstCell(pointer: Pointer): void {
  cells[0] = pointer % 2 ** 32;
  cells[1] = Math.floor(pointer / 2 ** 32);
}

/** What C writes by a pointer that it moves on: `encode` is called for the length, and for the bytes. */
export function encoded(encode: (out: Pointer | null) => number): Buffer {
  const length = encode(null);
  if (length <= 0) throw new Error('OpenSSL does not encode it');
  const bytes = lastingBytes(length);
  putInFirstCell(ffi.ptr(bytes));
  if (encode(firstCell) !== length) throw new Error('OpenSSL has encoded something else');
  return bytes;
}

/** As `encoded`, the other way. */
export function decoded(
  bytes: Buffer,
  decode: (out: Pointer, length: number) => Pointer | null,
): Pointer | null {
  putInFirstCell(pointerTo(bytes, 0, bytes.length));
  return decode(firstCell, bytes.length);
}

/** For as long as the thread lives. It must not throw: there is C above it. */
export function lastingCallback(
  args: string,
  returns: string,
  callback: (...values: number[]) => number,
): Pointer {
  const made = new ffi.JSCallback(callback, {
    args: args.split('').map((kind) => signature[kind]!),
    returns: signature[returns]!,
  });
  callbacks.push(made);
  return made.ptr;
}

const callbacks: unknown[] = [];
