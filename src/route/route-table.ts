// Every host of one revision. Immutable: a change makes another table and shares the hosts that stayed.
import type { VirtualHost } from '#model/route-model.ts';
import { CompiledHost } from './compiled-host.ts';

/** Host key (hostKey of the model) -> its compiled routes. */
export type HostIndex = ReadonlyMap<string, CompiledHost>;

export class RouteTable {
  readonly hosts: HostIndex;
  readonly #hasWildcards: boolean;
  readonly #anyHost: CompiledHost | undefined;

  constructor(hosts: HostIndex) {
    this.hosts = hosts;
    this.#anyHost = hosts.get('*');
    this.#hasWildcards = [...hosts.keys()].some((key) => key.startsWith('*.') || key.startsWith('+.'));
  }

  /**
   * The host that serves `hostname` (lower-case, no port): exact, then the longest wildcard, then the catch-all. A
   * found host is final; requests that none of its paths takes do not fall through to a wildcard.
   */
  findHost(hostname: string): CompiledHost | undefined {
    const exact = this.hosts.get(hostname);
    // "*" and "*.x" are keys of the index, but no hostname a client may mean by them.
    if (exact !== undefined && !isPatternText(hostname)) return exact;
    return (this.#hasWildcards ? this.#findWildcard(hostname) : undefined) ?? this.#anyHost;
  }

  #findWildcard(hostname: string): CompiledHost | undefined {
    let dot = hostname.indexOf('.');
    let isFirstLabel = true;
    // A wildcard stands for at least one label, never for an empty one.
    if (dot === 0) return undefined;
    while (dot > 0) {
      const suffix = hostname.slice(dot + 1);
      const found =
        (isFirstLabel ? this.hosts.get(`+.${suffix}`) : undefined) ?? this.hosts.get(`*.${suffix}`);
      if (found !== undefined) return found;
      isFirstLabel = false;
      dot = hostname.indexOf('.', dot + 1);
    }
    return undefined;
  }
}

/** All hosts of a model at once. */
export function compile(hosts: readonly VirtualHost[]): RouteTable {
  const compiled = hosts.map((host) => new CompiledHost(host));
  return new RouteTable(new Map(compiled.map((host) => [host.key, host])));
}

function isPatternText(hostname: string): boolean {
  return hostname.startsWith('*') || hostname.startsWith('+');
}
