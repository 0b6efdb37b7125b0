// After a 101: a WebSocket, its bytes both ways as they come, until both sides have ended or nothing moves any more.
//
//   client -- onClientBytes --> backend        a FIN of one side is passed on to the other; when both have come, it is over
//   client <-- onTunnelBytes -- backend        whoever cannot take more pauses the other
//
// At the end of a drain both are told so: a Close frame and the FIN, as soon as no other frame would be cut by it. From there on
// nothing is passed on in that direction.
import type { FaultCode } from '#http/fault.ts';
import { goingAway, maskedGoingAway, WebSocketFrames } from '#http/websocket-frames.ts';
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
  readonly #clientFrames = new WebSocketFrames();
  readonly #backendFrames = new WebSocketFrames();
  #activityMs: number;
  #isLeaving = false;
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
    context.tunnels.add(this);
  }

  /** It is over, or the exchange is for another reason. */
  stop(): void {
    this.#context.timers.clear(this.#timer);
    this.#context.tunnels.delete(this);
  }

  /** There is little time left. Whose frame ends too late, or whose reader has stalled, is ended without a word. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#backendFrames.isBetweenFrames) this.#leaveClient();
    if (this.#clientFrames.isBetweenFrames) this.#leaveBackend();
  }

  #leaveClient(): void {
    if (this.#hasBackendEnded) return;
    if (!this.#backendFrames.hasClose) this.#sendToClient(goingAway);
    this.onTunnelEnd();
  }

  #leaveBackend(): void {
    if (this.#hasClientEnded) return;
    if (!this.#clientFrames.hasClose) this.#sendToBackend(maskedGoingAway());
    this.onClientEnd();
  }

  // From the client

  get takesClientBytes(): boolean {
    return !this.#isBackendBlocked;
  }

  onClientBytes(bytes: Buffer): void {
    if (this.#hasClientEnded) return;
    this.#activityMs = this.#context.now();
    if (this.#isLeaving) {
      this.#sendToBackend(bytes.subarray(0, this.#clientFrames.pushFrame(bytes, 0)));
      if (this.#clientFrames.isBetweenFrames) this.#leaveBackend();
      return;
    }
    this.#clientFrames.push(bytes);
    this.#sendToBackend(bytes);
  }

  #sendToBackend(bytes: Buffer): void {
    this.#owner.requestBytes += bytes.length;
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
    if (this.#hasBackendEnded) return;
    this.#activityMs = this.#context.now();
    if (this.#isLeaving) {
      this.#sendToClient(bytes.subarray(0, this.#backendFrames.pushFrame(bytes, 0)));
      if (this.#backendFrames.isBetweenFrames) this.#leaveClient();
      return;
    }
    this.#backendFrames.push(bytes);
    this.#sendToClient(bytes);
  }

  #sendToClient(bytes: Buffer): void {
    this.#owner.responseBytes += bytes.length;
    if (!this.#owner.downstream.sendTunnel(bytes)) this.#connection.pause();
  }

  onTunnelDrain(): void {
    this.#isBackendBlocked = false;
    this.#activityMs = this.#context.now();
    this.#owner.downstream.resumeRequest();
  }

  onTunnelEnd(): void {
    if (this.#hasBackendEnded) return;
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
