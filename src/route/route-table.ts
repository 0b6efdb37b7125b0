// Which host of a table serves a name, whatever holds its hosts.
import type { VirtualHost } from '#model/route-model.ts';
import { CompiledHost } from './compiled-host.ts';

/** Host key (hostKey of the model) -> its compiled routes. */
export interface HostIndex {
  get(key: string): CompiledHost | undefined;
}

export class RouteTable {
  readonly #hosts: HostIndex;
  readonly #hasWildcards: boolean;

  /** Without wildcards a host that has no routes of its own is not searched for label by label. */
  constructor(hosts: HostIndex, hasWildcards: boolean) {
    this.#hosts = hosts;
    this.#hasWildcards = hasWildcards;
  }

  /**
   * The host that serves `hostname` (lower-case, no port): exact, then the longest wildcard, then the catch-all. A
   * found host is final; requests that none of its paths takes do not fall through to a wildcard.
   */
  findHost(hostname: string): CompiledHost | undefined {
    // "*" and "*.x" are keys of the index, but no hostname a client may mean by them.
    const exact = isPatternText(hostname) ? undefined : this.#hosts.get(hostname);
    if (exact !== undefined) return exact;
    return (this.#hasWildcards ? this.#findWildcard(hostname) : undefined) ?? this.#hosts.get('*');
  }

  #findWildcard(hostname: string): CompiledHost | undefined {
    let dot = hostname.indexOf('.');
    let isFirstLabel = true;
    // A wildcard stands for at least one label, never for an empty one.
    if (dot === 0) return undefined;
    while (dot > 0) {
      const suffix = hostname.slice(dot + 1);
      const found =
        (isFirstLabel ? this.#hosts.get(`+.${suffix}`) : undefined) ?? this.#hosts.get(`*.${suffix}`);
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
  const hasWildcards = hosts.some(({ pattern }) => pattern.kind === 'Wildcard');
  return new RouteTable(new Map(compiled.map((host) => [host.key, host])), hasWildcards);
}

function isPatternText(hostname: string): boolean {
  return hostname.startsWith('*') || hostname.startsWith('+');
}
