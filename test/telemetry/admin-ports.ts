// Ports for admin servers of tests, and patience.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';

/** One that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, 'it does not come to hold within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
