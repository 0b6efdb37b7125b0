// The files of an image in two folders, for a layer each: what changes with a runtime, and what changes with Flint.
//
//   hack/runtime node hack/image/root-files.ts flint-proxy FOLDER     writes FOLDER/runtime and FOLDER/flint
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceDateSeconds } from '../oci-image.ts';
import { writeLibraries } from './debian-libraries.ts';
import { bundleFolder, flintFolder, imagePlan, runtimePath, userId } from './images.ts';
import type { ImagePlan } from './images.ts';
import { runtimePackage, spdx, thirdPartyNotices } from './inventory.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface RootFiles {
  readonly runtime: string;
  readonly flint: string;
}

/** `folder` must not exist, or be empty. */
export function writeRootFiles(plan: ImagePlan, folder: string): RootFiles {
  const files = { runtime: join(folder, 'runtime'), flint: join(folder, 'flint') };
  const debian = writeLibraries(plan.runtime, files.runtime);
  const binary = join(files.runtime, runtimePath(plan.runtime));
  mkdirSync(dirname(binary), { recursive: true });
  copyFileSync(join(root, runtimePackage(plan.runtime).folder, 'bin', plan.runtime), binary);
  // Node's carries 30 MB of what only a debugger reads.
  execFileSync('strip', ['--strip-all', binary]);
  chmodSync(binary, 0o755);
  write(files.runtime, 'etc/passwd', `flint:x:${userId}:${userId}:Flint:/:/none\n`);
  write(files.runtime, 'etc/group', `flint:x:${userId}:\n`);
  write(files.runtime, 'etc/nsswitch.conf', 'hosts: files dns\n');

  const bundle = join(files.flint, bundleFolder);
  execFileSync(join(root, 'hack/runtime'), [
    'bun',
    join(root, 'hack/image/bundle.ts'),
    plan.command,
    plan.runtime,
    bundle,
  ]);
  copyFileSync(join(root, 'LICENSE'), join(files.flint, flintFolder, 'LICENSE'));
  write(files.flint, `${flintFolder}/THIRD-PARTY-NOTICES`, thirdPartyNotices(plan));
  write(files.flint, `${flintFolder}/sbom.spdx.json`, spdx(plan, debian, sourceDateSeconds()));
  return files;
}

function write(folder: string, path: string, content: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

if (import.meta.main) {
  const [name, folder] = process.argv.slice(2);
  if (name === undefined || folder === undefined)
    throw new Error('usage: hack/runtime node hack/image/root-files.ts IMAGE FOLDER');
  writeRootFiles(imagePlan(name), folder);
}
