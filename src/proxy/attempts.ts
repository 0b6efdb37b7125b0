// Which endpoints a request is sent to, one after the other, and whether a failure is worth another one.
//
//   nobody can have acted on it (refused, not reached)      another endpoint, whatever the method
//   a pooled connection was closed meanwhile                the same endpoint by a fresh connection, if it may be sent twice
//   broken off, too late, a status that the rule retries    another endpoint after a while, if it may be sent twice and the
//                                                           budget of its upstream allows it
// Never once a byte of a response was sent to the client, and never without the whole request at hand.
import type { FaultCode } from '#http/fault.ts';
import { faultOf } from '#http/fault.ts';
import { isIdempotent } from '#http/method.ts';
import type { FilterOf } from '#model/filters.ts';
import type { Waiter } from '#upstream/circuit.ts';
import type { Endpoint } from '#upstream/endpoint.ts';
import type { UpstreamRequest } from '#upstream/upstream-request.ts';
import type { Upstream } from '#upstream/upstream.ts';
import type { RoutedRequest } from './routed-request.ts';

/** What is done about a failure. */
export const Remedy = { None: 0, SameEndpoint: 1, OtherEndpoint: 2, Retry: 3 } as const;
export type Remedy = (typeof Remedy)[keyof typeof Remedy];

const longestBackoffMs = 10_000;

export class Attempts {
  /** Endpoints asked, the one that answered included. */
  count = 0;
  /** Of them, those that were asked although one before may have acted on the request. */
  retries = 0;
  readonly #tried: Endpoint[] = [];
  /** Endpoints, one of them more often where there is no other: so many may be asked. */
  #asked = 0;
  /** How often the present one was asked anew. */
  #askedAgain = 0;
  /** The next one may be one that was asked already. */
  #mayRepeat = false;
  #request: RoutedRequest | undefined = undefined;
  /** Of the settings. */
  #most = 1;

  clear(): void {
    this.count = 0;
    this.retries = 0;
    this.#tried.length = 0;
    this.#asked = 0;
    this.#askedAgain = 0;
    this.#mayRepeat = false;
    this.#request = undefined;
  }

  begin(request: RoutedRequest, most: number): void {
    this.#request = request;
    this.#most = most;
  }

  /** Of the rule. */
  get #policy(): FilterOf<'Retry'> | undefined {
    return this.#request?.route?.filters?.retry;
  }

  get #upstream(): Upstream {
    return this.#request!.upstream!;
  }

  /** The next endpoint; undefined: there is none, or none with room. */
  pick(): Endpoint | undefined {
    const request = this.#request!;
    const { session } = request;
    const known =
      session === undefined || this.#tried.length > 0 ? undefined : this.#upstream.find(session.endpoint);
    let endpoint = known ?? this.#upstream.pick(this.#tried, request.hash);
    if (endpoint === undefined && this.#mayRepeat) {
      this.#tried.length = 0;
      endpoint = this.#upstream.pick(this.#tried, request.hash);
    }
    this.#mayRepeat = false;
    if (endpoint === undefined) return undefined;
    this.#tried.push(endpoint);
    this.#asked++;
    this.#askedAgain = 0;
    return endpoint;
  }

  /** After pick has found nobody: `waiter` goes on when there is room. Else why it does not; `fault`: of the last attempt. */
  wait(waiter: Waiter, fault: FaultCode | undefined): FaultCode | undefined {
    switch (this.#upstream.wait(waiter, this.#tried)) {
      case 'Waiting':
        return undefined;
      case 'TooMany':
        return 'backend-overloaded';
      case 'Nobody':
        return fault ?? 'endpoints-none';
    }
  }

  /** `isWhole`: all of the request that has come can be sent again. */
  remedyFor(code: FaultCode, attempt: UpstreamRequest | undefined, isWhole: boolean): Remedy {
    if (!isWhole || attempt?.hasResponseBytes === true) return Remedy.None;
    if (faultOf(code).retryable) {
      // A connection that took no more requests says nothing about its endpoint.
      if (code === 'backend-refused' && attempt?.isReused === true && this.#askAgain())
        return Remedy.SameEndpoint;
      return this.#asked < this.#most ? Remedy.OtherEndpoint : Remedy.None;
    }
    if (!isIdempotent(this.#request?.method ?? '')) return Remedy.None;
    if (code !== 'backend-timeout' && attempt?.isReused === true && this.#askAgain())
      return Remedy.SameEndpoint;
    const isRetried = code === 'backend-reset' || (code === 'backend-timeout' && this.#policy !== undefined);
    return isRetried && this.#mayRetry() ? Remedy.Retry : Remedy.None;
  }

  /** It has had no chance yet, and uses up nobody else's: a connection that died says little of its endpoint. */
  #askAgain(): boolean {
    if (this.#askedAgain >= this.#most - 1) return false;
    this.#askedAgain++;
    return true;
  }

  /** Whether a response of this status is left for another one. */
  isRetried(status: number, isWhole: boolean): boolean {
    if (this.#policy?.codes.includes(status) !== true) return false;
    return isWhole && isIdempotent(this.#request?.method ?? '') && this.#mayRetry();
  }

  #mayRetry(): boolean {
    const most = this.#policy?.attempts ?? this.#most - 1;
    return this.retries < most && this.#upstream.retries.withdraw();
  }

  /** How long to wait before the next one; what was tried may be tried again when there is nobody else then. */
  beginRetry(): number {
    this.retries++;
    this.#mayRepeat = true;
    const backoffMs = this.#policy?.backoffMs ?? 0;
    const grown = Math.min(backoffMs * 2 ** (this.retries - 1), longestBackoffMs);
    return grown / 2 + (Math.random() * grown) / 2;
  }
}
