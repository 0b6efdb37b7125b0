// A worker with one rule, and clients and backends that do what the test says, in its own time.
import { BodyFraming, RequestHead } from '#http/message-head.ts';
import { defaultSettings } from '#model/default-settings.ts';
import type { Filter } from '#model/filters.ts';
import { plainBackend } from '#model/plain-terms.ts';
import type { Timeouts } from '#model/route-model.ts';
import type { CircuitBreaker } from '#model/upstream-policies.ts';
import { IpRanges } from '#http/ip-ranges.ts';
import type { Downstream } from '#proxy/downstream.ts';
import type { Exchange } from '#proxy/exchange.ts';
import { untrustedForwarding } from '#proxy/forwarding.ts';
import { ProxyContext } from '#proxy/proxy-context.ts';
import type { ProxyObserver } from '#proxy/proxy-context.ts';
import { CompiledRoute } from '#route/compiled-route.ts';
import { TimerWheel } from '#transport/timer-wheel.ts';
import type { ConnectEvents, Socket, SocketEvents } from '#transport/transport.ts';
import { alone } from '#upstream/surroundings.ts';
import { Upstream } from '#upstream/upstream.ts';
import type { ServedUpstream } from '#upstream/upstream.ts';
import { usualLimits } from '../h2/session-recorder.ts';
import { silentObserver } from './silent-observer.ts';

const limits = { ...usualLimits, chunkExtensionBytes: 4096, trailerBytes: 8192 };
const tickMs = 50;

/** Takes everything at once. */
export class SilentSocket implements Socket {
  readonly remoteAddress: string;
  readonly remotePort = 8080;
  readonly localPort = 4711;
  readonly pendingBytes = 0;
  readonly isEndComing = false;
  events: SocketEvents | undefined = undefined;
  received = '';
  isDestroyed = false;

  constructor(address: string) {
    this.remoteAddress = address;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    this.received += bytes.toString('latin1', start, end);
    return true;
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

/** One connection to a backend. */
export class BackendSocket extends SilentSocket {
  declare events: ConnectEvents;

  constructor(address: string, events: ConnectEvents) {
    super(address);
    this.events = events;
  }

  answer(text = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'): void {
    this.events.onBytes(Buffer.from(text, 'latin1'));
  }
}

export interface Terms {
  readonly protocol?: 'HTTP/1.1' | 'HTTP/2';
  readonly endpoints?: number;
  readonly breaker?: Partial<CircuitBreaker>;
  readonly timeouts?: Partial<Timeouts>;
  readonly filters?: readonly Filter[];
}

export class Scene {
  readonly context: ProxyContext;
  readonly model: ServedUpstream;
  readonly upstream: Upstream;
  readonly sockets: BackendSocket[] = [];
  /** How exchanges have ended: status and fault. */
  readonly ended: string[] = [];
  nowMs = 100_000;
  readonly #wheel = new TimerWheel(() => this.nowMs);
  readonly #actions: (() => void)[] = [];

  constructor({ protocol = 'HTTP/1.1', endpoints = 1, breaker, timeouts, filters = [] }: Terms) {
    const observer: ProxyObserver = {
      ...silentObserver,
      onExchangeEnd: ({ status, fault }) => void this.ended.push(`${status} ${fault ?? 'fine'}`),
    };
    const now = (): number => this.nowMs;
    class Context extends ProxyContext {
      override now = now;
    }
    const nobody = new IpRanges([]);
    const afterTurn = (action: () => void): void => void this.#actions.push(action);
    const transport = {
      canReusePort: false,
      canTurnAway: false,
      leftovers: undefined,
      listen: () => Promise.reject(new Error('not asked for')),
      connect: (address: string, _port: number, events: ConnectEvents) => {
        const socket = new BackendSocket(address, events);
        this.sockets.push(socket);
        return socket;
      },
      afterTurn,
    };
    this.context = new Context(transport, this.#wheel, limits, observer, nobody, nobody);
    const noLimits = { connections: 0, activeRequests: 0, endpointConnections: 0, endpointActiveRequests: 0 };
    this.model = {
      id: 'shop/web:80',
      ...plainBackend,
      protocol,
      loadBalancing: 'RoundRobin',
      policies:
        breaker === undefined
          ? []
          : [{ kind: 'CircuitBreaker', ...noLimits, pendingRequests: 9, ...breaker }],
      endpoints: Array.from({ length: endpoints }, (_, index) => ({
        address: `10.0.0.${index + 1}`,
        port: 8080,
        state: 'Ready',
      })),
      zoneHints: [],
    };
    this.upstream = new Upstream(this.model, { ...alone, now, afterTurn });
    this.context.table = {
      revision: 1,
      settings: defaultSettings,
      routes: { findHost: () => undefined },
      fallback: new CompiledRoute({
        ref: { kind: 'IngressRoute', namespace: 'shop', name: 'web', rule: 'rules[0]' },
        matches: [],
        filters: [...filters],
        backends: [{ kind: 'Upstream', upstream: 'shop/web:80', weight: 1 }],
        timeouts: { requestMs: 10_000, backendRequestMs: 10_000, idleMs: 60_000, ...timeouts },
      }),
      upstreams: { get: () => this.upstream },
      sessions: undefined,
      selectTls: () => ({ kind: 'UnknownName' }),
    };
  }

  /** `isComplete`: nothing follows the head. */
  ask(method = 'GET', isComplete = true, upgrades = false): Client {
    const client = new Client(this.context, isComplete);
    const head = new RequestHead(100);
    head.method = method;
    head.target = '/';
    head.hostname = 'shop.test';
    head.authority = 'shop.test';
    head.upgradesToWebSocket = upgrades;
    if (!isComplete) head.framing = BodyFraming.Chunked;
    client.exchange.begin(head);
    return client;
  }

  /** Until nothing is due any more. */
  endTurn(): void {
    while (this.#actions.length > 0) for (const action of this.#actions.splice(0)) action();
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) {
      this.nowMs += tickMs;
      this.#wheel.advance();
      this.endTurn();
    }
  }
}

export class Client implements Downstream {
  readonly peerAddress = '192.0.2.1';
  readonly protocol = 'HTTP/1.1';
  readonly security = undefined;
  readonly heldBytes = 0;
  readonly isBlocked = false;
  isRequestComplete: boolean;
  readonly exchange: Exchange;
  readonly #context: ProxyContext;
  hasEnded = false;

  constructor(context: ProxyContext, isComplete: boolean) {
    this.#context = context;
    this.isRequestComplete = isComplete;
    this.exchange = context.takeExchange(this);
  }

  forwardingOf(): ReturnType<Downstream['forwardingOf']> {
    return untrustedForwarding(this.peerAddress, 'http', '');
  }

  onExchangeEnd(): void {
    this.hasEnded = true;
    this.#context.giveExchange(this.exchange);
  }

  send(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.exchange.onRequestBody(bytes, 0, bytes.length);
    this.exchange.onRequestTurnEnd();
  }

  end(): void {
    this.isRequestComplete = true;
    this.exchange.onRequestEnd(undefined);
    this.exchange.onRequestTurnEnd();
  }

  accepts(): boolean {
    return true;
  }

  sendInterim(): void {}
  sendHead(): void {}
  sendBody(): void {}
  sendEnd(): void {}
  sendSwitch(): void {}
  sendTunnel(): boolean {
    return true;
  }

  endTunnel(): void {}
  sendLocal(): void {}
  discard(): boolean {
    return true;
  }

  abort(): void {}
  flush(): boolean {
    return true;
  }

  resumeRequest(): void {
    this.exchange.onRequestTurnEnd();
  }
}
