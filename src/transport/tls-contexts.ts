// Contexts of OpenSSL: made of PEM, and freed by whoever has made them. A connection keeps its own for as long as it needs it.
import { hkdfSync } from 'node:crypto';
import {
  Ctrl,
  SSL_MODE_RELEASE_BUFFERS,
  SSL_OP_CIPHER_SERVER_PREFERENCE,
  SSL_OP_NO_COMPRESSION,
  SSL_OP_NO_RENEGOTIATION,
  SSL_SESS_CACHE_OFF,
  SSL_VERIFY_PEER,
  cString,
  lastingBytes,
  lastingCallback,
  libcrypto,
  libssl,
  versions,
} from './libssl.ts';
import type { Pointer } from './libssl.ts';
import type { KeyPair, TlsContextOptions } from './secure-transport.ts';
import { protocolChoice } from './tls-engine.ts';
import { certificatesOf } from './pem-certificates.ts';
import { ciphers, groups, groupsOfOld } from './tls-ciphers.ts';

const ticketKeyBytes = 80;
/** As nginx: 112 bits, so RSA keys of 2048 bits and no SHA-1. */
const securityLevel = 2;
/** After a full handshake. Each costs a fourteenth of it, and who takes a session up again is given another one. */
const tickets = 1;
/** A key that wants a password gets this one, and nobody is asked at a terminal. */
const noPassword = cString('');

const tls12Names = cString(namesOf((name) => !name.startsWith('TLS_')));
const tls13Names = cString(namesOf((name) => name.startsWith('TLS_')));

function namesOf(isWanted: (name: string) => boolean): string {
  return ciphers.split(':').filter(isWanted).join(':');
}

/** Of this thread: what it leaves when it dies would stay with the process. */
const open = new Set<Pointer>();
process.on('exit', () => {
  for (const context of open) freeContext(context);
});

/** Whoever asked for a certificate judges it. */
const letThrough = lastingCallback('ia', 'i', () => 1);

/** For a server. Throws for pairs that are none, and for authorities without a certificate. */
export function createServerContext(options: TlsContextOptions): Pointer {
  const { pairs, minVersion, clients, sessionScope, ticketKeys } = options;
  return createWith(minVersion, (context) => {
    libssl.SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    libssl.SSL_CTX_set_num_tickets(context, tickets);
    for (const pair of pairs) usePair(context, pair);
    const scope = Buffer.from(sessionScope, 'latin1');
    check(libssl.SSL_CTX_set_session_id_context(context, scope, scope.length), 'session scope');
    const keys = Buffer.from(hkdfSync('sha512', ticketKeys, '', 'tickets', ticketKeyBytes));
    check(libssl.SSL_CTX_ctrl(context, Ctrl.TicketKeys, ticketKeyBytes, keys), 'ticket keys');
    libssl.SSL_CTX_set_alpn_select_cb(context, protocolChoice, null);
    if (clients.kind === 'NotAsked') return;
    trust(context, certificatesOf(clients.authorities), (certificate) =>
      libssl.SSL_CTX_add_client_CA(context, certificate),
    );
    libssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, letThrough);
  });
}

/** For a client: servers are verified, by these authorities alone. */
export function createClientContext(authorities: readonly string[]): Pointer {
  return createWith('1.2', (context) => {
    trust(context, authorities, () => {});
    libssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, null);
  });
}

/** Whoever has it is gone, but for connections: those hold it by themselves. */
export function freeContext(context: Pointer): void {
  if (!open.delete(context)) throw new Error('the context was freed before');
  libssl.SSL_CTX_free(context);
}

function createWith(minVersion: '1.2' | '1.3', equip: (context: Pointer) => void): Pointer {
  libcrypto.ERR_clear_error();
  const context = libssl.SSL_CTX_new(libssl.TLS_method());
  if (context === null) throw new Error('OpenSSL has no memory');
  open.add(context);
  try {
    libssl.SSL_CTX_ctrl(context, Ctrl.MinVersion, versions[minVersion], null);
    libssl.SSL_CTX_ctrl(context, Ctrl.Mode, SSL_MODE_RELEASE_BUFFERS, null);
    libssl.SSL_CTX_ctrl(context, Ctrl.SessionCacheMode, SSL_SESS_CACHE_OFF, null);
    // A peer could make us work without an end by renegotiations (RFC 9325 3.5).
    libssl.SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    libssl.SSL_CTX_set_security_level(context, securityLevel);
    check(libssl.SSL_CTX_set_cipher_list(context, tls12Names), 'ciphers');
    check(libssl.SSL_CTX_set_ciphersuites(context, tls13Names), 'ciphers');
    useGroups(context);
    equip(context);
    return context;
  } catch (error) {
    freeContext(context);
    throw error;
  } finally {
    libcrypto.ERR_clear_error();
  }
}

/** OpenSSL before 3.5 has no post-quantum group, and takes no list with one. */
function useGroups(context: Pointer): void {
  if (libssl.SSL_CTX_ctrl(context, Ctrl.Groups, 0, cString(groups)) === 1) return;
  check(libssl.SSL_CTX_ctrl(context, Ctrl.Groups, 0, cString(groupsOfOld)), 'groups');
}

function usePair(context: Pointer, { chain, key }: KeyPair): void {
  const [leaf, ...others] = certificatesOf(chain);
  withCertificate(leaf!, (certificate) => {
    check(libssl.SSL_CTX_use_certificate(context, certificate), 'certificate');
  });
  for (const other of others)
    // With 1 the context takes a reference of its own.
    withCertificate(other, (certificate) => {
      check(libssl.SSL_CTX_ctrl(context, Ctrl.ChainCertificate, 1, certificate), 'chain');
    });
  withKey(key, (pointer) => check(libssl.SSL_CTX_use_PrivateKey(context, pointer), 'key'));
}

/** One that is damaged is trusted by nobody. */
function trust(context: Pointer, authorities: readonly string[], add: (certificate: Pointer) => void): void {
  const store = libssl.SSL_CTX_get_cert_store(context);
  for (const authority of authorities)
    try {
      withCertificate(authority, (certificate) => {
        check(libcrypto.X509_STORE_add_cert(store, certificate), 'authority');
        add(certificate);
      });
    } catch {
      libcrypto.ERR_clear_error();
    }
}

function withCertificate(pem: string, use: (certificate: Pointer) => void): void {
  const certificate = withText(pem, (bio) => libcrypto.PEM_read_bio_X509(bio, null, null, noPassword));
  if (certificate === null) throw new Error('OpenSSL does not read the certificate');
  try {
    use(certificate);
  } finally {
    libcrypto.X509_free(certificate);
  }
}

function withKey(pem: string, use: (key: Pointer) => void): void {
  const key = withText(pem, (bio) => libcrypto.PEM_read_bio_PrivateKey(bio, null, null, noPassword));
  if (key === null) throw new Error('OpenSSL does not read the key');
  try {
    use(key);
  } finally {
    libcrypto.EVP_PKEY_free(key);
  }
}

/** `read` has what it needs of the text when it returns. */
function withText<T>(text: string, read: (bio: Pointer) => T): T {
  const bytes = lastingBytes(text.length);
  bytes.write(text, 'latin1');
  const bio = libcrypto.BIO_new_mem_buf(bytes, bytes.length);
  if (bio === null) throw new Error('OpenSSL has no memory');
  try {
    return read(bio);
  } finally {
    libcrypto.BIO_free(bio);
    bytes.fill(0);
  }
}

function check(result: number, what: string): void {
  if (result !== 1) throw new Error(`OpenSSL does not take the ${what}`);
}
