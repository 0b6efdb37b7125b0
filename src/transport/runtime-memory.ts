// What a runtime does with the memory of a thread: how to make it collect garbage now, and how much it has in use.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

declare const Bun: { gc(isForced: boolean): void };

const isBun = process.versions['bun'] !== undefined;
let collect: (() => void) | undefined = undefined;

/** Of this thread; it stands still meanwhile, for tens of milliseconds. */
export function collectGarbage(): void {
  collect ??= isBun ? (): void => Bun.gc(true) : nodeCollector();
  collect();
}

/** Node shows its collector only to those who ask for it at the start, and to contexts that are made after this flag. */
function nodeCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('gc');
  return typeof found === 'function' ? (found as () => void) : (): void => {};
}

/**
 * Of this thread, where the process keeps what is freed: under Node buffers of 64 KiB lie below the size that the allocator
 * of glibc gives back (200 MiB of them freed: 200 MiB still resident). 0 where it is given back, as under Bun.
 */
export function bytesInUse(): number {
  if (isBun) return 0;
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
