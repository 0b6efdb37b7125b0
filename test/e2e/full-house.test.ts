// As many connections as there may be: who makes way, who waits, and that no client keeps the others out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { rawBackend } from './backends.ts';
import { runtime, startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { ask, closeAll, openClient } from './many-clients.ts';
import type { Client } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import { eventually, pause } from './process-figures.ts';

const most = 20;
/** Who has been silent for so long is idle, whatever the machine does meanwhile. */
const rest = 500;
const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';
/** Bun's listeners are our own, and can leave clients in the queue of the kernel. */
const canWait = runtime === 'bun';

interface Scene {
  readonly flint: FlintProcess;
  /** Answers every request that waits, and all that come from now on. */
  readonly release: () => void;
  /** Requests that wait. */
  readonly waiting: readonly unknown[];
}

/** One worker with room for 20, and a backend that answers nothing before it is released. */
async function scene(context: TestContext, settings: readonly string[] = []): Promise<Scene> {
  let isReleased = false;
  const waiting: (() => void)[] = [];
  const backend = await rawBackend(context, (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return;
    const answer = (): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    if (isReleased) answer();
    else waiting.push(answer);
  });
  const flint = await startFlint(
    context,
    yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
    [
      '--workers',
      '1',
      '--access-log',
      'off',
      ...[`limits.connections=${most}`, ...settings].flatMap((setting) => ['--set', setting]),
    ],
  );
  const release = (): void => {
    isReleased = true;
    for (const answer of waiting.splice(0)) answer();
  };
  return { flint, release, waiting };
}

/** From 127.0.0.`client` each. */
function open(flint: FlintProcess, clients: readonly number[]): Client[] {
  return clients.map((client) => openClient(flint.httpPort, `127.0.0.${client}`));
}

/** Resolves when Flint counts as many open connections. */
function untilOpen(flint: FlintProcess, count: number): Promise<void> {
  return untilMetric(flint, 'flint_connections', (value) => value === count);
}

function untilActive(flint: FlintProcess, count: number): Promise<void> {
  return untilMetric(flint, 'flint_active_requests', (value) => value === count);
}

async function untilMetric(
  flint: FlintProcess,
  series: string,
  isGood: (value: number) => boolean,
): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const value = await flint.metric(series);
    if (isGood(value)) return;
    assert.ok(performance.now() < endMs, `${series} is still ${value}`);
    await pause(20);
  }
}

