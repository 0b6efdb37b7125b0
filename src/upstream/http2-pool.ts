// The HTTP/2 connections to one endpoint: one is enough until it is full.
import type { Endpoint } from './endpoint.ts';
import { Http2UpstreamConnection } from './http2-upstream-connection.ts';
import type { Http2UpstreamRequest } from './http2-upstream-request.ts';
import type { UpstreamContext } from './upstream-connection.ts';
import type { UpstreamUser } from './upstream-request.ts';

export class Http2Pool {
  /** What the endpoint takes of one connection at a time, as far as that has come to light. */
  concurrentStreams = Infinity;
  readonly #connections: Http2UpstreamConnection[] = [];

  get isBusy(): boolean {
    return this.#connections.some((connection) => connection.isBusy);
  }

  get size(): number {
    return this.#connections.length;
  }

  /** Some connection takes one more request. */
  get hasRoom(): boolean {
    return this.#withRoom(false) !== undefined;
  }

  /** `isFresh`: over none that has carried anything. */
  request(
    context: UpstreamContext,
    endpoint: Endpoint,
    user: UpstreamUser,
    connectTimeoutMs: number,
    idleTimeoutMs: number,
    isFresh: boolean,
  ): Http2UpstreamRequest {
    const known = this.#withRoom(isFresh);
    if (known !== undefined) return known.request(user);
    const connection = new Http2UpstreamConnection(context, endpoint, connectTimeoutMs, idleTimeoutMs);
    this.#connections.push(connection);
    return connection.request(user);
  }

  #withRoom(isFresh: boolean): Http2UpstreamConnection | undefined {
    for (let each = 0; each < this.#connections.length; each++) {
      const connection = this.#connections[each]!;
      if (connection.hasRoom && !(isFresh && connection.isOpen)) return connection;
    }
    return undefined;
  }

  forget(connection: Http2UpstreamConnection): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
  }

  retire(): void {
    // From the end: those without a request close at once, and are forgotten meanwhile.
    for (let each = this.#connections.length - 1; each >= 0; each--) this.#connections[each]!.retire();
  }
}
