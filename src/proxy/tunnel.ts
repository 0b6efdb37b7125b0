// After a 101: bytes of another protocol, both ways as they come, until both sides have ended or nothing moves any more.
//
//   client -- onClientBytes --> backend        a FIN of one side is passed on to the other; when both have come, it is over
//   client <-- onTunnelBytes -- backend        whoever cannot take more pauses the other
import type { FaultCode } from '#http/fault.ts';
import { Timer } from '#transport/timer-wheel.ts';
import type { TimerOwner } from '#transport/timer-wheel.ts';
import type { TunnelUser, UpstreamRequest } from '#upstream/upstream-request.ts';
import type { Downstream } from './downstream.ts';
import type { ProxyContext } from './proxy-context.ts';

/** Told what went through, and how it ended. */
export interface TunnelOwner {
  readonly downstream: Downstream;
  requestBytes: number;
  responseBytes: number;
  /** `fault` is undefined when both sides ended in peace. */
  onTunnelOver(fault: FaultCode | undefined): void;
}

export class Tunnel implements TunnelUser, TimerOwner {
  readonly #context: ProxyContext;
  readonly #owner: TunnelOwner;
  readonly #connection: UpstreamRequest;
  readonly #idleMs: number;
  readonly #timer = new Timer(this);
  #activityMs: number;
  #isBackendBlocked = false;
  #hasClientEnded = false;
  #hasBackendEnded = false;

  /** `idleMs`: how long nothing may move; 0 means for ever. */
  constructor(context: ProxyContext, owner: TunnelOwner, connection: UpstreamRequest, idleMs: number) {
    this.#context = context;
    this.#owner = owner;
    this.#connection = connection;
    this.#idleMs = idleMs;
    this.#activityMs = context.now();
    if (idleMs > 0) context.timers.set(this.#timer, idleMs);
  }

  /** The exchange is over for another reason. */
  stop(): void {
    this.#context.timers.clear(this.#timer);
  }

  // From the client

  get takesClientBytes(): boolean {
    return !this.#isBackendBlocked;
  }

  onClientBytes(bytes: Buffer): void {
    this.#owner.requestBytes += bytes.length;
    this.#activityMs = this.#context.now();
    this.#connection.addTunnel(bytes);
    if (!this.#connection.flush()) this.#isBackendBlocked = true;
  }

  onClientEnd(): void {
    if (this.#hasClientEnded) return;
    this.#hasClientEnded = true;
    this.#connection.endTunnel();
    this.#finish();
  }

  onClientDrain(): void {
    this.#activityMs = this.#context.now();
    this.#connection.resume();
  }

  // From the backend

  onTunnelBytes(bytes: Buffer): void {
    this.#owner.responseBytes += bytes.length;
    this.#activityMs = this.#context.now();
    if (!this.#owner.downstream.sendTunnel(bytes)) this.#connection.pause();
  }

  onTunnelDrain(): void {
    this.#isBackendBlocked = false;
    this.#activityMs = this.#context.now();
    this.#owner.downstream.resumeRequest();
  }

  onTunnelEnd(): void {
    this.#hasBackendEnded = true;
    this.#owner.downstream.endTunnel();
    this.#finish();
  }

  onTunnelBroken(): void {
    this.stop();
    this.#owner.onTunnelOver('backend-truncated');
  }

  #finish(): void {
    if (!this.#hasClientEnded || !this.#hasBackendEnded) return;
    this.stop();
    this.#owner.onTunnelOver(undefined);
  }

  onTimer(): void {
    const silentMs = this.#context.now() - this.#activityMs;
    if (silentMs < this.#idleMs) this.#context.timers.set(this.#timer, this.#idleMs - silentMs);
    else this.#owner.onTunnelOver('tunnel-timeout');
  }
}
