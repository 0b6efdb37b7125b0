// One request from its head to its end, with backends that do what the test says: what is left behind when it ends early.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { connectionPreface } from '#h2/frame.ts';
import type { Filter } from '#model/filters.ts';
import { Http2Connection } from '#proxy/http2-connection.ts';
import { Peer } from '#proxy/peer.ts';
import { FrameParser } from '../h2/frame-notation.ts';
import { Scene, SilentSocket } from './exchange-scene.ts';

suite('a request that waits for room', () => {
  test('is forgotten with its client, also after a backend has refused it', () => {
    const scene = new Scene({ protocol: 'HTTP/2', endpoints: 2, breaker: { endpointActiveRequests: 1 } });
    const first = scene.ask();
    const [socket] = scene.sockets;
    const other = scene.upstream.pick([])!;
    assert.notEqual(other.address, socket!.remoteAddress);
    other.enter();
    socket!.events.onConnect();
    socket!.events.onBytes(new FrameParser().bytesOf('SETTINGS\nRST_STREAM 1 REFUSED_STREAM'));
    scene.endTurn();
    assert.deepEqual([scene.sockets.length, first.hasEnded], [1, false], 'it waits for the other one');
    first.exchange.onDownstreamClose();
    assert.deepEqual(scene.ended, ['0 client-closed']);
    other.leave();
    scene.endTurn();
    assert.deepEqual([scene.sockets.length, scene.upstream.activeRequests], [1, 0]);
  });

  test('goes on when a connection of HTTP/2 has made way, with nobody else to wake it', () => {
    const scene = new Scene({ protocol: 'HTTP/2', breaker: { connections: 1 } });
    scene.ask();
    const [socket] = scene.sockets;
    const frames = new FrameParser();
    socket!.events.onConnect();
    socket!.events.onBytes(frames.bytesOf('SETTINGS MAX_CONCURRENT_STREAMS=1'));
    scene.endTurn();
    scene.ask();
    socket!.events.onBytes(frames.bytesOf('GOAWAY 1 NO_ERROR'));
    scene.endTurn();
    socket!.events.onBytes(frames.bytesOf('HEADERS 1 END_STREAM END_HEADERS\n  :status: 200'));
    scene.endTurn();
    assert.deepEqual(scene.ended, ['200 fine']);
    assert.deepEqual([socket!.isDestroyed, scene.sockets.length], [true, 2]);
  });

  test('has all of its time for a body that comes slowly afterwards', () => {
    const scene = new Scene({ breaker: { endpointActiveRequests: 1 } });
    const only = scene.upstream.pick([])!;
    only.enter();
    const client = scene.ask('PUT', false);
    scene.pass(1000);
    only.leave();
    scene.endTurn();
    const [socket] = scene.sockets;
    socket!.events.onConnect();
    for (let piece = 0; piece < 5; piece++) {
      client.send('piece');
      scene.pass(4000);
    }
    client.end();
    scene.pass(1000);
    assert.deepEqual(scene.ended, [], 'its answer may take as long as any');
    socket!.answer();
    assert.deepEqual(scene.ended, ['200 fine']);
  });

  test('and has no time left then is not held against the endpoint that was to have it', () => {
    const scene = new Scene({ breaker: { endpointActiveRequests: 1 } });
    const only = scene.upstream.pick([])!;
    only.enter();
    scene.ask();
    scene.pass(9900);
    only.leave();
    scene.endTurn();
    assert.equal(scene.sockets.length, 1);
    scene.pass(500);
    assert.deepEqual(scene.ended, ['504 request-timeout']);
    assert.ok(only.outlier.isBlameless);
  });
});

