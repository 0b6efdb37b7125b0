// Ten thousand clients that said something once: what each of them costs, and that nothing stays when they go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawBackend } from './backends.ts';
import { startFlint } from './flint-process.ts';
import { ask, closeAll, inTurns, openClient } from './many-clients.ts';
import type { Client } from './many-clients.ts';
import { service, simpleRoute, yaml } from './manifests.ts';
import {
  descriptorsOf,
  eventually,
  kib,
  mib,
  ownDescriptorLimit,
  residentBytesOf,
} from './process-figures.ts';

const limit = ownDescriptorLimit();
/** Flint keeps one more for the way to a backend, and some for itself: a limit of 20,000 has room for a few less. */
const connections = Math.min(10_000, Math.floor((limit - 600) / 200) * 100);
const fewest = 5000;
const get = 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n';

test(
  `${connections} idle keep-alive connections: all served, under 24 KiB each, nothing left behind`,
  {
    skip:
      connections < fewest ? `a limit of ${limit} descriptors is too low for ${fewest} connections` : false,
  },
  async (context) => {
    const backend = await rawBackend(context, (socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const flint = await startFlint(
      context,
      yaml(simpleRoute('shop.test', 'shop'), ...service('shop', [backend.port])),
      ['--access-log', 'off', '--workers', '1'],
      { descriptorLimit: limit },
    );
    const { pid } = flint;
    const descriptorsBefore = descriptorsOf(pid);

    /** Opens them all, one request each, and gives those that were not answered with 200. */
    const fill = async (count: number): Promise<Client[]> => {
      const clients: Client[] = [];
      const refused: number[] = [];
      await inTurns(count, 50, async (number) => {
        // One address has about 28,000 ports, of which closed connections hold some for a minute.
        const client = openClient(flint.httpPort, `127.0.0.${2 + (number % 8)}`);
        clients.push(client);
        const status = await ask(client, get);
        if (status !== 200) refused.push(status);
      });
      assert.deepEqual(refused, []);
      return clients;
    };
    const empty = async (clients: readonly Client[]): Promise<void> => {
      closeAll(clients);
      const left = await eventually(
        () => descriptorsOf(pid),
        (count) => count <= descriptorsBefore,
      );
      assert.ok(left <= descriptorsBefore, `${left - descriptorsBefore} descriptors are left`);
    };

    // Warm: code is compiled, heaps have their first size.
    await empty(await fill(1000));
    const residentBefore = residentBytesOf(pid);
    const clients = await fill(connections);
    assert.ok(descriptorsOf(pid) >= connections);
    const each = (residentBytesOf(pid) - residentBefore) / connections;
    context.diagnostic(`${(each / kib).toFixed(1)} KiB resident per idle connection`);
    assert.ok(each < 24 * kib, `${each} bytes each`);

    const sample = clients.filter((_, index) => index % 37 === 0);
    const again = await Promise.all(sample.map((client) => ask(client, get)));
    assert.deepEqual([...new Set(again)], [200]);
    assert.equal(clients.filter(({ isClosed }) => isClosed).length, 0);
    await empty(clients);
    context.diagnostic(
      `${((residentBytesOf(pid) - residentBefore) / mib).toFixed(1)} MiB more than before, after they have gone`,
    );

    // Runtimes give memory back when they like, but what has not leaked serves those who come next.
    await empty(await fill(connections));
    const twice = (residentBytesOf(pid) - residentBefore) / connections;
    context.diagnostic(
      `${(twice / kib).toFixed(1)} KiB per connection after as many have come and gone again`,
    );
    assert.ok(twice < 24 * kib, `${twice} bytes each`);
  },
);
