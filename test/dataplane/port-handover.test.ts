// A port is left with care where another listens on it, and at once where nobody does.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { leavePorts } from '#dataplane/port-handover.ts';
import { socketsAt } from '#dataplane/port-sockets.ts';

const isLinux = process.platform === 'linux';

test('every listener at a port is counted, and nothing else', { skip: !isLinux }, async (context) => {
  const port = await listen(context, 0, '127.0.0.1');
  assert.deepEqual(await socketsAt([port]), [{ listeners: 1, halfway: 0 }]);
  await listen(context, port, '127.0.0.1');
  const other = await listen(context, 0, '::1');
  assert.deepEqual(await socketsAt([port, other]), [
    { listeners: 2, halfway: 0 },
    { listeners: 1, halfway: 0 },
  ]);
});

test(
  'who shares a port turns clients away before it leaves; who is alone does not',
  { skip: !isLinux },
  async (context) => {
    const port = await listen(context, 0, '127.0.0.1');
    const other = await listen(context, 0, '127.0.0.1');
    let turns = 0;
    const leave = (listeners: number): Promise<void> =>
      leavePorts(
        [other, port].map((each) => ({ port: each, listeners })),
        () => Promise.resolve(turns++),
      );
    await leave(1);
    assert.equal(turns, 0);
    await listen(context, port, '127.0.0.1');
    await leave(2);
    assert.equal(turns, 0, 'both are its own');
    await leave(1);
    assert.equal(turns, 1);
  },
);

async function listen(context: TestContext, port: number, host: string): Promise<number> {
  const server = createServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen({ port, host, reusePort: true }, resolve));
  return (server.address() as AddressInfo).port;
}
