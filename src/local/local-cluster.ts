// A cluster made of objects in files: it stores what an API server would store, and shows it as a ClusterView.
import type { CrdValidator } from '#api/crd-validation.ts';
import { controllerName } from '#api/ingress-class.ts';
import type { KubernetesObject, ObjectRef } from '#api/kubernetes-object.ts';
import { metadataProblems, refOf, withoutNulls } from '#api/kubernetes-object.ts';
import type { Problem } from '#api/problem.ts';
import { newSessionKey } from '#model/signing-key.ts';
import type { Claims, ClusterView } from '#translate/cluster-view.ts';
import type { Manifest, Position } from './manifests.ts';

const defaultNamespace = 'default';

/** Where files bring no IngressClass of ours, there is this one, so that routes without a class are served. */
const implicitClass: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'flint' },
  spec: { controller: controllerName },
};

const clusterScoped = new Set(['IngressClass', 'Namespace', 'Node']);

export type Collection =
  | 'ingressRoutes'
  | 'ingresses'
  | 'ingressClasses'
  | 'services'
  | 'endpointSlices'
  | 'secrets'
  | 'nodes';

const collections: Readonly<Record<string, Collection>> = {
  'flint.dev/v1alpha1 IngressRoute': 'ingressRoutes',
  'networking.k8s.io/v1 Ingress': 'ingresses',
  'networking.k8s.io/v1 IngressClass': 'ingressClasses',
  'v1 Service': 'services',
  'discovery.k8s.io/v1 EndpointSlice': 'endpointSlices',
  'v1 Secret': 'secrets',
  'v1 Node': 'nodes',
};

/** Other Secrets are none of our business, and are not even kept. */
const tlsSecretType = 'kubernetes.io/tls';

/** What a manifest is to us: a collection of the view, or a kind that we have no use for. */
export function collectionOf(object: KubernetesObject): Collection | undefined {
  const collection = collections[`${object.apiVersion} ${object.kind}`];
  return collection === 'secrets' && object['type'] !== tlsSecretType ? undefined : collection;
}

export interface RefusedObject {
  readonly object: ObjectRef;
  readonly position: Position;
  readonly problem: Problem;
  /** An earlier version of the object was accepted and stays. */
  readonly isKept: boolean;
}

export class LocalCluster {
  readonly #validators: ReadonlyMap<string, CrdValidator>;
  #stored = new Map<string, KubernetesObject>();
  claims: Claims = new Map();
  lastGood: ClusterView['lastGood'] = new Map();
  readonly #sessionKey = newSessionKey();

  constructor(validators: ReadonlyMap<string, CrdValidator>) {
    this.#validators = validators;
  }

  /**
   * Replaces everything with these objects, as `kubectl apply --prune` would: an object that is refused leaves its
   * earlier version in place, one that is gone goes. The later of two objects with one name wins.
   */
  replace(manifests: readonly Manifest[]): readonly RefusedObject[] {
    const next = new Map<string, KubernetesObject>();
    const refused: RefusedObject[] = [];
    for (const { object: applied, locate } of manifests) {
      if (collectionOf(applied) === undefined) continue;
      const object = withoutNulls(withNamespace(applied));
      const key = keyOf(object);
      const validate = this.#validators.get(`${object.apiVersion} ${object.kind}`) ?? metadataProblems;
      const problems = validate(object);
      if (problems.length === 0) {
        next.set(key, object);
        continue;
      }
      const earlier = next.get(key) ?? this.#stored.get(key);
      if (earlier !== undefined) next.set(key, earlier);
      for (const problem of problems)
        refused.push({
          object: refOf(object),
          position: locate(problem.at),
          problem,
          isKept: earlier !== undefined,
        });
    }
    this.#stored = next;
    return refused;
  }

  view(now: string): ClusterView {
    const all: Record<Collection, KubernetesObject[]> = {
      ingressRoutes: [],
      ingresses: [],
      ingressClasses: [],
      services: [],
      endpointSlices: [],
      secrets: [],
      nodes: [],
    };
    for (const object of this.#stored.values()) {
      const collection = collectionOf(object);
      if (collection !== undefined) all[collection].push(object);
    }
    if (!all.ingressClasses.some(isOurs)) all.ingressClasses.push(implicitClass);
    const { claims, lastGood } = this;
    return { ...all, issuedCertificates: [], claims, lastGood, sessionKey: this.#sessionKey, now };
  }
}

function isOurs(ingressClass: KubernetesObject): boolean {
  const spec = ingressClass['spec'];
  return (
    typeof spec === 'object' && spec !== null && 'controller' in spec && spec.controller === controllerName
  );
}

function withNamespace(object: KubernetesObject): KubernetesObject {
  if (clusterScoped.has(object.kind) || (object.metadata.namespace ?? '') !== '') return object;
  return { ...object, metadata: { ...object.metadata, namespace: defaultNamespace } };
}

function keyOf(object: KubernetesObject): string {
  return `${object.apiVersion} ${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
