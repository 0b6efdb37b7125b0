// A connection whose TLS a backend ends: its ClientHello has named the host, and all of it, that one included, goes to a
// backend as it came.
//
//   Connecting -- onConnect --> Open -- both sides have ended, one broke off, silence --> Closed
//     |   \___ next endpoint       \-- the backend has ended and gone --> Lingering --------/
//     \--- nobody is home: an alert ----------------------------------> Lingering
//
//   client -- onBytes --> backend        a FIN of one side is passed on to the other
//   client <-- onBackendBytes -- backend whoever cannot take more pauses the other
import type { FaultCode } from '#http/fault.ts';
import { hashText } from '#model/rendezvous.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import { Alert, fatalAlert } from '#tls/alert.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { ConnectEvents, Socket, SocketEvents } from '#transport/transport.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import { noHash } from '#upstream/upstream.ts';
import type { Upstream } from '#upstream/upstream.ts';
import { chooseUpstream } from './choose-upstream.ts';
import { LingeringClose } from './lingering-close.ts';
import type { ConnectionOwner, OpenConnection } from './open-connection.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ServingTable } from './serving-table.ts';

const State = { Connecting: 0, Open: 1, Lingering: 2, Closed: 3 } as const;
type State = (typeof State)[keyof typeof State];

const nothing = Buffer.alloc(0);

export class Passthrough implements SocketEvents, OpenConnection, TimerOwner {
  readonly isIdle = false;
  readonly idleSinceMs: number;
  // What the observer reads.
  readonly serverName: string;
  readonly clientAddress: string;
  readonly route: CompiledRoute;
  endpoint: Endpoint | undefined = undefined;
  /** Endpoints asked, the one that took it included. */
  attempts = 0;
  requestBytes = 0;
  responseBytes = 0;
  fault: FaultCode | undefined = undefined;

  readonly #context: ProxyContext;
  readonly #owner: ConnectionOwner;
  readonly #client: Socket;
  readonly #table: ServingTable;
  readonly #timer = new Timer(this);
  readonly #tried: Endpoint[] = [];
  #state: State = State.Connecting;
  #upstream: Upstream | undefined = undefined;
  #hash = noHash;
  #backend: BackendSide | undefined = undefined;
  /** Of the client, until somebody takes it. */
  #waiting: Buffer;
  #activityMs: number;
  #hasClientEnded = false;
  #hasBackendEnded = false;
  #lingering: LingeringClose | undefined = undefined;

  /** `received`: all that has come of the client, its ClientHello. It counts as a connection of `owner` already. */
  constructor(
    context: ProxyContext,
    owner: ConnectionOwner,
    client: Socket,
    table: ServingTable,
    route: CompiledRoute,
    serverName: string,
    clientAddress: string,
    received: Buffer,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#client = client;
    this.#table = table;
    this.#waiting = received;
    this.route = route;
    this.serverName = serverName;
    this.clientAddress = clientAddress;
    this.idleSinceMs = context.now();
    this.#activityMs = this.idleSinceMs;
  }

  get durationMs(): number {
    return this.#context.now() - this.idleSinceMs;
  }

  begin(): void {
    this.#client.pause();
    if (this.route.filters?.admits(this.clientAddress) === false) {
      this.#refuse('client-denied', Alert.AccessDenied);
      return;
    }
    const upstream = chooseUpstream(this.route, this.#table, undefined);
    if (typeof upstream === 'string') return this.#refuse(upstream);
    this.#upstream = upstream;
    // No other value of a request is ever seen.
    if (upstream.hashSource?.source === 'ClientAddress') this.#hash = hashText(this.clientAddress);
    // It has endpoints: where none is picked, none has room.
    this.#connect('backend-overloaded');
  }

  // Connect

  /** `code`: what it is when there is no endpoint left. */
  #connect(code: FaultCode): void {
    const { attempts, connectTimeoutMs } = this.#table.settings;
    const isLast = this.attempts >= attempts;
    const endpoint = isLast ? undefined : this.#upstream?.pick(this.#tried, this.#hash);
    if (endpoint === undefined) {
      this.#refuse(code);
      return;
    }
    this.#tried.push(endpoint);
    this.attempts++;
    this.endpoint = endpoint;
    endpoint.enter();
    if (connectTimeoutMs > 0) this.#context.timers.set(this.#timer, connectTimeoutMs);
    this.#backend = new BackendSide(this, this.#context, endpoint);
  }

