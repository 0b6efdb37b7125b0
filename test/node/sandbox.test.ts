// The sandbox for nodes leaves nothing behind, whoever dies: no process, no file, no cgroup.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { findSandbox } from './sandbox.ts';

const root = new URL('../../', import.meta.url).pathname;
const found = findSandbox();

/** What is there of a sandbox: its folder, its cgroups, and processes that carry its name. */
function traces(folder: string): string[] {
  const name = basename(folder);
  const processes = globSync('/proc/[0-9]*/cmdline').filter((file) => {
    try {
      return readFileSync(file, 'utf8').includes(name);
    } catch {
      return false; // It has ended since it was listed.
    }
  });
  const below = `${process.env['FLINT_NODE_CGROUP']}/${name}`;
  const cgroups = [...globSync(`/sys/fs/cgroup${below}`), ...globSync(`/sys/fs/cgroup/*${below}`)];
  return [...(existsSync(folder) ? [folder] : []), ...cgroups, ...processes];
}

/** A sandbox whose command has said `ready`. */
async function sandbox(
  command: string,
): Promise<{ readonly wrapper: ChildProcess; readonly folder: string }> {
  const args = ['sh', '-c', `echo "folder $FLINT_NODE_SANDBOX"; ${command}`];
  const wrapper = spawn(`${root}hack/node-sandbox`, args);
  let [output, errors] = ['', ''];
  wrapper.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  wrapper.stdout.setEncoding('utf8');
  for await (const text of wrapper.stdout.iterator({ destroyOnReturn: false })) {
    output += String(text);
    if (output.includes('ready')) break;
  }
  const folder = /^folder (\/.+)$/m.exec(output)?.[1];
  if (folder === undefined || !output.includes('ready')) throw new Error(`no sandbox: ${output}${errors}`);
  wrapper.stdout.resume();
  assert.ok(traces(folder).length > 2, 'the traces of what is alive are not seen');
  return { wrapper, folder };
}

/** The janitor holds the wrapper's stderr: it closes when the last of all has ended. */
async function end(wrapper: ChildProcess, folder: string): Promise<void> {
  await once(wrapper, 'close');
  assert.deepEqual(traces(folder), []);
}

describe('a sandbox for nodes', { skip: 'missing' in found ? found.missing : false }, () => {
  test('is gone when its command has ended, and answers as the command did', async () => {
    const orphan = `setsid sh -c 'exec sleep 1000 # $0' "$FLINT_NODE_SANDBOX" >/dev/null 2>&1 &`;
    const { wrapper, folder } = await sandbox(`${orphan} echo ready; read _; exit 7`);
    wrapper.stdin?.end('\n');
    await end(wrapper, folder);
    assert.equal(wrapper.exitCode, 7);
  });

  test('is gone when its wrapper was killed, with a node and its containers in it', async () => {
    const program = `exec ${root}hack/runtime node ${root}test/node/left-alone.ts`;
    const { wrapper, folder } = await sandbox(program);
    assert.ok(
      globSync(`/sys/fs/cgroup/{pids,.}/**/${basename(folder)}/*/node-1/kubepods/**/cgroup.procs`).length > 2,
    );
    wrapper.kill('SIGKILL');
    await end(wrapper, folder);
  });
});
