// What readers of an older schema can be told of a model.
//
// A rule that they would misread is not left out, since its requests would fall to a wider rule: it stays and answers 503.
// A host whose TLS they would end in a weaker way keeps its rules, but not its certificates: they cannot end it at all. One
// that asks clients for certificates answers 503: these readers would ask nobody who comes in the clear, or by a proxy that
// has ended TLS, and would let clients say themselves who they are.
// What they may ignore unharmed (hints of zones, a fallback, who wrote a rule, HSTS) is simply not said.
import { newestSchema } from './route-model-schema.ts';
import type { Fallback, RouteModel, Rule, RuleRef, Upstream, VirtualHost } from './route-model.ts';

export interface Fitted {
  readonly model: RouteModel;
  /** Those who have something in the model that these readers cannot do. */
  readonly heldBack: readonly RuleRef[];
}

const unavailable: Rule['backends'] = [{ kind: 'Unresolved', status: 503, weight: 1 }];

export function fitToSchema(model: RouteModel, schema: number): Fitted {
  if (schema >= newestSchema) return { model, heldBack: [] };
  const heldBack = new Map<string, RuleRef>();
  const hold = (ref: RuleRef): void => {
    heldBack.set(`${ref.kind} ${ref.namespace}/${ref.name}`, ref);
  };
  const upstreams: UpstreamLimits = {
    unspeakable: idsOf(model, ({ protocol, tls }) => protocol !== 'HTTP/1.1' || tls.kind !== 'None'),
    unfindable: schema < 3 ? idsOf(model, ({ discovery }) => discovery.kind === 'Dns') : new Set(),
  };
  const hosts = model.hosts.map((host) => fitHost(host, schema, upstreams, hold));
  const fallback = fitFallback(model.settings.fallback, upstreams);
  const settings = fallback === model.settings.fallback ? model.settings : { ...model.settings, fallback };
  const fitted = { ...model, settings, hosts };
  return {
    model: schema < 3 ? { ...fitted, zones: [], certificates: [] } : fitted,
    heldBack: [...heldBack.values()],
  };
}

interface UpstreamLimits {
  /** What these readers would send there is not what is understood there. */
  readonly unspeakable: ReadonlySet<string>;
  /** They know no endpoints of these, and answer 503 by themselves. */
  readonly unfindable: ReadonlySet<string>;
}

function idsOf({ upstreams }: RouteModel, isMeant: (upstream: Upstream) => boolean): ReadonlySet<string> {
  return new Set(upstreams.filter(isMeant).map(({ id }) => id));
}

function fitHost(
  host: VirtualHost,
  schema: number,
  { unspeakable, unfindable }: UpstreamLimits,
  hold: (ref: RuleRef) => void,
): VirtualHost {
  const isWeakened =
    host.tlsMode !== 'Terminate' || host.minTlsVersion !== '1.2' || host.clientValidation.kind !== 'None';
  const isClosed = host.clientValidation.kind !== 'None';
  const wantsTls = schema < 3 && (host.certificates.length > 0 || host.plaintext !== 'Serve');
  const rules = host.rules.map((rule): Rule => {
    const isMisread = isClosed || (schema < 2 && rule.filters.length > 0) || isSentTo(rule, unspeakable);
    if (isMisread || isSentTo(rule, unfindable) || isWeakened || wantsTls) hold(rule.ref);
    const ref: RuleRef = schema < 3 ? { ...rule.ref, kind: 'IngressRoute' } : rule.ref;
    return isMisread ? { ...rule, ref, filters: [], backends: unavailable } : { ...rule, ref };
  });
  return { ...host, rules, certificates: isWeakened ? [] : host.certificates };
}

function fitFallback(fallback: Fallback, { unspeakable }: UpstreamLimits): Fallback {
  if (fallback.kind === 'NotFound' || !isSentTo(fallback.rule, unspeakable)) return fallback;
  return { ...fallback, rule: { ...fallback.rule, filters: [], backends: unavailable } };
}

function isSentTo({ backends }: Rule, upstreams: ReadonlySet<string>): boolean {
  return backends.some((backend) => backend.kind === 'Upstream' && upstreams.has(backend.upstream));
}
