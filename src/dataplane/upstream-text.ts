// An upstream as a short text for shared memory: a third of its JSON, and half the time to read.
import type { LoadBalancing, Upstream } from '#model/route-model.ts';

/** What a thread that serves needs of an upstream. */
export type ServedUpstream = Pick<Upstream, 'id' | 'loadBalancing' | 'endpoints' | 'zoneHints'>;

type Short = readonly [
  loadBalancing: LoadBalancing,
  /** Address and port in turn; the port of one that is terminating is negative. */
  endpoints: readonly (string | number)[],
  zoneHints: readonly (readonly [zone: string, endpoints: readonly number[]])[],
];

export function writeUpstream({ loadBalancing, endpoints, zoneHints }: ServedUpstream): string {
  const short: Short = [
    loadBalancing,
    endpoints.flatMap(({ address, port, state }) => [address, state === 'Ready' ? port : -port]),
    zoneHints.map((hint) => [hint.zone, hint.endpoints]),
  ];
  return JSON.stringify(short);
}

export function readUpstream(id: string, text: string): ServedUpstream {
  const [loadBalancing, pairs, hints] = JSON.parse(text) as Short;
  const endpoints: Upstream['endpoints'][number][] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    const port = pairs[index + 1] as number;
    endpoints.push({
      address: pairs[index] as string,
      port: Math.abs(port),
      state: port < 0 ? 'Terminating' : 'Ready',
    });
  }
  return { id, loadBalancing, endpoints, zoneHints: hints.map(([zone, of]) => ({ zone, endpoints: of })) };
}
