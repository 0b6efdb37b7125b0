// Floods over HTTP/2, from bare sockets: each is ended as it should be, others are served meanwhile, and memory stays.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ErrorCode } from '#h2/error-code.ts';
import { errorName } from '../h2/frame-words.ts';
import { rawBackend, sizedBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { FloodClient } from './flood-client.ts';
import { request } from './http-client.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { eventually, mib, pause, residentBytesOf } from './process-figures.ts';

/** A runtime's own noise included. */
const growthBytes = 16 * mib;
/** From src/proxy/http2-connection.ts: a stream that takes nothing is seen at one look and ended at the next. */
const stallMs = 30_000;
const attackers = 3;

async function scene(context: TestContext): Promise<FlintProcess> {
  const shop = await rawBackend(context, (socket, received) => {
    if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const manifests = yaml(
    simpleRoute('a.example', 'sized'),
    simpleRoute('shop.test', 'shop'),
    ...service('sized', [await sizedBackend(context)]),
    ...service('shop', [shop.port]),
  );
  const flint = await startFlint(context, manifests, ['--workers', '1']);
  await othersAreServed(flint, 200);
  // Warm over HTTP/2 as well: what grows later is what is measured.
  const client = new FloodClient(context, flint.httpPort);
  client.send('50 times: GET next /10');
  await client.until(() => client.ended === 50);
  client.close();
  return flint;
}

async function othersAreServed(flint: FlintProcess, requests: number): Promise<void> {
  for (let number = 0; number < requests; number++)
    assert.equal((await request(flint.httpPort, 'shop.test', '/')).status, 200);
}

function assertBounded(context: TestContext, flint: FlintProcess, before: number): void {
  const grown = residentBytesOf(flint.pid) - before;
  context.diagnostic(`${(grown / mib).toFixed(1)} MiB grown`);
  assert.ok(grown < growthBytes, `${grown} bytes of memory`);
}

interface Flood {
  readonly title: string;
  readonly start: string;
  /** What follows until the connection ends. */
  readonly again: string;
}

/** No flood is allowed more rounds than this before it has been ended. */
const mostRounds = 3000;

/** Several at once; each is told why it has been ended. */
async function overrun(
  context: TestContext,
  flint: FlintProcess,
  start: string,
  again: string,
): Promise<void> {
  const clients = Array.from({ length: attackers }, () => new FloodClient(context, flint.httpPort));
  await Promise.all(
    clients.map(async (client) => {
      client.send(start);
      let rounds = 0;
      while (!client.isClosed && client.goAway === undefined && rounds++ < mostRounds)
        await client.flood(again);
      await client.until(() => client.goAway !== undefined || client.isClosed);
    }),
  );
  for (const { goAway } of clients)
    assert.equal(goAway === undefined ? 'no GOAWAY' : errorName(goAway), 'ENHANCE_YOUR_CALM');
}

const floods: readonly Flood[] = [
  { title: 'rapid reset', start: '', again: '50 times: GET next /10; RST_STREAM last CANCEL' },
  {
    title: 'resets that we are made to send',
    start: '',
    again: '50 times: GET next /10; WINDOW_UPDATE last 0',
  },
  { title: 'requests that are malformed', start: '', again: '50 times: GET next no-path' },
  { title: 'CONTINUATION', start: 'HEADERS 1\n  :method: GET', again: 'CONTINUATION 1\n  a: {b*16000}' },
  { title: 'empty CONTINUATION', start: 'HEADERS 1\n  :method: GET', again: '100 times: CONTINUATION 1' },
  { title: 'PING', start: '', again: '100 times: PING "12345678"' },
  { title: 'SETTINGS', start: '', again: '100 times: SETTINGS INITIAL_WINDOW_SIZE=1000' },
  { title: 'PRIORITY', start: '', again: '100 times: PRIORITY 1 3' },
  { title: 'WINDOW_UPDATE', start: '', again: '100 times: WINDOW_UPDATE 0 1' },
  { title: 'empty DATA', start: 'POST 1 /10', again: '100 times: DATA 1' },
  { title: 'frames that nobody knows', start: '', again: '100 times: FRAME 77 0 0 ""' },
  {
    title: 'a bomb of table entries',
    start:
      'HEADERS 1 END_STREAM END_HEADERS\n  "\\x82\\x86\\x44\\x03/10\\x41\\x09a.example\\x40\\x7f\\xa1\\x1e{b*4000}\\x01a"',
    again: 'HEADERS 3 END_STREAM END_HEADERS\n  "\\x82\\x86\\x84\\x01\\x09a.example{\\x7e\\x00*8000}"',
  },
];

describe('floods', () => {
  for (const { title, start, again } of floods)
    test(`${title}: the connection is told to calm down, and ends`, async (context) => {
      const flint = await scene(context);
      await overrun(context, flint, start, again);
      // A heap grows to its working size with the first, and a collector comes when it likes: what is kept of a flood is
      // added by every other one.
      const grown: number[] = [];
      for (let round = 0; round < 3 && !grown.some((bytes) => bytes < growthBytes); round++) {
        const before = residentBytesOf(flint.pid);
        const served = othersAreServed(flint, 100);
        await overrun(context, flint, start, again);
        await served;
        await othersAreServed(flint, 20);
        grown.push(residentBytesOf(flint.pid) - before);
      }
      const words = grown.map((bytes) => `${(bytes / mib).toFixed(1)} MiB`).join(', ');
      context.diagnostic(`${words} grown`);
      assert.ok(Math.min(...grown) < growthBytes, words);
    });

  test('bombs of a table, each larger than a head may be: all are refused, and the connection goes on', async (context) => {
    const flint = await scene(context);
    const before = residentBytesOf(flint.pid);
    const client = new FloodClient(context, flint.httpPort);
    client.send(
      'HEADERS 1 END_STREAM END_HEADERS\n  "\\x82\\x86\\x44\\x03/10\\x41\\x09a.example\\x40\\x01a\\x7f\\xa1\\x1e{b*4000}"',
    );
    await client.until(() => client.ended === 1);
    const bombs = 300;
    const served = othersAreServed(flint, 100);
    for (let number = 1; number <= bombs; number++)
      await client.flood(
        `HEADERS ${2 * number + 1} END_STREAM END_HEADERS\n  "\\x82\\x86\\x84\\xbf{\\xbe*16000}"`,
      );
    await client.until(() => client.ended === bombs + 1);
    assert.equal(client.goAway, undefined);
    await served;
    assertBounded(context, flint, before);
  });

  test('requests above the limit are refused, and those below it are answered', async (context) => {
    const flint = await scene(context);
    const client = new FloodClient(context, flint.httpPort);
    client.send('SETTINGS INITIAL_WINDOW_SIZE=0\n300 times: GET next /10');
    await client.until(() => client.resets.length === 300 - 128);
    assert.deepEqual([...new Set(client.resets)], [ErrorCode.RefusedStream]);
    client.send('SETTINGS INITIAL_WINDOW_SIZE=65535');
    await client.until(() => client.ended === 128);
    await othersAreServed(flint, 20);
  });
});

describe('slow readers', () => {
  const largeWindows = 'SETTINGS INITIAL_WINDOW_SIZE=2147483647\nWINDOW_UPDATE 0 2000000000';
  /** As many who read all of it: what a process grows to when it first does such work is not the flood's. */
  async function servedOnce(context: TestContext): Promise<FlintProcess> {
    const flint = await scene(context);
    const client = new FloodClient(context, flint.httpPort);
    client.send(`${largeWindows}\n128 times: GET next /${mib}`);
    await client.until(() => client.ended === 128);
    return flint;
  }

  test('128 streams of 1 MiB each and windows of nothing: backends wait, and the streams end', async (context) => {
    const flint = await servedOnce(context);
    const before = residentBytesOf(flint.pid);
    const client = new FloodClient(context, flint.httpPort);
    const startedMs = performance.now();
    client.send(`SETTINGS INITIAL_WINDOW_SIZE=0\n128 times: GET next /${mib}`);
    await client.until(() => client.heads === 128);
    await pause(1000);
    await othersAreServed(flint, 50);
    assertBounded(context, flint, before);
    const resets = await eventually(
      () => client.resets.length,
      (count) => count === 128,
      4 * stallMs + 15_000,
    );
    assert.equal(resets, 128);
    const lastedMs = performance.now() - startedMs;
    context.diagnostic(`ended after ${(lastedMs / 1000).toFixed(1)} s`);
    assert.ok(lastedMs >= stallMs);
    // The second look at what stands still comes with the idle timeout of the rule: either ends a stream.
    for (const code of new Set(client.resets))
      assert.ok(code === ErrorCode.EnhanceYourCalm || code === ErrorCode.InternalError, errorName(code));
    await othersAreServed(flint, 20);
    assertBounded(context, flint, before);
  });

  test('128 streams of 1 MiB each, large windows, and a socket that is not read: the connection ends', async (context) => {
    const flint = await servedOnce(context);
    const before = residentBytesOf(flint.pid);
    const client = new FloodClient(context, flint.httpPort);
    client.send(`${largeWindows}\n128 times: GET next /${mib}`);
    client.pause();
    await pause(2000);
    await othersAreServed(flint, 50);
    assertBounded(context, flint, before);
    const faults = await eventually(
      () => flint.accessLog.filter(({ path }) => path === `/${mib}`).length,
      (count) => count === 2 * 128,
      4 * stallMs + 15_000,
    );
    assert.equal(faults, 2 * 128);
    assertBounded(context, flint, before);
  });

  test('a field section that does not end: the connection does', async (context) => {
    const flint = await scene(context);
    const client = new FloodClient(context, flint.httpPort);
    client.send('GET 1 /10\nHEADERS 3\n  :method: GET');
    await client.until(() => client.goAway !== undefined);
    assert.equal(errorName(client.goAway ?? 0), 'ENHANCE_YOUR_CALM');
  });
});
