// Everything that the operator reads from the cluster, complete or not there at all.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { ApiSource } from '#kube/api-source.ts';
import type { Resource } from '#kube/api-source.ts';
import { configMapsOf } from '#kube/config-map.ts';
import { OptionalSource } from '#kube/optional-source.ts';
import { reflect } from '#kube/reflect.ts';
import type { Change } from '#kube/reflect.ts';
import { secretsOf } from '#kube/secret.ts';
import type { KubeObject } from '#kube/source.ts';
import { headName, partLabel } from '#model/wire-names.ts';
import { isStatusChange } from './relevance.ts';
import { slimEndpointSlice, slimNode, slimPod, slimRoute, slimSecret, slimService } from './slimming.ts';

export type CollectionName =
  | 'ingressRoutes'
  | 'ingresses'
  | 'ingressClasses'
  | 'services'
  | 'endpointSlices'
  | 'secrets'
  | 'issuedCertificates'
  | 'pods'
  | 'nodes'
  | 'publishedService'
  | 'head'
  | 'chunks'
  | 'secretChunks';

export interface CollectionsOptions {
  readonly client: ApiClient;
  /** Empty: all of them. */
  readonly watchNamespaces: readonly string[];
  readonly routesNamespace: string;
  readonly systemNamespace: string;
  readonly proxySelector: string;
  /** False: IngressClasses and Nodes, which belong to no namespace, are not read. */
  readonly readsClusterScoped: boolean;
  /** The Service whose addresses are the data plane's; undefined: there is none. */
  readonly publishService: { readonly namespace: string; readonly name: string } | undefined;
  /** Namespaces that hold claims: what users write there is not believed to be gone at the first look. */
  readonly claimants: () => ReadonlySet<string>;
  readonly onChange: (name: CollectionName, change: Change<KubeObject>) => void;
  readonly onError: (name: CollectionName, error: unknown) => void;
  readonly signal: AbortSignal;
}

interface Collected {
  readonly name: CollectionName;
  readonly resources: readonly Resource[];
  readonly slim?: (object: KubeObject) => KubeObject;
  readonly reuse?: (before: KubeObject, after: KubeObject) => KubeObject;
  /** Its kind may not be installed. */
  readonly isOptional?: true;
}

/** Where there are claims, these are not empty; the other kinds may well be. */
const expected: ReadonlySet<CollectionName> = new Set(['ingressRoutes', 'services', 'endpointSlices']);

const clusterScoped = { namespace: undefined };
/** With what may not be there. */
const patienceMs = 5000;

export class Collections {
  readonly #options: CollectionsOptions;
  /** One map for each namespace that is watched; undefined before its first list is complete. */
  readonly #parts = new Map<CollectionName, (ReadonlyMap<string, KubeObject> | undefined)[]>();
  /** The same list for as long as nothing in it changes. */
  readonly #lists = new Map<CollectionName, readonly KubernetesObject[]>();
  readonly #contactMs = new Map<CollectionName, number>();
  readonly #optional = new Set<CollectionName>();
  #requiredSinceMs: number | undefined = undefined;

  constructor(options: CollectionsOptions) {
    this.#options = options;
  }

  /** Resolves when the signal aborts. */
  async run(): Promise<void> {
    const { signal, client, onChange, onError } = this.#options;
    const running: Promise<void>[] = [];
    const claimants = this.#options.claimants();
    const hasClaims = (namespace: string | undefined): boolean =>
      namespace === undefined ? claimants.size > 0 : claimants.has(namespace);
    for (const { name, resources, slim, reuse, isOptional } of this.#collected()) {
      const parts: (ReadonlyMap<string, KubeObject> | undefined)[] = resources.map(() => undefined);
      this.#parts.set(name, parts);
      if (isOptional === true) this.#optional.add(name);
      for (const [index, resource] of resources.entries()) {
        const source = new ApiSource(client, resource, slim);
        running.push(
          reflect(isOptional === true ? new OptionalSource(source) : source, {
            signal,
            onChange: (all, change) => {
              parts[index] = all;
              this.#lists.delete(name);
              onChange(name, change);
            },
            onError: (error) => onError(name, error),
            onContact: () => this.#contactMs.set(name, performance.now()),
            isSomethingExpected: expected.has(name) && hasClaims(resource.namespace),
            ...(reuse === undefined ? {} : { reuse }),
          }),
        );
      }
    }
    await Promise.all(running);
  }

