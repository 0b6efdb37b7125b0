// A minute of the soak: mixed traffic, a fault every three seconds, and no failure that its own backend does not explain.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { runtime } from '../e2e/flint-process.ts';

const root = new URL('../../', import.meta.url).pathname;
/** The order of faults stays the same from run to run; `make soak` takes another one each time. */
const settings = { SOAK_SECONDS: '60', SOAK_FAULT_MS: '3000', SOAK_SEED: '2026' };

test(
  `a minute of mixed traffic with faults, on ${runtime}: 0 unexplained failures`,
  { timeout: 170_000 },
  async (context) => {
    const soak = spawn(`${root}hack/runtime`, ['node', `${root}hack/soak.ts`], {
      env: { ...settings, ...process.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // It takes its own processes with it.
    context.after(() => soak.kill('SIGTERM'));
    let output = '';
    for (const stream of [soak.stdout, soak.stderr])
      stream.on('data', (text: Buffer) => {
        output += text.toString();
      });
    const [code] = (await once(soak, 'close')) as [number | null];
    for (const line of output.split('\n')) if (line !== '') context.diagnostic(line.slice(0, 1000));
    assert.equal(code, 0, 'see what it said');
  },
);
