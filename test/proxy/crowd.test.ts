// Who makes way when there is no room: by client, by how long it has been idle, and how much looking that costs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultParserLimits } from '#h1/parser-limits.ts';
import { IpRanges } from '#http/ip-ranges.ts';
import { clientKey } from '#proxy/client-share.ts';
import { Crowd } from '#proxy/crowd.ts';
import type { OpenConnection } from '#proxy/open-connection.ts';
import { ProxyContext } from '#proxy/proxy-context.ts';
import type { Refusal } from '#proxy/connection-words.ts';
import { nodeTransport } from '#transport/node.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import { silentObserver } from './silent-observer.ts';

let looks = 0;

class Connection implements OpenConnection {
  readonly heldBytes = 0;
  readonly client: string;
  isBusy = false;
  idleSinceMs: number;
  isDestroyed = false;

  constructor(client: string, idleSinceMs: number) {
    this.client = client;
    this.idleSinceMs = idleSinceMs;
  }

  get isIdle(): boolean {
    looks++;
    return !this.isBusy;
  }

  announceEnd(): void {}
  closeWaiting(): void {}
  shed(): void {}
  destroy(): void {
    this.isDestroyed = true;
  }
}

class Scene {
  readonly crowd: Crowd;
  readonly context: ProxyContext;
  readonly displaced: Connection[] = [];
  nowMs = 10_000;

  constructor(most: number, trusted: readonly string[] = [], introducers: readonly string[] = []) {
    const now = (): number => this.nowMs;
    class Context extends ProxyContext {
      override now(): number {
        return now();
      }
    }
    const [timers, proxies, peers] = [new TimerWheel(), new IpRanges(trusted), new IpRanges(introducers)];
    this.context = new Context(nodeTransport, timers, defaultParserLimits, silentObserver, proxies, peers);
    this.crowd = new Crowd(this.context, most);
  }

  /** As a server does it. A second passes for each. */
  come(client: string, isBusy = false): Connection | Refusal {
    this.nowMs += 1000;
    return this.comeNow(client, isBusy);
  }

  comeNow(client: string, isBusy = false): Connection | Refusal {
    const share = this.crowd.shareOf(client);
    const isRoom = !this.crowd.isFull && !this.crowd.isHoldingUp(share);
    const refusal = isRoom ? undefined : this.crowd.makeWay(share);
    if (refusal !== undefined) return refusal;
    const connection = new Connection(client, this.nowMs);
    connection.isBusy = isBusy;
    this.crowd.add(connection, share);
    return connection;
  }

  /** Clients of connections that have been ended, in that order, since the last call. */
  left(all: readonly (Connection | Refusal)[]): string[] {
    return all.flatMap((each) => (typeof each === 'object' && each.isDestroyed ? [each.client] : []));
  }
}

test('of equals the one that has been idle longest goes', () => {
  const scene = new Scene(4);
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((client) => scene.come(client));
  assert.deepEqual(scene.left(all), ['a', 'b']);
  assert.equal(scene.crowd.size, 4);
});

test('whoever has most gives way until it has no more than others, and then they take turns', () => {
  const scene = new Scene(9);
  const all = ['b', 'b', 'a', 'a', 'a', 'a', 'a', 'c', 'c'].map((client) => scene.come(client));
  const order: string[] = [];
  for (const client of ['d', 'e', 'f', 'g', 'h']) {
    const before = scene.left(all);
    scene.come(client);
    order.push(...scene.left(all).slice(before.length));
  }
  assert.equal(scene.left(all).filter((client) => client === 'a').length, 4);
  assert.equal(scene.left(all).filter((client) => client === 'b').length, 1);
});

