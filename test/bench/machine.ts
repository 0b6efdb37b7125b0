// What a run was measured on and with: figures without it mean nothing.
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { root } from './lab.ts';

/** Lines of Markdown. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const model = cpu?.model.trim() ?? 'an unknown CPU';
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `${new Date().toISOString().slice(0, 10)}. Machine: ${model}, ${cpus().length} cores, ${gigabytes} GB of memory, Linux ${release()}.`,
    `Versions: ${versions().join(', ')}. nginx and haproxy are Debian's; nginx 1.22 is of 2022 and old.`,
  ].join('\n');
}

function versions(): readonly string[] {
  return [
    firstLine('nginx', '-v').replace('nginx version: ', ''),
    firstLine('haproxy', '-v').replace(/ \d{4}\/.*/, ''),
    `Bun ${firstLine('hack/runtime', 'bun', '--version')}`,
    `Node ${process.version}`,
    // Without its locks: whoever works in this checkout meanwhile must not notice.
    `Flint ${firstLine('git', '--no-optional-locks', 'describe', '--always', '--dirty')}`,
  ];
}

/** Of whichever stream has it: nginx tells its version on standard error. */
function firstLine(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: root });
  return status === 0 ? ((stdout || stderr).split('\n')[0] ?? '') : 'of unknown version';
}
