// What a script of hack/ builds and caches for tests, and what becomes of them where it cannot.
import { spawnSync } from 'node:child_process';

export type Built = { readonly path: string } | { readonly missing: string };

/** Runs hack/`script`: the path that it prints, or why there is none, said loudly and never skipped in silence. */
export function builtBy(script: string): Built {
  const file = new URL(`../../hack/${script}`, import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(file, { encoding: 'utf8' });
  if (status === 0) return { path: stdout.trim() };
  process.stderr.write(stderr);
  if (status === 3) return { missing: stderr.trim() };
  throw new Error(`hack/${script} failed:\n${stderr}`);
}
