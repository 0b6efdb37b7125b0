// Requests whose clients and backends do anything at any time leave nothing behind, and none that must not be sent twice is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Filter } from '#model/filters.ts';
import { FrameParser } from '../h2/frame-notation.ts';
import { Scene } from './exchange-scene.ts';
import type { BackendSocket, Client, Terms } from './exchange-scene.ts';

/** What happens next, and to whom: numbers, so that what fails shrinks. */
interface Step {
  readonly action: number;
  readonly whom: number;
  readonly how: number;
}

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const step: fc.Arbitrary<Step> = fc.record({ action: upTo(15), whom: upTo(9), how: upTo(9) });

const filters: fc.Arbitrary<readonly Filter[]> = fc.constantFrom(
  [],
  [{ kind: 'Retry', attempts: 3, codes: [502, 503], backoffMs: 0 }],
  [
    { kind: 'ConcurrentRequests', most: 6 },
    { kind: 'Retry', attempts: 1, codes: [503], backoffMs: 100 },
  ],
);

const terms: fc.Arbitrary<Terms> = fc.record({
  protocol: fc.constantFrom('HTTP/1.1', 'HTTP/2'),
  endpoints: fc.integer({ min: 1, max: 3 }),
  breaker: fc.record({
    connections: upTo(3),
    activeRequests: upTo(5),
    endpointConnections: upTo(2),
    endpointActiveRequests: upTo(3),
    pendingRequests: upTo(5),
  }),
  filters,
  timeouts: fc.record({
    requestMs: fc.constantFrom(0, 1000, 5000),
    backendRequestMs: fc.constantFrom(0, 300, 1000),
    idleMs: fc.constant(1000),
  }),
});

const answers: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nnope',
  'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nhalf',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'no HTTP\r\n\r\n',
];
const frames: readonly ((id: number) => string)[] = [
  (id) => `HEADERS ${id} END_STREAM END_HEADERS\n  :status: 200`,
  (id) => `HEADERS ${id} END_STREAM END_HEADERS\n  :status: 503`,
  (id) => `RST_STREAM ${id} REFUSED_STREAM`,
  (id) => `RST_STREAM ${id} CANCEL`,
  (id) => `GOAWAY ${id} NO_ERROR`,
];

class World {
  readonly scene: Scene;
  readonly clients: Client[] = [];
  readonly #isHttp2: boolean;
  readonly #connected = new Set<BackendSocket>();
  readonly #closed = new Set<BackendSocket>();

  constructor(of: Terms) {
    this.scene = new Scene(of);
    this.#isHttp2 = of.protocol === 'HTTP/2';
  }

  take({ action, whom, how }: Step): void {
    const { scene } = this;
    const waiting = this.clients.filter(({ hasEnded }) => !hasEnded);
    const client = waiting[whom % Math.max(1, waiting.length)];
    const open = scene.sockets.filter((socket) => !socket.isDestroyed && !this.#closed.has(socket));
    const socket = open[whom % Math.max(1, open.length)];
    if (action < 4) this.clients.push(scene.ask(['GET', 'PUT', 'POST'][how % 3], how % 3 === 0));
    else if (action === 4) scene.pass(50 + 60 * how);
    else if (action === 5) scene.upstream.update(this.#changed(how));
    else if (action < 10) {
      if (client !== undefined) this.#byClient(client, action, how);
    } else if (socket !== undefined) this.#byBackend(socket, how);
    if (how % 3 > 0) scene.endTurn();
  }

  #changed(how: number): Scene['model'] {
    const { model } = this.scene;
    const endpoints = model.endpoints.slice(how % 2);
    return {
      ...model,
      policies: how < 5 ? model.policies : [],
      endpoints: endpoints.map((each) => ({ ...each, state: how % 4 === 0 ? 'Terminating' : 'Ready' })),
    };
  }

  #byClient(client: Client, action: number, how: number): void {
    const { exchange } = client;
    const mayEnd = !client.isRequestComplete && exchange.takesRequestBody;
    if (action === 6 && mayEnd) client.send('x'.repeat(1 + how * 4000));
    else if (action === 7 && mayEnd) client.end();
    else if (action === 8) exchange.onDownstreamClose();
    else if (action === 9 && how < 2) exchange.shed();
  }

  #byBackend(socket: BackendSocket, how: number): void {
    const { events } = socket;
    if (how === 9) {
      this.#closed.add(socket);
      events.onClose(this.#connected.has(socket) ? 'ECONNRESET' : 'ECONNREFUSED');
    } else if (!this.#connected.has(socket)) {
      this.#connected.add(socket);
      events.onConnect();
      if (this.#isHttp2) events.onBytes(new FrameParser().bytesOf('SETTINGS MAX_CONCURRENT_STREAMS=2'));
    } else if (this.#isHttp2) {
      // A stream that has not left yet would be none.
      this.scene.endTurn();
      const frame = frames[how % frames.length]!;
      events.onBytes(new FrameParser().bytesOf(frame(1 + 2 * (socket.received.length % 3))));
    } else if (how === 8) events.onEnd();
    else socket.answer(answers[how % answers.length]);
  }

  end(): void {
    const { scene } = this;
    for (const { hasEnded, exchange } of this.clients) if (!hasEnded) exchange.onDownstreamClose();
    scene.endTurn();
    const sockets = scene.sockets.length;
    scene.pass(10_000);
    assert.equal(scene.sockets.length, sockets, 'nobody asks any more');
    assert.equal(scene.ended.length, this.clients.length, 'each ends once');
    assert.deepEqual([scene.upstream.activeRequests, scene.context.activeExchanges], [0, 0]);
    assert.equal(scene.upstream.isBusy, false, 'nobody is served, or waits');
    const route = scene.context.table!.fallback!;
    for (let request = 0; request < 6; request++)
      assert.notEqual(scene.context.concurrentRequests.enter(route, 6), undefined);
  }

  /** How often each POST was sent, over HTTP/1.1. */
  get deliveries(): readonly number[] {
    const counts = new Map<string, number>();
    for (const { received } of this.scene.sockets)
      for (const [, id = ''] of received.matchAll(/^POST (?:.+\r\n)*?x-request-id: (\S+)/gim))
        counts.set(id, (counts.get(id) ?? 0) + 1);
    return [...counts.values()];
  }
}

test('whatever happens, nothing is left behind, and no POST is sent twice', () => {
  let posts = 0;
  fc.assert(
    fc.property(terms, fc.array(step, { maxLength: 120, size: 'max' }), (of, steps) => {
      const world = new World(of);
      for (const each of steps) world.take(each);
      world.end();
      const { deliveries } = world;
      posts += deliveries.length;
      assert.ok(deliveries.every((count) => count === 1));
    }),
    { numRuns: 300 },
  );
  assert.ok(posts > 0, 'there were some');
});
