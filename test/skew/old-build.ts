// The last build of an earlier schema, unpacked so that it can be started beside the present one.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;

export class OldBuild {
  /** Where its `hack/flint` and everything else is. */
  readonly root: string;

  private constructor(folder: string) {
    this.root = folder;
  }

  /** Of builds/schema-N.tar.gz, with the dependencies of the present build. */
  static unpack(schema: number): OldBuild {
    const archive = new URL(`builds/schema-${schema}.tar.gz`, import.meta.url).pathname;
    const folder = mkdtempSync(join(tmpdir(), `flint-schema-${schema}-`));
    execFileSync('tar', ['-xzf', archive, '-C', folder]);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    return new OldBuild(folder);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
