// How much of an upstream may be used at a time, and who waits until there is room again.
//
//   request --> isFull? 503 -- no --> an endpoint with room? --> goes there
//                                          \-- no --> wait -- full? 503 -- no --> queue -- room --> asks again
import type { CircuitBreaker } from '#model/upstream-policies.ts';
import type { Endpoint } from './endpoint.ts';

/** So many that cannot use the room are asked before nobody else is: a long queue costs no search through all of it. */
const mostPassed = 16;

export interface Waiter {
  /** There may be room again. */
  goOn(): void;
}

export interface RoomSource {
  /** Some endpoint takes one more request. */
  readonly hasRoom: boolean;
}

export class Circuit {
  readonly #activeRequests: number;
  readonly #pendingRequests: number;
  readonly #connections: number;
  readonly #endpointConnections: number;
  readonly #endpointActiveRequests: number;
  readonly #waiting: Waiter[] = [];
  /** The one that is being asked, where it stood, and whether it stands there again. */
  #woken: Waiter | undefined = undefined;
  #wokenAt = 0;
  #waitsAgain = false;

  /** `workers`: how many share these limits. */
  constructor(limits: CircuitBreaker, workers: number) {
    const shareOf = (limit: number): number => (limit === 0 ? Infinity : Math.ceil(limit / workers));
    this.#activeRequests = shareOf(limits.activeRequests);
    // 0 is a limit here: nobody waits.
    this.#pendingRequests = Math.ceil(limits.pendingRequests / workers);
    this.#connections = shareOf(limits.connections);
    this.#endpointConnections = shareOf(limits.endpointConnections);
    this.#endpointActiveRequests = shareOf(limits.endpointActiveRequests);
  }

  /** `active`: requests of the upstream. */
  isFull(active: number): boolean {
    return active >= this.#activeRequests;
  }

  /** Whether one more request may go to this endpoint. `connections`: busy ones of the upstream. */
  hasRoom(endpoint: Endpoint, connections: number): boolean {
    if (endpoint.activeRequests >= this.#endpointActiveRequests) return false;
    if (!endpoint.needsConnection) return true;
    return connections < this.#connections && endpoint.busyConnections < this.#endpointConnections;
  }

  /** How many idle connections have to make way for those that are busy. */
  surplusOf(endpoint: Endpoint): number {
    return Math.max(0, endpoint.connections - this.#endpointConnections);
  }

  /** The same for all endpoints, which have `connections`. */
  surplus(connections: number): number {
    return Math.max(0, connections - this.#connections);
  }

  wait(waiter: Waiter): 'Waiting' | 'TooMany' {
    if (this.#waiting.length >= this.#pendingRequests) return 'TooMany';
    const isBack = waiter === this.#woken;
    if (isBack) this.#waitsAgain = true;
    this.#waiting.splice(isBack ? this.#wokenAt : this.#waiting.length, 0, waiter);
    return 'Waiting';
  }

  forget(waiter: Waiter): void {
    const at = this.#waiting.indexOf(waiter);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Some of them are being asked: whoever comes meanwhile is one of them. */
  get isWaking(): boolean {
    return this.#woken !== undefined;
  }

  /** In their order, as long as there is room. Who finds none for itself keeps its place, and the next one is asked. */
  wake(home: RoomSource): void {
    for (let at = 0; at < Math.min(this.#waiting.length, mostPassed) && home.hasRoom;)
      if (this.#wakeAt(at)) at++;
  }

  /** The limits are others now, or gone: everybody asks again. */
  wakeAll(): void {
    let at = 0;
    for (let left = this.#waiting.length; left > 0 && at < this.#waiting.length; left--)
      if (this.#wakeAt(at)) at++;
  }

  /** Whether it waits again. One at a time: what one of them causes may be the end of another. */
  #wakeAt(at: number): boolean {
    const waiter = this.#waiting[at]!;
    this.#waiting.splice(at, 1);
    this.#woken = waiter;
    this.#wokenAt = at;
    this.#waitsAgain = false;
    waiter.goOn();
    this.#woken = undefined;
    return this.#waitsAgain;
  }
}
