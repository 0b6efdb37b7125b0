// Which backend of its rule a request goes to, and what is wrong where there is none.
import type { FaultCode } from '#http/fault.ts';
import type { CompiledRoute } from '#route/compiled-route.ts';
import type { Upstream } from '#upstream/upstream.ts';
import type { ServingTable } from './serving-table.ts';

/** `key`: decides between the backends, by weight; undefined: they take turns. */
export function chooseUpstream(
  route: CompiledRoute,
  { upstreams }: Pick<ServingTable, 'upstreams'>,
  key: number | undefined,
): Upstream | FaultCode {
  const backend = key === undefined ? route.nextBackend() : route.backendOf(key);
  if (backend === undefined) return 'weights-zero';
  let upstream = backend.kind === 'Unresolved' ? undefined : upstreams.get(backend.upstream);
  if (route.fallbacks.length > 0 && upstream?.hasUsable !== true) {
    const standIn = route.standIn((id) => upstreams.get(id)?.hasUsable === true, key ?? anyKey());
    if (standIn !== undefined) upstream = upstreams.get(standIn.upstream);
  }
  if (upstream === undefined && backend.kind === 'Unresolved') return 'backend-unresolved';
  if (upstream?.hasEndpoints !== true) return 'endpoints-none';
  return upstream.isFull ? 'backend-overloaded' : upstream;
}

function anyKey(): number {
  return Math.floor(Math.random() * 0x1_0000_0000);
}
