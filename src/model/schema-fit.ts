// What readers of an older schema can be told of a model.
//
// A rule that they would misread is not left out, since its requests would fall to a wider rule: it stays and answers 503.
// A host whose TLS they would end in a weaker way keeps its rules, but not its certificates: they cannot end it at all. One
// that asks clients for certificates answers 503: these readers would ask nobody who comes in the clear, or by a proxy that
// has ended TLS, and would let clients say themselves who they are.
// What they may ignore unharmed (hints of zones, a fallback, who wrote a rule, HSTS) is simply not said; nor is what makes
// a rule hold out when backends fail, but its object is held back: it is not served yet as it asks for.
import type { FilterKind } from './filters.ts';
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
    unspeakable:
      schema < 4
        ? idsOf(model, ({ protocol, tls }) => protocol !== 'HTTP/1.1' || tls.kind !== 'None')
        : new Set(),
    unsayable: idsOf(model, ({ policies }) => policies.length > 0),
    unfindable: schema < 3 ? idsOf(model, ({ discovery }) => discovery.kind === 'Dns') : new Set(),
  };
  const hosts = model.hosts.map((host) => fitHost(host, schema, upstreams, hold));
  const fallback = fitFallback(model.settings.fallback, upstreams);
  const settings = fallback === model.settings.fallback ? model.settings : { ...model.settings, fallback };
  const fitted = { ...model, settings, hosts, upstreams: model.upstreams.map(fitUpstream), keys: [] };
  return {
    model: schema < 3 ? { ...fitted, zones: [], certificates: [] } : fitted,
    heldBack: [...heldBack.values()],
  };
}

interface UpstreamLimits {
  /** What these readers would send there is not what is understood there. */
  readonly unspeakable: ReadonlySet<string>;
  /** These readers know nothing of how they want to be treated. */
  readonly unsayable: ReadonlySet<string>;
  /** They know no endpoints of these, and answer 503 by themselves. */
  readonly unfindable: ReadonlySet<string>;
}

function idsOf({ upstreams }: RouteModel, isMeant: (upstream: Upstream) => boolean): ReadonlySet<string> {
  return new Set(upstreams.filter(isMeant).map(({ id }) => id));
}

function fitHost(
  host: VirtualHost,
  schema: number,
  { unspeakable, unsayable, unfindable }: UpstreamLimits,
  hold: (ref: RuleRef) => void,
): VirtualHost {
  const isWeakened = schema < 4 && hasTermsOfTls(host);
  const isClosed = schema < 4 && host.clientValidation.kind !== 'None';
  const wantsTls = schema < 3 && (host.certificates.length > 0 || host.plaintext !== 'Serve');
  const rules = host.rules.map((rule): Rule => {
    const fit = withoutLater(rule);
    const isMisread = isClosed || (schema < 2 && fit.filters.length > 0) || isSentTo(rule, unspeakable);
    const isReduced = fit !== rule || isSentTo(rule, unsayable);
    if (isMisread || isReduced || isSentTo(rule, unfindable) || isWeakened || wantsTls) hold(rule.ref);
    const ref: RuleRef = schema < 3 ? { ...rule.ref, kind: 'IngressRoute' } : rule.ref;
    return isMisread ? { ...fit, ref, filters: [], backends: unavailable } : { ...fit, ref };
  });
  return { ...host, rules, certificates: isWeakened ? [] : host.certificates };
}

function hasTermsOfTls({ tlsMode, minTlsVersion, clientValidation }: VirtualHost): boolean {
  return tlsMode !== 'Terminate' || minTlsVersion !== '1.2' || clientValidation.kind !== 'None';
}

const laterFilters: readonly FilterKind[] = ['ConcurrentRequests', 'SessionPersistence', 'Retry'];

/** The same rule where it has nothing that schema 4 cannot say. */
function withoutLater(rule: Rule): Rule {
  const filters = rule.filters.filter(({ kind }) => !laterFilters.includes(kind));
  const backends = rule.backends.filter(({ kind }) => kind !== 'Fallback');
  const isSame = filters.length === rule.filters.length && backends.length === rule.backends.length;
  return isSame ? rule : { ...rule, filters, backends };
}

function fitUpstream(upstream: Upstream): Upstream {
  return upstream.policies.length === 0 ? upstream : { ...upstream, policies: [] };
}

function fitFallback(fallback: Fallback, { unspeakable }: UpstreamLimits): Fallback {
  if (fallback.kind === 'NotFound') return fallback;
  if (isSentTo(fallback.rule, unspeakable))
    return { ...fallback, rule: { ...fallback.rule, filters: [], backends: unavailable } };
  const rule = withoutLater(fallback.rule);
  return rule === fallback.rule ? fallback : { ...fallback, rule };
}

function isSentTo({ backends }: Rule, upstreams: ReadonlySet<string>): boolean {
  return backends.some((backend) => backend.kind !== 'Unresolved' && upstreams.has(backend.upstream));
}
