// WebSockets as a real library speaks them, through Flint to the same library: nothing of what they say is changed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { WebSocket } from 'ws';
import { startFlint } from './flint-process.ts';
import type { FlintProcess } from './flint-process.ts';
import { yaml } from './manifests.ts';
import { mib, pause } from './process-figures.ts';
import {
  closeOf,
  echo,
  exchanged,
  messageOf,
  openWebSocket,
  schemes,
  webSocketBackend,
  webSocketObjects,
} from './websockets.ts';
import type { Scheme, WebSocketBackend } from './websockets.ts';

interface Scene {
  readonly flint: FlintProcess;
  readonly backend: WebSocketBackend;
}

async function scene(
  context: TestContext,
  options: Parameters<typeof webSocketBackend>[2] = {},
  rule = {},
): Promise<Scene> {
  const backend = await webSocketBackend(context, echo, options);
  return { flint: await startFlint(context, yaml(...webSocketObjects([backend.port], rule))), backend };
}

/** Both ends of a new one. */
async function ends(
  { flint, backend }: Scene,
  scheme: Scheme,
): Promise<readonly [client: WebSocket, server: WebSocket]> {
  const client = await openWebSocket(flint, scheme);
  const server = [...backend.sockets].at(-1);
  assert.ok(server !== undefined);
  return [client, server];
}

for (const scheme of schemes)
  suite(`over ${scheme}`, () => {
    test('text, binary, nothing, and a mebibyte come back as what they were', async (context) => {
      const { flint } = await scene(context);
      const client = await openWebSocket(flint, scheme);
      for (const text of [
        '',
        'hello',
        '✓ à la carte',
        'x'.repeat(125),
        'x'.repeat(126),
        'x'.repeat(65_536),
      ]) {
        const { data, isBinary } = await exchanged(client, text);
        assert.deepEqual([data.toString(), isBinary], [text, false]);
      }
      for (const length of [0, 1, 65_535, mib, 4 * mib]) {
        const bytes = randomBytes(length);
        const { data, isBinary } = await exchanged(client, bytes);
        assert.ok(isBinary && data.equals(bytes), `${length} bytes`);
      }
      client.close();
    });

    test('a message in fragments, with a ping between them', async (context) => {
      const [client, server] = await ends(await scene(context), scheme);
      const pinged = once(server, 'ping');
      const ponged = once(client, 'pong');
      const answer = messageOf(client);
      client.send('one ', { fin: false });
      client.ping('between');
      client.send('two ', { fin: false });
      client.send('three', { fin: true });
      assert.equal((await answer).data.toString(), 'one two three');
      assert.deepEqual([String((await pinged)[0]), String((await ponged)[0])], ['between', 'between']);
      client.close();
    });

    test('pings and pongs both ways', async (context) => {
      const [client, server] = await ends(await scene(context), scheme);
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        const both = Promise.all([once(to, 'ping'), once(from, 'pong')]);
        from.ping('are you there');
        assert.deepEqual(
          (await both).map(([data]) => String(data)),
          ['are you there', 'are you there'],
        );
      }
      client.close();
    });

    test('close codes and reasons both ways; an end without one is told as such', async (context) => {
      const around = await scene(context);
      for (const [code, reason] of [
        [1000, ''],
        [1011, 'a fault'],
        [4999, 'x'.repeat(123)],
      ] as const)
        for (const closing of [0, 1]) {
          const both = await ends(around, scheme);
          const closed = both.map(closeOf);
          both[closing]?.close(code, reason);
          assert.deepEqual(await Promise.all(closed), [
            [code, reason],
            [code, reason],
          ]);
        }
      for (const ending of [0, 1]) {
        const both = await ends(around, scheme);
        const closed = both.map(closeOf);
        both[ending]?.terminate();
        assert.deepEqual(await Promise.all(closed), [
          [1006, ''],
          [1006, ''],
        ]);
      }
    });

    test('a subprotocol is chosen by the backend', async (context) => {
      const { flint } = await scene(context, {
        handleProtocols: (offered) => ([...offered].includes('v2.chat') ? 'v2.chat' : false),
      });
      const client = await openWebSocket(flint, scheme, { protocols: ['v1.chat', 'v2.chat'] });
      assert.equal(client.protocol, 'v2.chat');
      client.close();
    });

    test('compression is between the two ends, and none of it is ours', async (context) => {
      const { flint } = await scene(context, { perMessageDeflate: { threshold: 0 } });
      const client = await openWebSocket(flint, scheme, { perMessageDeflate: { threshold: 0 } });
      assert.match(client.extensions, /^permessage-deflate/);
      const text = 'over and over '.repeat(70_000);
      assert.equal((await exchanged(client, text)).data.toString(), text);
      client.close();
      await flint.until(() => flint.accessLog.length === 1);
      const { requestBytes, responseBytes } = flint.accessLog[0] as unknown as Record<string, number>;
      // Compressed messages were counted, not their contents.
      assert.ok((requestBytes ?? 0) < text.length / 10 && (responseBytes ?? 0) < text.length / 10);
      const plain = await openWebSocket(flint, scheme, { perMessageDeflate: false });
      assert.equal(plain.extensions, '');
      plain.close();
    });

    test('silence longer than the idle timeout of the rule ends it; pings from either side keep it', async (context) => {
      const around = await scene(context, {}, { timeouts: { idle: '3s' } });
      const [silent] = await ends(around, scheme);
      const isOver = closeOf(silent);
      const [pinging] = await ends(around, scheme);
      const [pinged, server] = await ends(around, scheme);
      const timers = [setInterval(() => pinging.ping(), 100), setInterval(() => server.ping(), 100)];
      assert.deepEqual(await isOver, [1006, '']);
      await pause(4000);
      for (const kept of [pinging, pinged])
        assert.equal((await exchanged(kept, 'still here')).data.toString(), 'still here');
      for (const timer of timers) clearInterval(timer);
      assert.equal(around.flint.accessLog.filter(({ fault }) => fault === 'tunnel-timeout').length, 1);
      pinging.close();
      pinged.close();
    });
  });
