// The clocks of a client's HTTP/2 connection, over a socket that takes what the test says.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { connectionPreface } from '#h2/frame.ts';
import { IpRanges } from '#http/ip-ranges.ts';
import { Http2Connection } from '#proxy/http2-connection.ts';
import { Peer } from '#proxy/peer.ts';
import { ProxyContext } from '#proxy/proxy-context.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import type { Socket, SocketEvents, Transport } from '#transport/transport.ts';
import { FrameParser } from '../h2/frame-notation.ts';
import { usualLimits } from '../h2/session-recorder.ts';
import { silentObserver } from './silent-observer.ts';

const limits = { ...usualLimits, chunkExtensionBytes: 4096, trailerBytes: 8192 };

/** From src/proxy/http2-connection.ts. */
const lookMs = 30_000;
/** As often as a wheel turns. */
const tickMs = 50;
const secondMs = 1000;

/** Whatever is written stays pending until `drain`. */
class SlowSocket implements Socket {
  readonly remoteAddress = '192.0.2.1';
  readonly remotePort = 4711;
  readonly localPort = 80;
  events: SocketEvents | undefined = undefined;
  pendingBytes = 0;
  readonly isEndComing = false;
  isDestroyed = false;

  write(_bytes: Buffer, start: number, end: number): boolean {
    this.pendingBytes += end - start;
    return false;
  }

  writeCopy(bytes: Buffer, start: number, end: number): boolean {
    return this.write(bytes, start, end);
  }

  pause(): void {}
  resume(): void {}
  end(): void {}

  destroy(): void {
    this.isDestroyed = true;
  }

  reset(): void {
    this.destroy();
  }
}

class Scene {
  readonly socket = new SlowSocket();
  readonly connection: Http2Connection;
  readonly #wheel: TimerWheel;
  #nowMs = 1000;
  #actions: (() => void)[] = [];

  constructor() {
    const now = (): number => this.#nowMs;
    this.#wheel = new TimerWheel(now);
    const transport: Transport = {
      canReusePort: false,
      canTurnAway: false,
      leftovers: undefined,
      listen: () => Promise.reject(new Error('not asked for')),
      connect: () => this.socket,
      afterTurn: (action) => this.#actions.push(action),
    };
    class Context extends ProxyContext {
      override now(): number {
        return now();
      }
    }
    const nobody = new IpRanges([]);
    const context = new Context(transport, this.#wheel, limits, silentObserver, nobody, nobody);
    const owner = { onConnectionIntroduced: () => true, onConnectionReplaced() {}, onConnectionClosed() {} };
    const peer = new Peer(context, this.socket.remoteAddress, 'http');
    this.connection = new Http2Connection(context, owner, this.socket, peer);
    this.receive(connectionPreface);
  }

  receive(bytes: Buffer): void {
    this.connection.onBytes(bytes);
    this.endTurn();
  }

  endTurn(): void {
    for (const action of this.#actions.splice(0)) action();
  }

  drain(): void {
    this.socket.pendingBytes = 0;
    this.connection.onDrain();
    this.endTurn();
  }

  pass(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs;) {
      this.#nowMs += tickMs;
      this.#wheel.advance();
      this.endTurn();
    }
  }
}

/** A stream that stays open, since its answer waits for a window. */
function waitingStream(): Scene {
  const scene = new Scene();
  scene.receive(new FrameParser().bytesOf('SETTINGS INITIAL_WINDOW_SIZE=0\nGET 1 /'));
  return scene;
}

suite('a client that reads slowly', () => {
  const pending = Buffer.from('12345678');
  const ping = (): Buffer => new FrameParser().bytesOf(`PING "${pending.toString()}"`);

  test('is left alone while it takes what is written, be it as much each time', () => {
    const scene = waitingStream();
    for (let look = 0; look < 2; look++) {
      scene.drain();
      scene.receive(ping());
      assert.ok(scene.socket.pendingBytes > 0);
      scene.pass(lookMs + secondMs);
    }
    assert.equal(scene.socket.isDestroyed, false);
  });

  test('is ended when it has taken nothing from one look to the next', () => {
    const scene = waitingStream();
    scene.drain();
    scene.receive(ping());
    scene.pass(2 * lookMs + 2 * secondMs);
    assert.equal(scene.socket.isDestroyed, true);
  });
});

test('a stream that begins between the two GOAWAYs of a drain does not put the second one off', () => {
  const scene = new Scene();
  scene.receive(new FrameParser().bytesOf('SETTINGS INITIAL_WINDOW_SIZE=0'));
  scene.connection.announceEnd();
  scene.receive(new FrameParser().bytesOf('GET 1 /\nHEADERS 3\n  :method: GET'));
  assert.equal(scene.connection.session.takesNoStreams, false);
  scene.pass(2 * secondMs);
  assert.equal(scene.connection.session.takesNoStreams, true);
  assert.equal(scene.connection.session.openStreams, 1);
});
