// The transport of the runtime that this process runs on: the one place that chooses.
import type { SecureTransport } from './secure-transport.ts';
import type { Transport } from './transport.ts';

/** Linux's own sockets need its libc by name; wherever they cannot be had, Bun's serve as well, at a higher cost. */
async function transportOnBun(): Promise<Transport> {
  const isWanted = process.env['FLINT_SOCKETS'] !== 'bun';
  if (isWanted && process.platform === 'linux') {
    try {
      return (await import('./epoll.ts')).epollTransport;
    } catch {
      // No glibc here.
    }
  }
  return (await import('./bun.ts')).bunTransport;
}

export const transport: Transport =
  process.versions['bun'] === undefined ? (await import('./node.ts')).nodeTransport : await transportOnBun();

/** With the runtime's own TLS, over the sockets of its node:net. Loaded when there is TLS to end. */
export async function loadSecureTransport(): Promise<SecureTransport> {
  return (await import('./node-tls.ts')).nodeSecureTransport;
}
