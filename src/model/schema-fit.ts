// What readers of an older schema can be told of a model.
//
// A rule that they would misread is not left out, since its requests would fall to a wider rule: it stays and answers 503.
// What they may ignore unharmed (hints of zones, a fallback, who wrote a rule) is simply not said.
import { newestSchema } from './route-model-schema.ts';
import type { RouteModel, Rule, RuleRef, VirtualHost } from './route-model.ts';

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
  const named = new Set(
    model.upstreams.filter(({ discovery }) => discovery.kind === 'Dns').map(({ id }) => id),
  );
  const hosts = model.hosts.map((host) => fitHost(host, schema, named, hold));
  return { model: { ...model, hosts, zones: [], certificates: [] }, heldBack: [...heldBack.values()] };
}

function fitHost(
  host: VirtualHost,
  schema: number,
  named: ReadonlySet<string>,
  hold: (ref: RuleRef) => void,
): VirtualHost {
  const wantsTls = host.certificates.length > 0 || host.plaintext !== 'Serve';
  const rules = host.rules.map((rule): Rule => {
    const isMisread = schema < 2 && rule.filters.length > 0;
    // An upstream that has to be looked up has no endpoints for them, and answers 503 by itself.
    const isUnknown = rule.backends.some(
      (backend) => backend.kind === 'Upstream' && named.has(backend.upstream),
    );
    if (isMisread || isUnknown || wantsTls) hold(rule.ref);
    const ref: RuleRef = { ...rule.ref, kind: 'IngressRoute' };
    return isMisread ? { ...rule, ref, filters: [], backends: unavailable } : { ...rule, ref };
  });
  return { ...host, rules };
}
