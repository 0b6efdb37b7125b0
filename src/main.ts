// The entry: one command, loaded lazily, and the only place that may end the process.
import { program } from '#cli/program.ts';

process.exitCode = await program(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  // A drained process has timers and handles left that mean nothing any more.
  exit: (code) => process.exit(code),
});