test('a client gives up its own, not those of others that have less', () => {
  const scene = new Scene(5);
  const all = ['b', 'a', 'a', 'a', 'a'].map((client) => scene.come(client));
  all.push(scene.come('a'));
  assert.deepEqual(scene.left(all), ['a']);
  for (const each of all) if (typeof each === 'object' && each.client === 'a') each.isBusy = true;
  assert.equal(scene.come('a'), 'largest-client');
  assert.deepEqual(scene.left(all), ['a'], 'b is idle, and stays');
  assert.equal(typeof scene.come('c'), 'object', 'for another one it goes');
  assert.deepEqual(scene.left(all), ['b', 'a']);
});

test('nobody is idle: no room, and after a second that of whoever has more than half', () => {
  const scene = new Scene(4);
  const all = ['b', 'a', 'a', 'a'].map((client) => scene.come(client, true));
  assert.equal(scene.comeNow('c', true), 'no-room');
  assert.equal(scene.context.endsConnections, true, 'those who wait get their turn');
  assert.equal(scene.comeNow('a', true), 'no-room');
  scene.nowMs += 1000;
  assert.equal(scene.comeNow('a', true), 'largest-client');
  assert.equal(typeof scene.comeNow('c', true), 'object');
  assert.deepEqual(scene.left(all), ['a']);
  // No more than half: nobody who is being served is ended.
  scene.nowMs += 2000;
  assert.equal(scene.comeNow('d', true), 'no-room');
});

test('room that there is at last is not for the client that others have waited behind', () => {
  const scene = new Scene(4);
  const all = ['a', 'a', 'a', 'b'].map((client) => scene.come(client, true));
  scene.comeNow('c', true);
  scene.nowMs += 1000;
  scene.crowd.delete(all[3] as Connection);
  assert.equal(scene.comeNow('a', true), 'largest-client');
  assert.equal(typeof scene.comeNow('c', true), 'object');
});

test('a proxy that speaks for many gives way like as many clients', () => {
  const scene = new Scene(4, ['10.0.0.1']);
  const all = ['10.0.0.1', '10.0.0.1', '192.0.2.1', '192.0.2.1'].map((client) => scene.come(client));
  all.push(scene.come('10.0.0.1'));
  assert.deepEqual(scene.left(all), ['192.0.2.1'], 'it has most');
});

test('a client is whom a peer names, once it does', () => {
  const scene = new Scene(10, [], ['10.0.0.1']);
  const first = scene.come('10.0.0.1') as Connection;
  assert.equal(scene.crowd.shareOf('10.0.0.1').isOfMany, true);
  assert.equal(scene.crowd.introduce(first, '192.0.2.1')?.count, 1);
  assert.equal(scene.crowd.introduce(scene.come('10.0.0.1') as Connection, '192.0.2.1')?.count, 2);
  assert.equal(scene.crowd.shareOf('10.0.0.1').count, 0);
  scene.crowd.delete(first);
  assert.equal(scene.crowd.shareOf('192.0.2.1').count, 1);
});

test('of IPv6 the first half is the client', () => {
  assert.equal(clientKey('2001:db8::1'), clientKey('2001:db8::ffff:1'));
  assert.notEqual(clientKey('2001:db8::1'), clientKey('2001:db8:0:1::1'));
  assert.equal(clientKey('192.0.2.1'), '192.0.2.1');
});

test('a flood costs no search for each of its connections', () => {
  const most = 6400;
  const scene = new Scene(most);
  for (let number = 0; number < most; number++) scene.comeNow(`192.0.${number >> 8}.${number & 255}`);
  scene.nowMs += 1000;
  looks = 0;
  for (let number = 0; number < 5000; number++) scene.comeNow('198.51.100.1');
  // 100 make way by each search of 6400.
  assert.ok(looks < 5000 * 80, `${looks} looks`);
  const busy = new Scene(most);
  for (let number = 0; number < most; number++) busy.comeNow(`192.0.${number >> 8}.${number & 255}`, true);
  looks = 0;
  for (let number = 0; number < 5000; number++) assert.equal(busy.comeNow('198.51.100.1'), 'no-room');
  assert.ok(looks <= most, `${looks} looks`);
});
