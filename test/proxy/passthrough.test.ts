// Connections that are passed through, within the limits of their upstream.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Passthrough } from '#proxy/passthrough.ts';
import { Scene, SilentSocket } from './exchange-scene.ts';

test('where no endpoint takes one more connection, that is what is said of it', () => {
  const scene = new Scene({ breaker: { connections: 1 } });
  const owner = { onConnectionIntroduced: () => true, onConnectionReplaced() {}, onConnectionClosed() {} };
  const [first, second] = [0, 1].map(() => {
    const table = scene.context.table!;
    const client = new SilentSocket('192.0.2.1');
    const hello = Buffer.from('hello');
    const route = table.fallback!;
    const each = new Passthrough(scene.context, owner, client, table, route, 'a.test', '192.0.2.1', hello);
    each.begin();
    return each;
  });
  assert.deepEqual([first!.fault, second!.fault], [undefined, 'backend-overloaded']);
  assert.equal(scene.upstream.activeRequests, 1);
  first!.onClose();
  second!.onClose();
  assert.equal(scene.upstream.activeRequests, 0);
});
