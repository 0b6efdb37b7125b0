// spec.tls of an Ingress -> the Secrets of each of its hosts.
import type { Ingress, IngressTls } from '#api/ingress.ts';
import type { Problem } from '#api/problem.ts';

/** As many as an IngressRoute may name. */
const mostSecrets = 8;

interface Named {
  readonly index: number;
  readonly secretName: string;
}

/**
 * Hostname -> names of Secrets, in the order of `spec.tls`: of entries with that host, with the wildcard one label above
 * it, or without any host. A host in no rule counts for nothing, nor does an entry without a Secret.
 */
export function secretsByHost(
  { tls }: Ingress,
  hostnames: readonly string[],
  problems: Problem[],
): ReadonlyMap<string, readonly string[]> {
  const byTlsHost = new Map<string, Named[]>();
  const ofEveryHost: Named[] = [];
  for (const entry of tls) {
    if (entry.secretName === '') continue;
    if (entry.hosts.length === 0) note(entry, ofEveryHost);
    for (const host of entry.hosts) {
      const known = byTlsHost.get(host) ?? [];
      byTlsHost.set(host, known);
      note(entry, known);
    }
  }
  const reported = new Set<number>();
  return new Map(
    hostnames.map((hostname) => {
      const found: Named[] = [];
      const lists = [byTlsHost.get(hostname), byTlsHost.get(wildcardAbove(hostname)), ofEveryHost];
      for (const list of lists) for (const named of list ?? []) if (!holds(found, named)) found.push(named);
      found.sort((a, b) => a.index - b.index);
      const tooMany = found[mostSecrets];
      if (tooMany !== undefined && !reported.has(tooMany.index)) {
        reported.add(tooMany.index);
        const message = `"${hostname}" has ${mostSecrets} Secrets already; this one is not used`;
        problems.push({ reason: 'Invalid', at: `spec.tls[${tooMany.index}].secretName`, message });
      }
      return [hostname, found.slice(0, mostSecrets).map(({ secretName }) => secretName)];
    }),
  );
}

/** One more than is used of each list, so that hosts times entries stays small. */
function note({ index, secretName }: IngressTls, list: Named[]): void {
  const named = { index, secretName };
  if (list.length <= mostSecrets && !holds(list, named)) list.push(named);
}

function holds(list: readonly Named[], { secretName }: Named): boolean {
  return list.some((each) => each.secretName === secretName);
}

/** Empty for a hostname that no wildcard covers. */
function wildcardAbove(hostname: string): string {
  const dot = hostname.indexOf('.');
  return dot > 0 && !hostname.startsWith('*') ? `*${hostname.slice(dot)}` : '';
}
