// A request to an endpoint: over a connection that is there, or over a new one, by what the endpoint speaks.
import type { Settings } from '#model/route-model.ts';
import { clock } from '#transport/clock.ts';
import type { Endpoint } from './endpoint.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamContext } from './upstream-connection.ts';
import type { UpstreamRequest, UpstreamUser } from './upstream-request.ts';

/**
 * `isFresh`: over no connection that was there before. `isRepeatable`: it may be sent twice, and so may meet the close of a
 * connection of the pool.
 */
export function openRequest(
  context: UpstreamContext,
  endpoint: Endpoint,
  user: UpstreamUser,
  isFresh: boolean,
  isRepeatable: boolean,
  { connectTimeoutMs, upstreamIdleTimeoutMs }: Settings,
): UpstreamRequest {
  if (endpoint.protocol === 'HTTP/2')
    return endpoint.http2.request(context, endpoint, user, connectTimeoutMs, upstreamIdleTimeoutMs, isFresh);
  const pooled = isFresh ? undefined : takePooled(context, endpoint, isRepeatable);
  if (pooled === undefined) {
    endpoint.makeRoom();
    return new UpstreamConnection(context, endpoint, user, connectTimeoutMs, upstreamIdleTimeoutMs);
  }
  pooled.use(user);
  return pooled;
}

function takePooled(
  context: UpstreamContext,
  endpoint: Endpoint,
  isRepeatable: boolean,
): UpstreamConnection | undefined {
  return isRepeatable ? endpoint.takeIdle() : endpoint.takeTrusted(context.now(), clock.settledMs);
}
