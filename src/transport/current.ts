// The transport of the runtime that this process runs on: the one place that chooses.
import type { SecureTransport } from './secure-transport.ts';
import type { Transport } from './transport.ts';

let hasOwnSockets = false;

/** Linux's own sockets need its libc by name; wherever they cannot be had, Bun's serve as well, at a higher cost. */
async function transportOnBun(): Promise<Transport> {
  const isWanted = process.env['FLINT_SOCKETS'] !== 'bun';
  if (isWanted && process.platform === 'linux') {
    try {
      const { epollTransport } = await import('./epoll.ts');
      hasOwnSockets = true;
      return epollTransport;
    } catch {
      // No glibc here.
    }
  }
  return (await import('./bun.ts')).bunTransport;
}

export const transport: Transport =
  process.versions['bun'] === undefined ? (await import('./node.ts')).nodeTransport : await transportOnBun();

/**
 * Loaded when there is TLS to end. By OpenSSL on the sockets of the system where both can be had; otherwise by the runtime's
 * own TLS, over the sockets of its node:net.
 */
export async function loadSecureTransport(): Promise<SecureTransport> {
  if (hasOwnSockets && process.env['FLINT_TLS'] !== 'runtime') {
    try {
      return (await import('./openssl.ts')).opensslTransport;
    } catch {
      // No OpenSSL 3 here.
    }
  }
  return (await import('./node-tls.ts')).nodeSecureTransport;
}
