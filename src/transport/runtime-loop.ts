// The event loop that Bun itself runs in this thread, seen from outside: a descriptor that is ready when it has something
// to do, such as a message of another thread.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isListening, socketPort } from './libc.ts';

declare const Bun: {
  listen(options: { readonly hostname: string; readonly port: number; readonly socket: { data(): void } }): {
    readonly port: number;
    stop(closeActive: boolean): void;
  };
};

/**
 * The descriptor of its epoll: found by a listener that is opened in it for a moment. Undefined where the system does not
 * show it.
 */
export function findRuntimeLoop(): number | undefined {
  let probe: ReturnType<typeof Bun.listen> | undefined = undefined;
  try {
    probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => {} } });
    const { port } = probe;
    const descriptors = readdirSync('/proc/self/fd').map(Number);
    const listening = descriptors.find((fd) => socketPort(fd) === port && isListening(fd));
    const watched = new RegExp(`^tfd:\\s+${listening}\\s`, 'm');
    return descriptors.find(
      (fd) => isEpoll(fd) && watched.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')),
    );
  } catch {
    return undefined;
  } finally {
    probe?.stop(true);
  }
}

/** A descriptor may be gone by now: it was that of the folder. */
function isEpoll(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventpoll]';
  } catch {
    return false;
  }
}
