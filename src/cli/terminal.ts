// What a command may do to the outside: write, and end the process when it has finished all its work.

export interface Terminal {
  stdout(text: string): void;
  stderr(text: string): void;
  exit(code: number): void;
}

/** Exit codes of every command. */
export const exitCode = {
  ok: 0,
  /** The command worked, and its answer is no: a broken manifest, a request without a route. */
  negative: 1,
  /** The command line or the environment does not allow the command to run. */
  usage: 2,
} as const;