suite('a retry', () => {
  test('goes to the same endpoint where the other one has gone meanwhile', () => {
    const retry: Filter = { kind: 'Retry', attempts: 1, codes: [503], backoffMs: 100 };
    const scene = new Scene({ endpoints: 2, filters: [retry] });
    scene.ask();
    const [first] = scene.sockets;
    first!.events.onConnect();
    first!.answer('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
    scene.upstream.update({
      ...scene.model,
      endpoints: scene.model.endpoints.filter(({ address }) => address === first!.remoteAddress),
    });
    scene.pass(300);
    const second = scene.sockets[1];
    assert.equal(second?.remoteAddress, first!.remoteAddress);
    second.events.onConnect();
    second.answer();
    assert.deepEqual(scene.ended, ['200 fine']);
  });
});

suite('limits of connections', () => {
  test('count those to endpoints that are about to go', () => {
    const scene = new Scene({ endpoints: 2, breaker: { connections: 2 } });
    for (let request = 0; request < 2; request++) scene.ask();
    const [leaving, staying] = scene.sockets;
    for (const { events } of scene.sockets) events.onConnect();
    scene.upstream.update({
      ...scene.model,
      endpoints: scene.model.endpoints.map((each) => ({
        ...each,
        state: each.address === leaving!.remoteAddress ? 'Terminating' : 'Ready',
      })),
    });
    staying!.answer();
    // Over a fresh connection.
    scene.ask('POST');
    assert.equal(scene.sockets.length, 3);
    assert.deepEqual(
      scene.sockets.map(({ isDestroyed }) => isDestroyed),
      [false, true, false],
    );
  });
});

suite('what is held against an endpoint', () => {
  test('is less after it has opened a WebSocket: it can be reached', () => {
    const scene = new Scene({});
    const only = scene.upstream.pick([])!;
    only.onConnectFailure();
    scene.ask('GET', true, true);
    const [socket] = scene.sockets;
    socket!.events.onConnect();
    socket!.answer('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    assert.ok(only.outlier.isBlameless);
  });
});

suite('a body that is kept to be sent again', () => {
  const kept = 'x'.repeat(60_000);

  test('counts as held while it may be needed, and goes when the answer has begun', () => {
    const scene = new Scene({});
    const client = scene.ask('PUT', false);
    const [socket] = scene.sockets;
    socket!.events.onConnect();
    client.send(kept);
    assert.ok(client.exchange.heldBytes >= kept.length);
    client.end();
    socket!.answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    assert.ok(client.exchange.heldBytes < kept.length);
  });

  test('is given up with its stream of HTTP/2 when memory is short', () => {
    const scene = new Scene({});
    const owner = { onConnectionIntroduced: () => true, onConnectionReplaced() {}, onConnectionClosed() {} };
    const peer = new Peer(scene.context, '192.0.2.1', 'http');
    const client = new SilentSocket('192.0.2.1');
    const connection = new Http2Connection(scene.context, owner, client, peer);
    const frames = new FrameParser();
    const head = ':method: PUT\n  :scheme: http\n  :path: /\n  :authority: shop.test';
    connection.onBytes(Buffer.concat([connectionPreface, frames.bytesOf('SETTINGS')]));
    for (const stream of [1, 3])
      connection.onBytes(frames.bytesOf(`HEADERS ${stream} END_HEADERS\n  ${head}`));
    for (const { events } of scene.sockets) events.onConnect();
    for (let piece = 0; piece < 4; piece++)
      connection.onBytes(frames.bytesOf(`DATA 1 "${kept.slice(45_000)}"`));
    scene.endTurn();
    assert.ok(connection.heldBytes >= kept.length);
    connection.shed(16_384);
    scene.endTurn();
    assert.deepEqual(scene.ended, ['503 overloaded']);
    assert.ok(connection.heldBytes < 1000);
  });

  test('is sent again to its last byte, also when the first answer comes in the middle of it', () => {
    const retry: Filter = { kind: 'Retry', attempts: 2, codes: [503], backoffMs: 100 };
    const scene = new Scene({ endpoints: 2, filters: [retry] });
    const client = scene.ask('PUT', false);
    scene.sockets[0]!.events.onConnect();
    client.send('one ');
    scene.sockets[0]!.answer('HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nhalf of it');
    assert.equal(client.exchange.takesRequestBody, false);
    scene.pass(300);
    scene.sockets[1]!.events.onConnect();
    assert.ok(client.exchange.takesRequestBody);
    client.send('two');
    client.end();
    assert.match(scene.sockets[1]!.received, /\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n$/);
    scene.sockets[1]!.answer();
    assert.deepEqual(scene.ended, ['200 fine']);
    assert.equal(scene.upstream.activeRequests, 0);
  });
});
