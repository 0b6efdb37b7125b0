// One endpoint of an upstream: the requests it is serving and the idle connections to it.
import { endpointText } from '#model/route-model.ts';
import type { Endpoint as EndpointModel } from '#model/route-model.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** More idle connections than this per endpoint and worker save nothing. */
const maxIdleConnections = 1024;

export class Endpoint {
  readonly address: string;
  readonly port: number;
  /** For logs. */
  readonly text: string;
  state: EndpointModel['state'];
  activeRequests = 0;
  /** The model no longer has it: requests under way end in peace, nothing new begins. */
  isRetired = false;
  readonly #idle: UpstreamConnection[] = [];

  constructor(model: EndpointModel) {
    this.address = model.address;
    this.port = model.port;
    this.state = model.state;
    this.text = endpointText(model);
  }

  /** The connection used last: the one least likely to be closed by the backend just now. */
  takeIdle(): UpstreamConnection | undefined {
    return this.#idle.pop();
  }

  /** False when the pool has no room for it. */
  offerIdle(connection: UpstreamConnection): boolean {
    if (this.isRetired || this.#idle.length >= maxIdleConnections) return false;
    this.#idle.push(connection);
    return true;
  }

  /** An idle connection that closed by itself. */
  forgetIdle(connection: UpstreamConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  retire(): void {
    this.isRetired = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
