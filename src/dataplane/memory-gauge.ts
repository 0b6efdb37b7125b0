// How much memory this process may have, and how much it has.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface MemoryGauge {
  readonly limitBytes: number;
  /** NaN when it cannot be read just now. */
  read(): number;
}

/** Of version 1 a limit that is none is the largest number of whole pages. */
const unlimitedBytes = 2 ** 62;

interface Version {
  readonly mount: string;
  /** The line of /proc/self/cgroup that names the group, and nothing of other controllers. */
  readonly line: RegExp;
  readonly limit: string;
  readonly usage: string;
  readonly cache: RegExp;
}

const versions: readonly Version[] = [
  {
    mount: 'sys/fs/cgroup',
    line: /^0::(\/.*)$/m,
    limit: 'memory.max',
    usage: 'memory.current',
    cache: /^inactive_file (\d+)$/m,
  },
  {
    mount: 'sys/fs/cgroup/memory',
    line: /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m,
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    cache: /^total_inactive_file (\d+)$/m,
  },
];

/**
 * `settingBytes`: what the process may have resident; 0: what its cgroup may have. Undefined: there is no limit. `root` is
 * where /proc and /sys are.
 */
export function findMemoryGauge(settingBytes: number, root = '/'): MemoryGauge | undefined {
  if (settingBytes > 0) return { limitBytes: settingBytes, read: () => process.memoryUsage.rss() };
  for (const version of versions) {
    const found = cgroupGauge(version, root);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The tightest of the group and those above it; a container sees its own group at the mount, whatever its path says. */
function cgroupGauge(version: Version, root: string): MemoryGauge | undefined {
  const mount = join(root, version.mount);
  const path = version.line.exec(read(join(root, 'proc/self/cgroup')))?.[1];
  if (path === undefined) return undefined;
  let best: MemoryGauge | undefined = undefined;
  for (let folder = join(mount, path); folder.startsWith(mount); folder = dirname(folder)) {
    const limitBytes = Number(read(join(folder, version.limit)).trim() || NaN);
    if (limitBytes > 0 && limitBytes < Math.min(best?.limitBytes ?? Infinity, unlimitedBytes))
      best = { limitBytes, read: () => workingSet(folder, version) };
  }
  return best;
}

/**
 * As the kubelet counts it: all that is charged, kernel buffers of sockets included, but for the file pages that the kernel
 * would take first.
 */
function workingSet(folder: string, { usage, cache }: Version): number {
  const usedBytes = Number(read(join(folder, usage)).trim() || NaN);
  const cachedBytes = Number(cache.exec(read(join(folder, 'memory.stat')))?.[1] ?? 0);
  return Math.max(0, usedBytes - cachedBytes);
}

/** Empty for what is not there. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
