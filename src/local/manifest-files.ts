// The files behind -f: which they are, and what they hold.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';

const endings = new Set(['.yaml', '.yml', '.json']);

/** The manifest files of a path, sorted: itself, or those below it. Throws when the path does not exist. */
export function manifestFilesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .flatMap((entry) => {
      const below = join(path, entry.name);
      if (entry.isDirectory()) return manifestFilesOf(below);
      return endings.has(extname(entry.name)) ? [below] : [];
    })
    .sort();
}

/** The text of a file; `-` is standard input. */
export function readManifestFile(file: string): string {
  return readFileSync(file === '-' ? 0 : file, 'utf8');
}
