// ClusterView -> RouteModel and Verdicts. Pure and total: the same view gives the same bytes in whatever order its
// objects come, and no input makes it throw.
import { readEndpointSlice } from '#api/endpoint-slice.ts';
import { readIngressClass } from '#api/ingress-class.ts';
import { parseIngressRoute } from '#api/ingress-route.ts';
import type { IngressRoute } from '#api/ingress-route.ts';
import { refOf } from '#api/kubernetes-object.ts';
import type { KubernetesObject, ObjectRef } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { readService } from '#api/service.ts';
import { compareText } from '#model/bundle.ts';
import { hostKey } from '#model/route-model.ts';
import type { RouteModel, Upstream } from '#model/route-model.ts';
import { indexServices } from './backends.ts';
import { whyNotOurs } from './class-of-route.ts';
import type { Claims, ClusterView, TranslateSettings } from './cluster-view.ts';
import { claimHosts, ownedHosts } from './host-ownership.ts';
import { translateRules } from './rules.ts';
import type { TranslatedRoute } from './rules.ts';
import type { Verdict } from './verdict.ts';
import { buildVirtualHosts } from './virtual-hosts.ts';

export interface Translation {
  readonly model: RouteModel;
  /** One for each IngressRoute, in the order of namespace and name. */
  readonly verdicts: readonly Verdict[];
  readonly claims: Claims;
}

interface Fit {
  readonly id: string;
  readonly object: KubernetesObject;
  readonly route: IngressRoute;
  readonly translated: TranslatedRoute;
}

export function translate(view: ClusterView, settings: TranslateSettings): Translation {
  const classes = view.ingressClasses.map(readIngressClass);
  const services = [...view.services].sort(byName).map(readService);
  const slices = [...view.endpointSlices].sort(byName).map(readEndpointSlice);
  const index = indexServices(services, slices);
  const verdicts: Verdict[] = [];
  const fit: Fit[] = [];

  // Each object by itself.
  for (const object of [...view.ingressRoutes].sort(byName)) {
    const parsed = parseIngressRoute(object);
    if (parsed.kind === 'Refused') {
      verdicts.push({ kind: 'Rejected', object: refOf(object), problems: parsed.problems });
      continue;
    }
    const route = parsed.value;
    const foreign = whyNotOurs(route.ingressClassName, classes);
    if (foreign !== undefined) {
      verdicts.push({ kind: 'NotOurs', object: refOf(object), message: foreign });
      continue;
    }
    const translated = translateRules(route, index, settings.loadBalancing);
    if (translated.faults.length > 0) {
      verdicts.push({ kind: 'Rejected', object: refOf(object), problems: translated.faults });
      continue;
    }
    fit.push({ id: `${route.namespace}/${route.name}`, object, route, translated });
  }

  // Where objects meet: who owns which host, who was there first.
  const oldestFirst = fit.toSorted((a, b) => byAge(a.route, b.route));
  const claims = claimHosts(
    oldestFirst.map((each) => each.route),
    view.claims,
    view.now,
  );
  const problems = new Map<string, Problem[]>(fit.map((each) => [each.id, [...each.translated.problems]]));
  const placed = oldestFirst.map((each) => {
    const owned = ownedHosts(each.route, claims);
    problems.get(each.id)?.unshift(...owned.problems);
    return { id: each.id, hosts: owned.hosts, translated: each.translated };
  });
  const hosts = buildVirtualHosts(placed, (id, problem) => problems.get(id)?.push(problem));

  const served = servedHosts(hosts);
  const ownedById = new Map(placed.map((each) => [each.id, each.hosts]));
  for (const { id, object } of fit) {
    const ref = refOf(object);
    const servedHere = (ownedById.get(id) ?? []).filter((host) => served.get(id)?.has(host) === true);
    const found = problems.get(id) ?? [];
    verdicts.push(
      servedHere.length === 0
        ? { kind: 'Rejected', object: ref, problems: found }
        : { kind: 'Accepted', object: ref, hosts: servedHere, problems: found },
    );
  }
  const sortedHosts = hosts.toSorted((a, b) => compareText(hostKey(a.pattern), hostKey(b.pattern)));
  return {
    model: {
      settings: settings.settings,
      hosts: sortedHosts,
      upstreams: usedUpstreams(sortedHosts, fit),
    },
    verdicts: verdicts.sort((a, b) => compareRefs(a.object, b.object)),
    claims,
  };
}

/** Route id -> the hosts where at least one of its rules has a place: those that it is really served on. */
function servedHosts(hosts: RouteModel['hosts']): ReadonlyMap<string, ReadonlySet<string>> {
  const served = new Map<string, Set<string>>();
  for (const host of hosts)
    for (const { ref } of host.rules) {
      const id = `${ref.namespace}/${ref.name}`;
      const known = served.get(id);
      if (known === undefined) served.set(id, new Set([hostKey(host.pattern)]));
      else known.add(hostKey(host.pattern));
    }
  return served;
}

/** Only what a surviving rule can reach: an upstream that nobody uses would cost a write at each of its changes. */
function usedUpstreams(hosts: RouteModel['hosts'], fit: readonly Fit[]): readonly Upstream[] {
  const all = new Map(
    fit.flatMap((each) => each.translated.upstreams.map((upstream) => [upstream.id, upstream])),
  );
  const used = new Map<string, Upstream>();
  for (const host of hosts)
    for (const rule of host.rules)
      for (const backend of rule.backends) {
        const upstream = backend.kind === 'Upstream' ? all.get(backend.upstream) : undefined;
        if (upstream !== undefined) used.set(upstream.id, upstream);
      }
  return [...used.values()].sort((a, b) => compareText(a.id, b.id));
}

function byName(a: KubernetesObject, b: KubernetesObject): number {
  return compareRefs(refOf(a), refOf(b));
}

function byAge(a: IngressRoute, b: IngressRoute): number {
  return (
    compareText(a.creationTimestamp, b.creationTimestamp) ||
    compareText(a.namespace, b.namespace) ||
    compareText(a.name, b.name)
  );
}

function compareRefs(a: ObjectRef, b: ObjectRef): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}
