// One Ingress -> what it asks for, by the rules of Kubernetes: exact, prefix and default backends, host by host.
import type { Ingress, IngressBackend, IngressPath } from '#api/ingress.ts';
import type { Problem } from '#api/problem.ts';
import { strictPathPolicy } from '#model/request-path.ts';
import type { Backend, Match } from '#model/route-model.ts';
import { backendOf, resolveBackend } from './backends.ts';
import type { ServiceLookup } from './backends.ts';
import { classNameOf, isSolver } from './class-of-ingress.ts';
import { defaultPath, defaultWeight, timeoutsWithDefaults } from './defaults.ts';
import { secretsByHost } from './ingress-secrets.ts';
import { translateMatches } from './matches.ts';
import type {
  TranslatedHost,
  TranslatedObject,
  TranslatedRule,
  UpstreamUse,
  WantedTls,
} from './translated-object.ts';

/** The Ingress, and what is found on the way. */
interface Work {
  readonly ingress: Ingress;
  readonly services: ServiceLookup;
  readonly uses: UpstreamUse[];
  readonly problems: Problem[];
}

interface HostRules {
  /** Where the host stands in the object. */
  readonly at: string;
  readonly rules: TranslatedRule[];
}

/** `spec.tls` has words for certificates alone. */
const nothingSaid: WantedTls = {
  plaintext: undefined,
  minVersion: undefined,
  strictTransport: undefined,
  clientValidation: undefined,
};

const everything: Match = {
  path: { kind: 'PathPrefix', value: defaultPath },
  method: { kind: 'AnyMethod' },
  headers: [],
  queryParams: [],
};

export function translateIngress(ingress: Ingress, services: ServiceLookup): TranslatedObject {
  const { namespace, name, creationTimestamp } = ingress;
  const work: Work = { ingress, services, uses: [], problems: [...ingress.problems] };
  const hosts = translatePaths(work);
  addDefaultBackend(work, hosts);
  leaveOutEmptyHosts(work, hosts);
  const secrets = secretsByHost(ingress, [...hosts.keys()], work.problems);
  return {
    ref: { kind: 'Ingress', namespace, name },
    creationTimestamp,
    mayClaim: classNameOf(ingress) !== undefined || !isSolver(ingress),
    pathPolicy: strictPathPolicy,
    hosts: [...hosts].map(([hostname, { at, rules }]): TranslatedHost => {
      const secretNames = secrets.get(hostname) ?? [];
      const tls = secretNames.length === 0 ? undefined : nothingSaid;
      const tlsMode = isSolver(ingress) ? 'AsOthers' : 'Terminate';
      return { hostname, depth: 'OneLabel', at, rules, secretNames, tls, tlsMode };
    }),
    uses: work.uses,
    problems: work.problems,
    faults: [],
  };
}

/** By hostname: several rules of one host are one. */
function translatePaths(work: Work): Map<string, HostRules> {
  const isForChallenges = isSolver(work.ingress);
  const hosts = new Map<string, HostRules>();
  for (const [index, { hostname, paths }] of work.ingress.rules.entries()) {
    if (hostname === undefined) continue;
    const at = `spec.rules[${index}]`;
    const host = hosts.get(hostname) ?? { at: hostname === '*' ? at : `${at}.host`, rules: [] };
    hosts.set(hostname, host);
    for (const path of paths) {
      const place = `${at}.http.paths[${path.index}]`;
      const match = matchOf(path, isForChallenges, `${place}.path`, work.problems);
      if (match === undefined) continue;
      const backend = translateBackend(path.backend, `${place}.backend`, work);
      host.rules.push(ruleOf(work.ingress, `rules[${index}].paths[${path.index}]`, match, backend, place));
    }
  }
  return hosts;
}

const defaultBackendRule = 'defaultBackend';

/** It takes what no path of a host takes; of an Ingress without rules, everything. */
function addDefaultBackend(work: Work, hosts: Map<string, HostRules>): void {
  const { defaultBackend, rules } = work.ingress;
  if (defaultBackend === undefined) return;
  const at = 'spec.defaultBackend';
  if (rules.length === 0) hosts.set('*', { at, rules: [] });
  const backend = translateBackend(defaultBackend, at, work);
  const rule = ruleOf(work.ingress, defaultBackendRule, everything, backend, at);
  for (const host of hosts.values()) if (!host.rules.some(takesEverything)) host.rules.push(rule);
}

/** A host for which nothing is asked is not claimed either. */
function leaveOutEmptyHosts(work: Work, hosts: Map<string, HostRules>): void {
  for (const [index, { hostname }] of work.ingress.rules.entries()) {
    if (hostname === undefined || (hosts.get(hostname)?.rules.length ?? 0) > 0) continue;
    hosts.delete(hostname);
    const message = 'takes no request: it has no path that can be used, and there is no default backend';
    work.problems.push({ reason: 'Invalid', at: `spec.rules[${index}]`, message });
  }
}

function takesEverything({ rule }: TranslatedRule): boolean {
  return rule.matches.some(({ path }) => path.kind === 'PathPrefix' && path.value === '/');
}

function ruleOf(
  { namespace, name }: Ingress,
  rule: string,
  match: Match,
  backend: Backend,
  at: string,
): TranslatedRule {
  return {
    rule: {
      ref: { kind: 'Ingress', namespace, name, rule },
      matches: [match],
      filters: [],
      backends: [backend],
      timeouts: timeoutsWithDefaults({}),
    },
    isDefault: rule === defaultBackendRule,
    places: [at],
  };
}

/** `at` is the place of the IngressBackend. */
function translateBackend(backend: IngressBackend, at: string, work: Work): Backend {
  // The parser has said why; it is answered as a Service that is not there.
  if (backend.kind === 'Unusable') return { kind: 'Unresolved', status: 503, weight: defaultWeight };
  const service = `${at}.service`;
  const places = {
    at,
    name: `${service}.name`,
    port: `${service}.port.${typeof backend.port === 'number' ? 'number' : 'name'}`,
  };
  const resolved = resolveBackend(backend, work.ingress.namespace, places, work.services);
  if (resolved.kind === 'Resolved') work.uses.push(resolved.use);
  else work.problems.push(resolved.problem);
  return backendOf(backend, resolved);
}

/**
 * Undefined for a path that no request can have: it alone is left out. What is specific to this implementation is a
 * Prefix, but a challenge's token is one path and nothing below it.
 */
function matchOf(
  { type, path }: IngressPath,
  isForChallenges: boolean,
  at: string,
  problems: Problem[],
): Match | undefined {
  const isExact = type === 'Exact' || (type === 'ImplementationSpecific' && isForChallenges);
  const written = {
    type: isExact ? 'Exact' : 'PathPrefix',
    value: path === '' ? defaultPath : path,
  } as const;
  const refused: Problem[] = [];
  const [match] = translateMatches(
    [{ path: written, headers: [], queryParams: [] }],
    strictPathPolicy,
    '',
    refused,
  );
  problems.push(...refused.map((problem) => ({ ...problem, at })));
  return refused.length === 0 ? match : undefined;
}