  onBackendConnect({ socket }: BackendSide): void {
    this.#state = State.Open;
    // What the backend says to the client nobody here can judge.
    this.endpoint?.onAnswer(200);
    this.#context.timers.clear(this.#timer);
    this.#activityMs = this.#context.now();
    const { idleMs } = this.route.timeouts;
    if (idleMs > 0) this.#context.timers.set(this.#timer, idleMs);
    const waiting = this.#waiting;
    this.#waiting = nothing;
    this.requestBytes += waiting.length;
    const isFlowing = socket.write(waiting, 0, waiting.length);
    if (this.#hasClientEnded) socket.end();
    if (isFlowing) this.#client.resume();
  }

  // From the client

  onBytes(bytes: Buffer): void {
    this.#lingering?.onBytes();
    if (this.#state === State.Connecting) this.#waiting = Buffer.concat([this.#waiting, bytes]);
    if (this.#state !== State.Open || this.#backend === undefined) return;
    this.requestBytes += bytes.length;
    this.#activityMs = this.#context.now();
    if (!this.#backend.socket.writeCopy(bytes, 0, bytes.length)) this.#client.pause();
  }

  onDrain(): void {
    this.#activityMs = this.#context.now();
    if (this.#state === State.Open) this.#backend?.socket.resume();
  }

  onEnd(): void {
    this.#hasClientEnded = true;
    if (this.#state === State.Lingering) this.#client.destroy();
    else if (this.#state === State.Open) this.#backend?.socket.end();
  }

  onClose(): void {
    if (this.#state === State.Closed) return;
    const isInPeace = this.#hasClientEnded && this.#hasBackendEnded;
    this.#state = State.Closed;
    this.#context.timers.clear(this.#timer);
    this.#lingering?.onClose();
    this.#waiting = nothing;
    this.#dropBackend();
    if (!isInPeace) this.fault ??= 'client-closed';
    this.#context.observer.onPassthroughEnd(this);
    this.#owner.onConnectionClosed(this);
  }

  // From the backend

  onBackendBytes(bytes: Buffer, socket: Socket): void {
    this.responseBytes += bytes.length;
    this.#activityMs = this.#context.now();
    if (!this.#client.writeCopy(bytes, 0, bytes.length)) socket.pause();
  }

  onBackendDrain(): void {
    this.#activityMs = this.#context.now();
    if (this.#state === State.Open) this.#client.resume();
  }

  onBackendEnd(): void {
    this.#hasBackendEnded = true;
    this.#client.end();
  }

  onBackendClose(code: string | undefined): void {
    this.#backend = undefined;
    this.#releaseEndpoint();
    if (this.#state === State.Connecting) {
      this.#context.timers.clear(this.#timer);
      this.endpoint?.onConnectFailure();
      this.#connect(code === 'ETIMEDOUT' ? 'connect-timeout' : 'connect-refused');
    } else if (this.#state !== State.Open) return;
    else if (!this.#hasBackendEnded) {
      // What it has read must not look like everything.
      this.fault = 'backend-truncated';
      this.#client.reset();
    } else if (!this.#hasClientEnded) this.#linger();
  }

  // Ends

  onTimer(): void {
    if (this.#state === State.Connecting) {
      this.#dropBackend();
      this.endpoint?.onConnectFailure();
      this.#connect('connect-timeout');
      return;
    }
    const { idleMs } = this.route.timeouts;
    const silentMs = this.#context.now() - this.#activityMs;
    if (silentMs < idleMs) {
      this.#context.timers.set(this.#timer, idleMs - silentMs);
      return;
    }
    this.fault = 'tunnel-timeout';
    this.destroy();
  }

  #refuse(code: FaultCode, alert: Alert = Alert.InternalError): void {
    this.fault = code;
    const record = fatalAlert(alert);
    this.#client.write(record, 0, record.length);
    this.#linger();
  }

  #linger(): void {
    this.#state = State.Lingering;
    this.#waiting = nothing;
    this.#context.timers.clear(this.#timer);
    this.#client.resume();
    this.#lingering = new LingeringClose(this.#context, this.#client, () => this.destroy());
  }

  #dropBackend(): void {
    const backend = this.#backend;
    this.#backend = undefined;
    if (backend === undefined) return;
    this.#releaseEndpoint();
    backend.leave();
  }

  #releaseEndpoint(): void {
    this.endpoint?.leave();
  }

  /** Nobody here speaks a protocol in which it could be said. */
  announceEnd(): void {}

  get heldBytes(): number {
    return this.#client.pendingBytes + (this.#backend?.socket.pendingBytes ?? 0) + this.#waiting.length;
  }

  shed(): void {
    this.fault = 'overloaded';
    this.#client.reset();
  }

  /** Its end is the end of what is in it: a drain waits for it as long as it may. */
  closeWaiting(): void {}

  destroy(): void {
    this.#client.destroy();
  }
}

/** One attempt: what comes of it after it was left counts for nothing. */
class BackendSide implements ConnectEvents {
  readonly socket: Socket;
  #owner: Passthrough | undefined;

  constructor(owner: Passthrough, { transport }: ProxyContext, { address, port }: Endpoint) {
    this.#owner = owner;
    this.socket = transport.connect(address, port, this);
  }

  leave(): void {
    this.#owner = undefined;
    this.socket.destroy();
  }

  onConnect(): void {
    this.#owner?.onBackendConnect(this);
  }

  onBytes(bytes: Buffer): void {
    this.#owner?.onBackendBytes(bytes, this.socket);
  }

  onDrain(): void {
    this.#owner?.onBackendDrain();
  }

  onEnd(): void {
    this.#owner?.onBackendEnd();
  }

  onClose(code: string | undefined): void {
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.onBackendClose(code);
  }
}
