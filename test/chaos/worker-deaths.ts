// Worker threads that die when a test says so, as of a bug: no part of Flint, but loaded into it from outside.
import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import { eventually } from '../e2e/process-figures.ts';

const nodeHook = new URL('./dying-thread.ts', import.meta.url).pathname;
/** Bun loads nothing into threads: its hook has another entry for them, which loads both. */
const bunHook = new URL('./bun-dying-thread.ts', import.meta.url).pathname;

/** What the environment of a Flint says whose threads die, one each time that `file` is there. */
export function deathsEnvironment(runtime: string, file: string): Readonly<Record<string, string>> {
  const loading =
    runtime === 'node' ? { NODE_OPTIONS: `--import ${nodeHook}` } : { BUN_OPTIONS: `--preload ${bunHook}` };
  return { ...loading, FLINT_TEST_DEATH: file };
}

/** Resolves to true when one thread has taken the message: it dies in the same moment. */
export async function killWorker(file: string): Promise<boolean> {
  writeFileSync(file, '');
  const isTaken = await eventually(() => !existsSync(file), Boolean);
  if (!isTaken) unlinkSync(file);
  return isTaken;
}
