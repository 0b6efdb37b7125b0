// Clients a long way off, while one data plane follows another on their port: halfway through a handshake they meet nobody
// who resets them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { handOver } from '../e2e/handovers.ts';

const here = '10.214.0.1';
const farAway = '10.214.0.2';
/** One way, of four in a handshake and a request. */
const wayMs = 15;

test('far clients go from one data plane to the next, and none is reset halfway in', async (context) => {
  if (!(await openLongWay(context))) return;
  await handOver(context, { at: here, from: farAway, connections: 64, count: 4, requests: 200 });
});

/** False, and the test is skipped, where no such network can be made. */
async function openLongWay(context: TestContext): Promise<boolean> {
  if (process.env['FLINT_PRIVATE_NETWORK'] === undefined) {
    context.skip('SKIPPED: it needs a network of its own (hack/private-network)');
    return false;
  }
  const command = ['bun', 'test/cluster/long-way.ts', 'far0', here, `${wayMs}`];
  const child = spawn('hack/runtime', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  const isUp = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!isUp) context.skip(`SKIPPED: no network device can be made here: ${told.trim()}`);
  return isUp;
}
