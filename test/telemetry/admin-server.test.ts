// Two admin servers that want one address, as two pods have it on the network of a node.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AdminServer } from '#telemetry/admin-server.ts';
import type { AdminSource } from '#telemetry/admin-server.ts';
import { until } from '../kube/until.ts';
import { freePort } from '../free-port.ts';

const host = '127.0.0.1';

function admin(context: TestContext, pod: string, source: Partial<AdminSource> = {}): AdminServer {
  const server = new AdminServer({
    pod,
    isReady: () => true,
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: `of ${pod}` }),
    ...source,
  });
  context.after(() => server.close());
  return server;
}

/** What is answered there; undefined when nobody does. */
async function answerAt(port: number, path = '/metrics'): Promise<string | undefined> {
  try {
    const response = await fetch(`http://${host}:${port}${path}`, { headers: { connection: 'close' } });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch {
    return undefined;
  }
}

test('an address that another process has is a fault without a spare one', async (context) => {
  const at = { host, port: await freePort() };
  await admin(context, 'old').listen(at);
  await assert.rejects(admin(context, 'new').listen(at), { code: 'EADDRINUSE' });
});

test('any other fault of an address is one with a spare one, too', async (context) => {
  const spare = { host, port: await freePort() };
  // An address of nobody (RFC 5737).
  await assert.rejects(admin(context, 'new').listen({ host: '192.0.2.1', port: 80 }, spare), {
    code: 'EADDRNOTAVAIL',
  });
});

test('pod follows pod: each is at the spare address until its forerunner has made room', async (context) => {
  const at = { host, port: await freePort() };
  const spare = { host, port: await freePort() };
  let present = admin(context, 'pod-0');
  assert.equal(await present.listen(at, spare), at.port);
  for (let number = 1; number < 4; number++) {
    const next = admin(context, `pod-${number}`);
    assert.equal(await next.listen(at, spare), spare.port);
    assert.equal(await answerAt(at.port), `200 of pod-${number - 1}`);
    assert.equal(await answerAt(spare.port), `200 of pod-${number}`);
    present.release();
    await until('it has moved', async () => (await answerAt(at.port)) === `200 of pod-${number}`);
    await until('the spare one is free', async () => (await answerAt(spare.port)) === undefined);
    present = next;
  }
});

test('a third one waits until there is room', async (context) => {
  const at = { host, port: await freePort() };
  const spare = { host, port: await freePort() };
  const [first, second, third] = ['first', 'second', 'third'].map((pod) => admin(context, pod));
  await first!.listen(at, spare);
  await second!.listen(at, spare);
  const bound = third!.listen(at, spare);
  first!.release();
  // Either the second has moved, and its spare address is free, or the third came first at the other one.
  assert.ok([at.port, spare.port].includes(await bound));
  const answers = async (): Promise<readonly (string | undefined)[]> => [
    await answerAt(at.port),
    await answerAt(spare.port),
  ];
  await until('both answer', async () =>
    new Set(await answers()).isSupersetOf(new Set(['200 of second', '200 of third'])),
  );
});

test('one that is not ready does not take the address over: the probes of others are answered there', async (context) => {
  const at = { host, port: await freePort() };
  const spare = { host, port: await freePort() };
  const old = admin(context, 'old');
  await old.listen(at, spare);
  let isReady = false;
  await admin(context, 'new', { isReady: () => isReady }).listen(at, spare);
  old.release();
  // The old container starts again, and has its address back.
  const again = admin(context, 'old');
  assert.equal(await again.listen(at, spare), at.port);
  again.release();
  isReady = true;
  await until('it has moved', async () => (await answerAt(at.port)) === '200 of new');
});

test('whoever is closed while it binds listens nowhere', async (context) => {
  const at = { host, port: await freePort() };
  const server = admin(context, 'pod');
  const bound = server.listen(at);
  server.close();
  await assert.rejects(bound, /closed/);
  assert.equal(await answerAt(at.port), undefined);
});

test('whoever is closed while it waits for room gives up', async (context) => {
  const at = { host, port: await freePort() };
  await admin(context, 'first').listen(at, at);
  let wait = (): void => {};
  const isWaiting = new Promise<void>((resolve) => (wait = resolve));
  const waiting = admin(context, 'second', { onWaiting: () => wait() });
  const bound = waiting.listen(at, at);
  await isWaiting;
  waiting.close();
  await assert.rejects(bound, /closed/);
});

test('the address of something else is taken over when that is gone', async (context) => {
  const other = createServer();
  const at = { host, port: await freePort() };
  await new Promise<void>((resolve) => other.listen(at.port, host, resolve));
  const spare = { host, port: await freePort() };
  assert.equal(await admin(context, 'pod').listen(at, spare), spare.port);
  other.close();
  await until('it has moved', async () => (await answerAt(at.port)) === '200 of pod');
});

test('whoever asks for another pod hears that this is none, on a connection that ends', async (context) => {
  const at = { host, port: await freePort() };
  await admin(context, 'old').listen(at);
  const response = await fetch(`http://${host}:${at.port}/readyz?pod=new`);
  assert.equal(response.status, 421);
  assert.equal(response.headers.get('connection'), 'close');
  assert.equal(response.headers.get('flint-pod'), 'old');
  assert.equal(await response.text(), 'this is old\n');
  assert.equal(await answerAt(at.port, '/readyz?pod=old'), '200 ok');
  assert.equal(await answerAt(at.port, '/readyz'), '200 ok');
});

test('a server without a name answers whoever asks, whatever for', async (context) => {
  const at = { host, port: await freePort() };
  const server = new AdminServer({
    isReady: () => true,
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
  });
  context.after(() => server.close());
  await server.listen(at);
  assert.equal(await answerAt(at.port, '/readyz?pod=any'), '200 ok');
});

test('who makes room finishes its answers, and keeps no connection', async (context) => {
  const at = { host, port: await freePort() };
  let asked = (): void => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const slow = async (): Promise<{ contentType: string; text: string }> => {
    asked();
    await finished;
    return { contentType: 'text/plain', text: 'late' };
  };
  const server = admin(context, 'old', { pages: { '/slow': slow } });
  await server.listen(at, { host, port: await freePort() });
  const answer = fetch(`http://${host}:${at.port}/slow`);
  await isAsked;
  server.release();
  await until('the address is free', async () => (await answerAt(at.port)) === undefined);
  finish();
  const response = await answer;
  assert.equal(response.headers.get('connection'), 'close');
  assert.equal(await response.text(), 'late');
});
