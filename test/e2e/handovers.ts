// Data planes that follow one another on one port, under a load of which every request is somebody new.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { echoBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { Load } from './load.ts';
import { service, simpleRoute, yaml } from './manifests.ts';

export interface Handovers {
  /** Where the data planes listen. */
  readonly at: string;
  /** By which address clients reach them. */
  readonly from: string;
  readonly connections: number;
  readonly count: number;
  /** Requests before and after each step. */
  readonly requests: number;
}

/** Each asks to be the only one of its connection. */
const request = (number: number): string =>
  `GET /${number} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n`;

/** Fails when one request does. */
export async function handOver(context: TestContext, handovers: Handovers): Promise<void> {
  const { at, from, connections, count, requests: some } = handovers;
  const backend = await echoBackend(context, 'shop');
  const manifests = yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port]));
  const args = ['--workers', '2', '--drain-delay', '300', '--access-log', 'off', '--http'];
  let present = await startFlint(context, manifests, [...args, `${at}:0`]);
  const port = present.httpPort;
  const load = new Load({
    port: { host: from, port },
    host: 'shop.test',
    connections,
    request,
    onClose: 'reconnect',
  });
  for (let handover = 0; handover < count; handover++) {
    await load.more(some);
    const next = await startFlint(context, manifests, [...args, `${at}:${port}`]);
    await load.more(some);
    assert.equal(await present.stop('SIGTERM'), 0);
    present = next;
  }
  await load.more(some);
  const { requests, statuses, errors } = await load.stop();
  context.diagnostic(`${requests} requests over connections of their own`);
  assert.deepEqual(errors, []);
  assert.deepEqual(statuses, { 200: requests });
}
