// The transport contract, on Bun: over its own sockets, and over those of the system.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { contract } from './contract.ts';

for (const sockets of ['bun', 'epoll'])
  test(
    `every check of the contract over ${sockets}, in a process of its own`,
    { timeout: 120_000 },
    async (context) => {
      const child = spawn('hack/runtime', ['bun', 'test/transport/run-contract.ts', sockets], {
        cwd: new URL('../../', import.meta.url),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      context.after(() => child.kill('SIGKILL'));
      const seen: string[] = [];
      for await (const line of createInterface(child.stdout)) {
        const { name, error } = JSON.parse(line) as { readonly name: string; readonly error: string };
        seen.push(name);
        await context.test(name, () => assert.equal(error, ''));
      }
      assert.deepEqual(seen, Object.keys(contract));
    },
  );
