// What is checked: endpoints, of upstreams that share their checks, and what is known of each.
import { createHash } from 'node:crypto';
import { canonicalJson } from '#model/canonical-json.ts';
import type { Endpoint, Upstream } from '#model/route-model.ts';
import type { HealthCheck } from '#model/upstream-policies.ts';
import type { ProbeTerms } from '#upstream/health-probe.ts';
import type { Prober, RunningProbe } from '#upstream/prober.ts';
import { Lane } from './fair-slots.ts';

export interface CheckedUpstream {
  readonly id: string;
  /** The same for upstreams that share their checks; what it is called in logs up to the first space. */
  readonly group: string;
  readonly protocol: ProbeTerms['protocol'];
  readonly tls: ProbeTerms['tls'];
  readonly check: HealthCheck;
  /** Its endpoints are what DNS says. */
  readonly isNamed: boolean;
  readonly endpoints: readonly Endpoint[];
}

export interface EndpointState extends Pick<Endpoint, 'address' | 'port'> {
  readonly isWell: boolean;
  /** In Unix time: when it became what it is, at first when it came. */
  readonly sinceMs: number;
  /** Undefined: it has not been checked yet. */
  readonly last: { readonly text: string; readonly atMs: number } | undefined;
}

/** An endpoint that is checked. */
export class CheckedEndpoint implements EndpointState {
  readonly group: CheckedGroup;
  readonly key: string;
  readonly address: string;
  readonly port: number;
  isWell = true;
  sinceMs = Date.now();
  last: EndpointState['last'] = undefined;
  /** Outcomes in a row that say otherwise than `isWell`. */
  contrary = 0;
  timer: NodeJS.Timeout | undefined = undefined;
  running: RunningProbe | undefined = undefined;
  /** The next check was due before this one was over. */
  isOverdue = false;

  constructor(group: CheckedGroup, key: string, { address, port }: Endpoint) {
    this.group = group;
    this.key = key;
    this.address = address;
    this.port = port;
  }
}

/** Upstreams that share their checks. */
export class CheckedGroup {
  readonly name: string;
  readonly check: HealthCheck;
  readonly prober: Prober;
  readonly lane = new Lane<CheckedEndpoint>();
  /** By key. */
  readonly endpoints = new Map<string, CheckedEndpoint>();
  readonly unwell = new Set<CheckedEndpoint>();
  upstreams: readonly CheckedUpstream[] = [];

  constructor(name: string, check: HealthCheck, prober: Prober) {
    this.name = name;
    this.check = check;
    this.prober = prober;
  }

  get unwellKeys(): readonly string[] {
    return Array.from(this.unwell, ({ key }) => key);
  }
}

/** None for an upstream whose endpoints are not checked. */
export function checkedUpstreams({
  id,
  protocol,
  tls,
  policies,
  discovery,
  endpoints,
}: Upstream): readonly CheckedUpstream[] {
  const check = policies.find((policy) => policy.kind === 'HealthCheck');
  if (check === undefined) return [];
  // What else is asked of a Service port stands behind a space.
  const [servicePort = ''] = id.split(' ', 1);
  const terms = createHash('sha256').update(canonicalJson({ protocol, tls, check }));
  const group = `${servicePort} ${terms.digest('base64url')}`;
  return [{ id, group, protocol, tls, check, isNamed: discovery.kind === 'Dns', endpoints }];
}