function refused(flint: FlintProcess, reason: string): Promise<number> {
  return flint.metric(`flint_refused_connections_total{reason="${reason}"}`);
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

describe('a full house', { concurrency: 2 }, () => {
  test('nobody is idle: whoever comes waits and is served, or is refused where a listener cannot wait', async (context) => {
    const { flint, release } = await scene(context);
    const inside = open(flint, range(10, most));
    const answers = inside.map((client) => ask(client, get));
    await untilActive(flint, most);
    const outside = open(flint, range(50, 10));
    const late = outside.map((client) => ask(client, get));
    if (canWait) {
      // Longer than anybody has patience with one client alone.
      await pause(2000);
      assert.equal(outside.filter(({ isClosed }) => isClosed).length, 0);
    } else {
      assert.deepEqual(new Set(await Promise.all(late)), new Set([0]));
      assert.equal(await refused(flint, 'no-room'), 10);
    }
    release();
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
    if (canWait) {
      assert.deepEqual(new Set(await Promise.all(late)), new Set([200]));
      assert.equal(await refused(flint, 'no-room'), 0);
    } else {
      // Their answers have ended the connections, so that others get their turn.
      await untilOpen(flint, 0);
      const [again] = open(flint, [50]);
      assert.equal(await ask(again!, get), 200);
    }
    closeAll([...inside, ...outside]);
  });

  test('a client that leaves makes room for one that waits', { skip: !canWait }, async (context) => {
    const { flint, release, waiting } = await scene(context);
    const inside = open(flint, range(10, most));
    for (const client of inside) void ask(client, get);
    await untilActive(flint, most);
    const [outside] = open(flint, [50]);
    const answer = ask(outside!, get);
    // A FIN alone would leave it waiting for its answer.
    inside[0]!.socket.resetAndDestroy();
    // All that were asked first, and the late one.
    const asked = await eventually(
      () => waiting.length,
      (count) => count === most + 1,
    );
    assert.equal(asked, most + 1);
    release();
    assert.equal(await answer, 200);
    closeAll([...inside, outside!]);
  });

  test('the client that has most gives way first, and what is idle longest of it', async (context) => {
    const { flint, release } = await scene(context);
    release();
    const few = open(flint, [2, 2, 2, 3]);
    for (const client of few) assert.equal(await ask(client, get), 200);
    await pause(rest);
    const many = open(
      flint,
      Array.from({ length: most - few.length }, () => 4),
    );
    for (const client of many) assert.equal(await ask(client, get), 200);
    await pause(rest);
    const others = open(flint, range(50, 6));
    for (const client of others) assert.equal(await ask(client, get), 200);
    await eventually(
      () => many.filter(({ isClosed }) => isClosed).length,
      (count) => count === 6,
    );
    assert.deepEqual(
      many.map(({ isClosed }) => isClosed),
      many.map((_, index) => index < 6),
      'the oldest of the one that has most',
    );
    assert.equal([...few, ...others].filter(({ isClosed }) => isClosed).length, 0);
    assert.equal(await flint.metric('flint_displaced_connections_total{state="idle"}'), 6);
    closeAll([...few, ...many, ...others]);
  });

  test('a client that keeps everything busy does not keep others out, nor does its flood', async (context) => {
    const { flint, release } = await scene(context);
    const other = open(flint, [2]);
    const first = ask(other[0]!, get);
    await untilActive(flint, 1);
    const greedy = open(
      flint,
      Array.from({ length: most - 1 }, () => 4),
    );
    for (const client of greedy) void ask(client, get);
    await untilActive(flint, most);
    const flood = open(
      flint,
      Array.from({ length: 100 }, () => 4),
    );
    for (const client of flood) void ask(client, get);
    const newcomers: Client[] = [];
    let answer: Promise<number> | undefined = undefined;
    // Where it is refused at first, a client tries again.
    const endMs = performance.now() + 30_000;
    while ((await flint.metric('flint_displaced_connections_total{state="busy"}')) === 0) {
      assert.ok(performance.now() < endMs, 'no room was made');
      if (newcomers.at(-1)?.isClosed !== false) {
        newcomers.push(...open(flint, [3]));
        answer = ask(newcomers.at(-1)!, get);
      }
      await pause(50);
    }
    release();
    assert.equal(await answer, 200);
    assert.equal(await first, 200, 'nobody else was touched');
    assert.equal(await flint.metric('flint_displaced_connections_total{state="busy"}'), 1);
    closeAll([...other, ...greedy, ...flood, ...newcomers]);
  });

  test('one client may have so many connections', async (context) => {
    const { flint, release } = await scene(context, ['limits.connectionsPerClient=5']);
    release();
    const clients = open(flint, [2, 2, 2, 2, 2, 2, 2, 2, 3]);
    const statuses = await Promise.all(clients.map((client) => ask(client, get)));
    assert.deepEqual(
      statuses.sort((a, b) => a - b),
      [0, 0, 0, 200, 200, 200, 200, 200, 200],
    );
    assert.equal(await refused(flint, 'client-limit'), 3);
    // Whoever goes makes room for another one of its own.
    closeAll(clients.slice(0, 8));
    await untilOpen(flint, 1);
    const again = open(flint, [2]);
    assert.equal(await ask(again[0]!, get), 200);
    closeAll([...clients, ...again]);
  });

  test('behind a load balancer a client is whom its PROXY protocol header names', async (context) => {
    const { flint, release } = await scene(context, [
      'limits.connectionsPerClient=2',
      'proxyProtocol=127.0.0.1/32',
    ]);
    release();
    const speakFor = (address: string): Promise<number> => {
      const client = openClient(flint.httpPort);
      context.after(() => client.socket.destroy());
      return ask(client, `PROXY TCP4 ${address} 10.0.0.1 4711 443\r\n${get}`);
    };
    for (const last of range(1, 6)) assert.equal(await speakFor(`203.0.113.${last}`), 200);
    assert.equal(await speakFor('203.0.113.1'), 200);
    assert.equal(await speakFor('203.0.113.1'), 0);
    assert.equal(await speakFor('203.0.113.2'), 200);
    assert.equal(await refused(flint, 'client-limit'), 1);
  });

  test('a flood of one client at the cap costs little', async (context) => {
    const { flint } = await scene(context);
    const inside = open(flint, range(10, most));
    for (const client of inside) void ask(client, get);
    await untilActive(flint, most);
    const flood = open(
      flint,
      Array.from({ length: 500 }, () => 4),
    );
    await pause(1000);
    // Nobody who is being served notices.
    assert.equal(inside.filter(({ isClosed }) => isClosed).length, 0);
    assert.equal(await flint.metric('flint_active_requests'), most);
    closeAll([...inside, ...flood]);
  });
});