  /**
   * Every collection has been listed: before that, what is missing is not known to be gone. Those that may be missing
   * altogether are waited for for a moment and no longer: an API of somebody else that fails must not keep routes back.
   */
  get isComplete(): boolean {
    let isEverythingListed = this.#parts.size > 0;
    for (const name of this.#parts.keys())
      if (!this.isListed(name)) {
        if (!this.#optional.has(name)) return false;
        isEverythingListed = false;
      }
    this.#requiredSinceMs ??= performance.now();
    return isEverythingListed || performance.now() - this.#requiredSinceMs >= patienceMs;
  }

  isListed(name: CollectionName): boolean {
    return this.#parts.get(name)?.every((part) => part !== undefined) === true;
  }

  /** Readers of these take nothing for granted: they are what the API server sent. */
  all(name: CollectionName): readonly KubernetesObject[] {
    const known = this.#lists.get(name);
    if (known !== undefined) return known;
    const list: KubernetesObject[] = [];
    for (const part of this.#parts.get(name) ?? [])
      for (const object of part?.values() ?? []) list.push(object);
    this.#lists.set(name, list);
    return list;
  }

  /** The object as it is now. */
  find(name: CollectionName, namespace: string, objectName: string): KubernetesObject | undefined {
    for (const part of this.#parts.get(name) ?? []) {
      const object = part?.get(`${namespace}/${objectName}`);
      if (object !== undefined) return object;
    }
    return undefined;
  }

  /** Seconds since anything was heard of the collection that is silent longest. */
  get contactAgeSeconds(): number {
    const oldest = Math.min(...this.#contactMs.values());
    return Number.isFinite(oldest) ? (performance.now() - oldest) / 1000 : 0;
  }

  /** What the chunks hold is known by their names; only whether they are there has to be seen. */
  chunkSources(): readonly ApiSource<KubeObject>[] {
    return this.#chunks().map((resource) => new ApiSource(this.#options.client, resource));
  }

  #chunks(): readonly [configMaps: Resource, secrets: Resource] {
    const { routesNamespace } = this.#options;
    const selected = { labelSelector: `${partLabel}=chunk`, part: 'Metadata' } as const;
    return [
      { ...configMapsOf(routesNamespace), ...selected },
      { ...secretsOf(routesNamespace), ...selected },
    ];
  }

  #collected(): readonly Collected[] {
    const { routesNamespace, systemNamespace, proxySelector, readsClusterScoped, publishService } =
      this.#options;
    const [chunks, secretChunks] = this.#chunks();
    const pods = {
      groupVersion: '/api/v1',
      kind: 'Pod',
      plural: 'pods',
      namespace: systemNamespace,
      labelSelector: proxySelector,
    };
    const collected: Collected[] = [
      ...this.#usersObjects(),
      { name: 'pods', resources: [pods], slim: slimPod },
      {
        name: 'head',
        resources: [{ ...configMapsOf(routesNamespace), fieldSelector: `metadata.name=${headName}` }],
      },
      { name: 'chunks', resources: [chunks] },
      { name: 'secretChunks', resources: [secretChunks] },
    ];
    if (readsClusterScoped) collected.push(...clusterCollections);
    if (publishService !== undefined) {
      const { namespace, name } = publishService;
      const resource = { groupVersion: '/api/v1', kind: 'Service', plural: 'services', namespace };
      collected.push({
        name: 'publishedService',
        resources: [{ ...resource, fieldSelector: `metadata.name=${name}` }],
        slim: slimService,
      });
    }
    return collected;
  }

  #usersObjects(): readonly Collected[] {
    const { watchNamespaces } = this.#options;
    const namespaces = watchNamespaces.length === 0 ? [undefined] : watchNamespaces;
    const users = (groupVersion: string, kind: string, plural: string, fieldSelector?: string): Resource[] =>
      namespaces.map((namespace) => ({
        groupVersion,
        kind,
        plural,
        namespace,
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
      }));
    return [
      {
        name: 'ingressRoutes',
        resources: users('/apis/flint.dev/v1alpha1', 'IngressRoute', 'ingressroutes'),
        slim: slimRoute,
        reuse: reuseSpec,
      },
      {
        name: 'ingresses',
        resources: users('/apis/networking.k8s.io/v1', 'Ingress', 'ingresses'),
        slim: slimRoute,
        reuse: reuseSpec,
      },
      { name: 'services', resources: users('/api/v1', 'Service', 'services'), slim: slimService },
      {
        name: 'endpointSlices',
        resources: users('/apis/discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
        slim: slimEndpointSlice,
      },
      {
        name: 'secrets',
        resources: users('/api/v1', 'Secret', 'secrets', 'type=kubernetes.io/tls'),
        slim: slimSecret,
      },
      {
        name: 'issuedCertificates',
        resources: users('/apis/cert-manager.io/v1', 'Certificate', 'certificates'),
        isOptional: true,
      },
    ];
  }
}

const clusterCollections: readonly Collected[] = [
  {
    name: 'ingressClasses',
    resources: [
      {
        groupVersion: '/apis/networking.k8s.io/v1',
        kind: 'IngressClass',
        plural: 'ingressclasses',
        ...clusterScoped,
      },
    ],
  },
  {
    name: 'nodes',
    resources: [{ groupVersion: '/api/v1', kind: 'Node', plural: 'nodes', ...clusterScoped }],
    slim: slimNode,
  },
];

/** A route whose status has changed asks for the same: it is not read again. */
function reuseSpec(before: KubeObject, after: KubeObject): KubeObject {
  return isStatusChange({ kind: 'Applied', before, after }) ? { ...after, spec: before['spec'] } : after;
}
