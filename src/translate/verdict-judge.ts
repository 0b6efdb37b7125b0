// What is told of an object that is fit to be served: its own problems, those of the hosts where it met others, and those
// of the Secrets and endpoints that it refers to.
import type { Problem } from '#api/problem.ts';
import { faultOf, servedOf } from './certificate-index.ts';
import type { SecretState } from './certificate-index.ts';
import type { HostGroup } from './host-group.ts';
import type { TranslatedObject } from './translated-object.ts';
import type { ServedCertificate, Verdict } from './verdict.ts';

export interface Surroundings {
  readonly groups: ReadonlyMap<string, HostGroup>;
  readonly stateOfSecret: (id: string) => SecretState;
  /** What is wrong with the endpoints of an upstream; without a place. */
  readonly problemOfUpstream: (id: string) => Omit<Problem, 'at'> | undefined;
  readonly now: string;
}

/** As many as a status may name. */
const namedDnsNames = 32;
const namedCertificates = 8;

export function judgeObject(object: TranslatedObject, surroundings: Surroundings): Verdict {
  const { groups, stateOfSecret, problemOfUpstream, now } = surroundings;
  const own = object.hosts.flatMap(({ hostname }) => {
    const group = groups.get(hostname);
    return group === undefined ? [] : [{ hostname, group }];
  });
  const hosts = own.filter(({ group }) => group.served.includes(object)).map(({ hostname }) => hostname);
  const problems: Problem[] = [
    ...own.flatMap(({ group }) => group.problems.get(object) ?? []),
    ...object.problems,
  ];
  if (hosts.length === 0)
    return {
      kind: 'Rejected',
      object: object.ref,
      problems: problems.length === 0 ? [nothingServed(object)] : problems,
    };
  const certificates: ServedCertificate[] = [];
  for (const [id, hostnames] of secretsOf(object)) {
    const served = hostnames.filter((hostname) => hosts.includes(hostname));
    if (served.length === 0) continue;
    const state = stateOfSecret(id);
    const fault = faultOf(id, state, served, now);
    if (fault !== undefined) problems.push({ ...fault, at: placeOfSecrets(object) });
    certificates.push(...servedCertificate(id, state));
  }
  for (const { id, at } of object.uses) {
    const problem = problemOfUpstream(id);
    if (problem !== undefined) problems.push({ ...problem, at });
  }
  return {
    kind: 'Accepted',
    object: object.ref,
    hosts,
    certificates: certificates.slice(0, namedCertificates),
    problems,
  };
}

/** For one with which nothing is wrong: only Ingresses can be so. */
function nothingServed({ hosts }: TranslatedObject): Problem {
  return hosts.length === 0
    ? {
        reason: 'Invalid',
        at: 'spec',
        message: 'it asks for nothing: it has neither rules nor a default backend',
      }
    : {
        reason: 'RouteConflict',
        at: 'spec',
        message: 'others of its namespace take every request of its hosts',
      };
}

/** The Secrets of an object, `namespace/name`, and which of its hosts each is for. */
export function secretsOf({ ref, hosts }: TranslatedObject): ReadonlyMap<string, readonly string[]> {
  const secrets = new Map<string, string[]>();
  for (const { hostname, secretNames } of hosts)
    for (const name of secretNames) {
      const id = `${ref.namespace}/${name}`;
      const hostnames = secrets.get(id);
      if (hostnames === undefined) secrets.set(id, [hostname]);
      else hostnames.push(hostname);
    }
  return secrets;
}

function servedCertificate(id: string, state: SecretState): readonly ServedCertificate[] {
  const certificate = servedOf(state);
  if (certificate === undefined) return [];
  const { notAfter, dnsNames } = certificate;
  const secretName = id.slice(id.indexOf('/') + 1);
  return [{ secretName, notAfter, dnsNames: dnsNames.slice(0, namedDnsNames) }];
}

function placeOfSecrets({ ref }: TranslatedObject): string {
  return ref.kind === 'Ingress' ? 'spec.tls' : 'spec.tls.certificateRefs';
}
