// The transport contracts, on Bun: over its own sockets, over those of the system, and with TLS, its own and the system's.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { contract } from './contract.ts';
import { tlsContract } from './tls-contract.ts';

for (const [sockets, checks] of [
  ['bun', contract],
  ['epoll', contract],
  ['tls', tlsContract],
  // And what openssl-contract.ts adds, which only Bun can load.
  ['openssl', tlsContract],
] as const)
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
      const names = Object.keys(checks);
      assert.deepEqual(sockets === 'openssl' ? seen.slice(0, names.length) : seen, names);
      if (sockets === 'openssl') assert.ok(seen.length > names.length);
    },
  );

for (const sockets of ['bun', 'epoll'])
  test(`a thread that dies leaves neither its listener nor its connections, over ${sockets}`, () => {
    const { stdout, stderr } = spawnSync('hack/runtime', ['bun', 'test/transport/dying-thread.ts'], {
      cwd: new URL('../../', import.meta.url),
      env: { ...process.env, FLINT_SOCKETS: sockets },
      encoding: 'utf8',
      timeout: 60_000,
    });
    const { last, answers } = JSON.parse(stdout || '{}') as {
      readonly last: string;
      readonly answers: string[];
    };
    assert.notEqual(last, 'nothing', stderr);
    assert.deepEqual(answers, ['hello']);
  });
