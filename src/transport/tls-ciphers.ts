// The cipher suites that are spoken, to clients as to backends, the preferred ones first.

/** TLS 1.2 with forward secrecy and authenticated encryption only; those of TLS 1.3 are all that there are. */
export const ciphers: string = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Key exchanges, the preferred one first: with a post-quantum part where the client has one, no finite fields, no rarities. */
export const groups = 'X25519MLKEM768:X25519:P-256:P-384';

/** For libraries that know no post-quantum key exchange, and take no list that names one. */
export const groupsOfOld = 'X25519:P-256:P-384';
