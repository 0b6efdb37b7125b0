// The shared libraries that a runtime and its TLS need, from Debian's packages: what an image has of an operating system.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { entriesOf } from '../tar.ts';
import type { Runtime } from './images.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

/** Of Debian 12. By OpenSSL the data plane speaks TLS on Bun; Node has its own inside. */
const packagesOf: Readonly<Record<Runtime, readonly string[]>> = {
  bun: ['libc6', 'libssl3'],
  // gcc-12-base has the licence of the three before it.
  node: ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'gcc-12-base'],
};

/** Of what these packages hold: what the runtimes are linked to, what resolves names, and under which licence it is. */
const wanted =
  /(?:^|\/)(?:ld-linux[\w-]*|lib(?:c|m|dl|pthread|rt|resolv|nss_dns|nss_files|ssl|crypto|stdc\+\+|gcc_s|atomic))\.so[\d.]*$|^usr\/share\/doc\/[^/]+\/copyright$/;

const release = 'VERSION_CODENAME=bookworm';

/** This machine has no packages of Debian 12 to give. */
export class NoPackages extends Error {}

/**
 * Puts them where they lie on Debian, below `folder`. The packages are the newest that this machine's lists name (`apt-get
 * update` renews them): a fixed version would be a version with known holes. Throws where there are none of Debian's: the Dockerfile works anywhere.
 */
export function writeLibraries(runtime: Runtime, folder: string): readonly DebianPackage[] {
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  // Others have packages of the same names and other contents.
  if (!osRelease.includes('\nID=debian\n') || !osRelease.includes(`${release}\n`))
    throw new NoPackages(
      'an image is built from the packages of Debian 12, and this is something else: use the Dockerfile',
    );
  const work = mkdtempSync(join(tmpdir(), 'flint-libraries-'));
  try {
    download(packagesOf[runtime], work);
    const unpacked = join(work, 'unpacked');
    const packages = readdirSync(work).map((archive) => {
      execFileSync('dpkg-deb', ['-x', archive, unpacked], { cwd: work });
      const [name = '', version = ''] = archive.split('_');
      // Where scanners look for what is installed, in images that have no package manager.
      const status = join(folder, 'var/lib/dpkg/status.d', name);
      mkdirSync(dirname(status), { recursive: true });
      writeFileSync(status, execFileSync('dpkg-deb', ['-f', archive], { cwd: work }));
      return { name, version: decodeURIComponent(version) };
    });
    for (const entry of entriesOf(unpacked)) {
      if (entry.kind === 'directory' || !wanted.test(entry.path)) continue;
      const place = join(folder, entry.path);
      mkdirSync(dirname(place), { recursive: true });
      if (entry.kind === 'symlink') symlinkSync(entry.target, place);
      else copyFileSync(join(unpacked, entry.path), place);
    }
    mkdirSync(join(folder, 'usr/lib'), { recursive: true });
    mkdirSync(join(folder, 'etc'), { recursive: true });
    writeFileSync(join(folder, 'usr/lib/os-release'), osRelease);
    symlinkSync('../usr/lib/os-release', join(folder, 'etc/os-release'));
    return packages;
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** With fresh lists where the old ones do not do: a new machine has none, and old ones name what is there no more. */
function download(packages: readonly string[], folder: string): void {
  const apt = (...args: readonly string[]): void => {
    execFileSync('apt-get', ['--quiet', ...args], { cwd: folder, stdio: 'pipe' });
  };
  try {
    apt('download', ...packages);
  } catch {
    try {
      apt('update');
      apt('download', ...packages);
    } catch (cause) {
      throw new NoPackages(
        `apt-get cannot get ${packages.join(', ')} here; the Dockerfile builds the same image`,
        { cause },
      );
    }
  }
}
