// A terminal that keeps what a command writes, and files for the command to read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '#cli/program.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line beside the given files; `@` in an argument is the folder they lie in, and again in the output. */
export async function flint(
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'flint-cli-'));
  let stdout = '';
  let stderr = '';
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const code = await program(
      args.map((arg) => arg.replaceAll('@', folder)),
      {
        stdout: (text) => {
          stdout += text;
        },
        stderr: (text) => {
          stderr += text;
        },
        exit: (exitCode) => {
          throw new Error(`the command wanted to exit with ${exitCode}`);
        },
      },
    );
    return { code, stdout: stdout.replaceAll(folder, '@'), stderr: stderr.replaceAll(folder, '@') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
