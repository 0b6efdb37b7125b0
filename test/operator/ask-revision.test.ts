// A pod is asked at the addresses that may be its own, and believed only in its own name.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { askRevision } from '#operator/ask-revision.ts';
import { AdminServer } from '#telemetry/admin-server.ts';
import { freePort } from '../free-port.ts';

const host = '127.0.0.1';

/** `pod` undefined: of a build that does not know its name. */
async function podAt(context: TestContext, pod: string | undefined, sequence: number): Promise<string> {
  const port = await freePort();
  const revision = { sequence, digest: pod ?? 'nameless', schemas: [1], workers: 1, refused: null };
  const answer = { contentType: 'application/json', text: JSON.stringify(revision) };
  const server = new AdminServer({
    ...(pod === undefined ? {} : { pod }),
    isReady: () => true,
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
    pages: { '/revision': () => Promise.resolve(answer) },
  });
  context.after(() => server.close());
  await server.listen({ host, port });
  return `http://${host}:${port}`;
}

function candidate(name: string, urls: readonly string[]) {
  return { name, namespace: 'flint-system', uid: name, node: 'node-a', urls, counts: true };
}

test('of two pods of one node each says what it serves itself', async (context) => {
  const urls = [await podAt(context, 'old', 7), await podAt(context, 'new', 3)];
  const { signal } = new AbortController();
  assert.equal((await askRevision(candidate('old', urls), 0, signal)).sequence, 7);
  assert.equal((await askRevision(candidate('new', urls), 0, signal)).sequence, 3);
});

test('an answer in the name of another pod proves nothing', async (context) => {
  const urls = [await podAt(context, 'old', 7)];
  await assert.rejects(
    askRevision(candidate('new', urls), 0, new AbortController().signal),
    /new answers 421/,
  );
});

test('on a port of its own a pod need not say who it is: older builds do not', async (context) => {
  const urls = [await podAt(context, undefined, 7)];
  assert.equal((await askRevision(candidate('old', urls), 0, new AbortController().signal)).sequence, 7);
});

test('where two pods may answer, one that does not say who it is proves nothing', async (context) => {
  const urls = [await podAt(context, undefined, 7), `http://${host}:${await freePort()}`];
  await assert.rejects(
    askRevision(candidate('new', urls), 0, new AbortController().signal),
    /does not say that it is new/,
  );
});

test('an address where nothing is ever said does not hide the other one', async (context) => {
  const silent = createServer(() => {});
  context.after(() => silent.closeAllConnections());
  context.after(() => silent.close());
  await new Promise<void>((resolve) => silent.listen(0, host, resolve));
  const { port } = silent.address() as AddressInfo;
  const urls = [`http://${host}:${port}`, await podAt(context, 'new', 3)];
  const ending = new AbortController();
  assert.equal((await askRevision(candidate('new', urls), 0, ending.signal)).sequence, 3);
});

test('an address where nobody is does not hide the other one', async (context) => {
  const urls = [`http://${host}:${await freePort()}`, await podAt(context, 'new', 3)];
  const { digest } = await askRevision(candidate('new', urls), 0, new AbortController().signal);
  assert.equal(digest, 'new');
});
