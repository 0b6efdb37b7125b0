// Everything that the operator reads from the cluster, complete or not there at all.
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { ApiSource } from '#kube/api-source.ts';
import { configMapsOf } from '#kube/config-map.ts';
import type { Resource } from '#kube/api-source.ts';
import { reflect } from '#kube/reflect.ts';
import type { Change } from '#kube/reflect.ts';
import type { KubeObject } from '#kube/source.ts';
import { headName, partLabel } from '#model/wire-names.ts';

export type CollectionName =
  | 'ingressRoutes'
  | 'ingressClasses'
  | 'services'
  | 'endpointSlices'
  | 'pods'
  | 'nodes'
  | 'head'
  | 'chunks';

export interface CollectionsOptions {
  readonly client: ApiClient;
  /** Empty: all of them. */
  readonly watchNamespaces: readonly string[];
  readonly routesNamespace: string;
  readonly systemNamespace: string;
  readonly proxySelector: string;
  readonly onChange: (name: CollectionName, change: Change<KubeObject>) => void;
  readonly onError: (name: CollectionName, error: unknown) => void;
  readonly signal: AbortSignal;
}

export class Collections {
  readonly #options: CollectionsOptions;
  /** One map for each namespace that is watched; undefined before its first list is complete. */
  readonly #parts = new Map<CollectionName, (ReadonlyMap<string, KubeObject> | undefined)[]>();
  readonly #contactMs = new Map<CollectionName, number>();

  constructor(options: CollectionsOptions) {
    this.#options = options;
  }

  /** Resolves when the signal aborts. */
  async run(): Promise<void> {
    const { signal, client, onChange, onError } = this.#options;
    const running: Promise<void>[] = [];
    for (const [name, resources] of this.#resources()) {
      const parts: (ReadonlyMap<string, KubeObject> | undefined)[] = resources.map(() => undefined);
      this.#parts.set(name, parts);
      for (const [index, resource] of resources.entries())
        running.push(
          reflect(new ApiSource(client, resource), {
            signal,
            onChange: (all, change) => {
              parts[index] = all;
              onChange(name, change);
            },
            onError: (error) => onError(name, error),
            onContact: () => this.#contactMs.set(name, performance.now()),
          }),
        );
    }
    await Promise.all(running);
  }

  /** Every collection has been listed: before that, what is missing is not known to be gone. */
  get isComplete(): boolean {
    return this.#parts.size > 0 && [...this.#parts.values()].flat().every((part) => part !== undefined);
  }

  /** Readers of these take nothing for granted: they are what the API server sent. */
  all(name: CollectionName): readonly KubernetesObject[] {
    const parts = this.#parts.get(name) ?? [];
    return parts.flatMap((part) => [...(part?.values() ?? [])]);
  }

  /** Seconds since anything was heard of the collection that is silent longest. */
  get contactAgeSeconds(): number {
    const oldest = Math.min(...this.#contactMs.values());
    return Number.isFinite(oldest) ? (performance.now() - oldest) / 1000 : 0;
  }

  /** What the chunks hold is known by their names; only whether they are there has to be seen. */
  chunkSource(): ApiSource<KubeObject> {
    return new ApiSource(this.#options.client, this.#chunks());
  }

  #chunks(): Resource {
    return {
      ...configMapsOf(this.#options.routesNamespace),
      labelSelector: `${partLabel}=chunk`,
      part: 'Metadata',
    };
  }

  #resources(): readonly (readonly [CollectionName, readonly Resource[]])[] {
    const { watchNamespaces, routesNamespace, systemNamespace, proxySelector } = this.#options;
    const namespaces = watchNamespaces.length === 0 ? [undefined] : watchNamespaces;
    const users = (groupVersion: string, kind: string, plural: string): readonly Resource[] =>
      namespaces.map((namespace) => ({ groupVersion, kind, plural, namespace }));
    const cluster = { namespace: undefined };
    return [
      ['ingressRoutes', users('/apis/flint.dev/v1alpha1', 'IngressRoute', 'ingressroutes')],
      ['services', users('/api/v1', 'Service', 'services')],
      ['endpointSlices', users('/apis/discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices')],
      [
        'ingressClasses',
        [
          {
            groupVersion: '/apis/networking.k8s.io/v1',
            kind: 'IngressClass',
            plural: 'ingressclasses',
            ...cluster,
          },
        ],
      ],
      ['nodes', [{ groupVersion: '/api/v1', kind: 'Node', plural: 'nodes', ...cluster }]],
      [
        'pods',
        [
          {
            groupVersion: '/api/v1',
            kind: 'Pod',
            plural: 'pods',
            namespace: systemNamespace,
            labelSelector: proxySelector,
          },
        ],
      ],
      ['head', [{ ...configMapsOf(routesNamespace), fieldSelector: `metadata.name=${headName}` }]],
      ['chunks', [this.#chunks()]],
    ];
  }
}
