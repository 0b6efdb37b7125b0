// Backends that are dead in one way or another, beside others that live: only who needs a dead one notices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedPort, echoBackend } from './backends.ts';
import { runtime, startFlint } from './flint-process.ts';
import { request } from './http-client.ts';
import type { Answer } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { descriptorsOf, eventually, pause } from './process-figures.ts';
import { listenRaw, silentPort } from './raw-server.ts';

const host = 'shop.test';
const oneWorker = ['--workers', '1'];

function times<T>(count: number, work: (number: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, number) => work(number)));
}

function tally(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, headers } of answers) {
    const text = [status, headers['x-flint-fault'] ?? ''].join(' ').trim();
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

/** Half of them must not be sent twice. */
function ask(port: number, name: string, number: number): Promise<Answer> {
  return number % 2 === 0
    ? request(port, name, `/${number}`)
    : request(port, name, `/${number}`, { method: 'POST', body: 'x' });
}

async function askInRounds(port: number, name: string, rounds: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let round = 0; round < rounds; round++)
    answers.push(...(await times(40, (number) => ask(port, name, 40 * round + number))));
  return answers;
}

test('one of two endpoints refuses: the other serves all, each once', async (context) => {
  const dead = closedPort;
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(simpleRoute(host, 'shop'), ...service('shop', [dead, backend.port])),
  );
  assert.deepEqual(tally(await askInRounds(flint.httpPort, host, 5)), { 200: 200 });
  assert.equal(new Set(backend.requests.map(({ url }) => url)).size, 200);
  assert.equal(backend.requests.length, 200, 'none was delivered twice');
});

test('a backend that never answers: 504 at the timeout, nothing kept, and others do not notice', async (context) => {
  const hole = await listenRaw(context, (socket) => socket.resume());
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute('hole.test', 'hole', { timeouts: { request: '300ms' } }),
      simpleRoute(host, 'shop'),
      ...service('hole', [hole]),
      ...service('shop', [backend.port]),
    ),
    oneWorker,
  );
  const descriptorsBefore = descriptorsOf(flint.pid);
  await askInRounds(flint.httpPort, host, 1);
  const startedMs = performance.now();
  const ending = new AbortController();
  const dead = askInRounds(flint.httpPort, 'hole.test', 3).finally(() => ending.abort());
  const served: Answer[] = [];
  while (!ending.signal.aborted) served.push(await ask(flint.httpPort, host, served.length));
  assert.deepEqual(tally(await dead), { '504 backend-timeout': 120 });
  assert.ok(performance.now() - startedMs >= 3 * 300);
  assert.ok(served.length > 1, 'others were served meanwhile');
  assert.deepEqual(tally(served), { 200: served.length });
  const left = await eventually(
    () => descriptorsOf(flint.pid),
    (count) => count <= descriptorsBefore,
  );
  assert.ok(left <= descriptorsBefore, `${left - descriptorsBefore} descriptors are left`);
});

test('one of two endpoints swallows handshakes: the next one after a second, 504 when there is none', async (context) => {
  const silent = await silentPort(context);
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop'),
      simpleRoute('silent.test', 'silent'),
      ...service('shop', [silent, backend.port]),
      ...service('silent', [silent]),
    ),
    oneWorker,
  );
  const startedMs = performance.now();
  const answers = await times(40, (number) => ask(flint.httpPort, host, number));
  const lastedMs = performance.now() - startedMs;
  assert.deepEqual(tally(answers), { 200: 40 });
  assert.ok(lastedMs >= 1000, 'some of them were sent to the silent one first');
  assert.equal(backend.requests.length, 40, 'none was delivered twice');
  const alone = await times(10, (number) => ask(flint.httpPort, 'silent.test', number));
  assert.deepEqual(tally(alone), { '504 connect-timeout': 10 });
});

test(
  'a hundred at once, twice, for an endpoint that swallows handshakes: all are told so',
  runtime === 'bun' ? { todo: 'on Bun connects that are not even tried count as refused: 503' } : {},
  async (context) => {
    const silent = await silentPort(context);
    const flint = await startFlint(
      context,
      yaml(simpleRoute(host, 'silent'), ...service('silent', [silent])),
      oneWorker,
    );
    for (let round = 0; round < 2; round++) {
      const answers = await times(100, (number) => ask(flint.httpPort, host, number));
      assert.deepEqual(tally(answers), { '504 connect-timeout': 100 });
    }
  },
);

test('an endpoint to which connecting fails at once: the next one, 503 when there is none', async (context) => {
  // Nobody may connect to the broadcast address: the system call itself fails, as it does without a route.
  const address = '255.255.255.255';
  const backend = await echoBackend(context, 'shop');
  const flint = await startFlint(
    context,
    yaml(
      simpleRoute(host, 'shop'),
      simpleRoute('lost.test', 'lost'),
      ...service('shop', [backend.port]),
      ...service('shop', [81], address).slice(1),
      ...service('lost', [81], address),
    ),
    oneWorker,
  );
  const inTime = <T>(answer: Promise<T>): Promise<T | undefined> =>
    Promise.race([answer, pause(5000).then(() => undefined)]);
  const alone = await inTime(ask(flint.httpPort, 'lost.test', 0));
  assert.deepEqual(alone && tally([alone]), { '503 connect-refused': 1 });
  const answers = await inTime(times(20, (number) => ask(flint.httpPort, host, number)));
  assert.deepEqual(answers && tally(answers), { 200: 20 });
});
