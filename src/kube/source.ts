// Where a collection of Kubernetes objects comes from: a list, and a watch that goes on from it.

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** A whole collection, and the point in time from which a watch continues it. */
export interface Listed<T extends KubeObject> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly kind: 'Applied'; readonly object: T }
  | { readonly kind: 'Deleted'; readonly object: T }
  /** No change: the collection is complete up to this resourceVersion. */
  | { readonly kind: 'Bookmark'; readonly resourceVersion: string };

/** The API server no longer knows the resourceVersion (410): only a new list helps. */
export class Expired extends Error {
  override readonly name = 'Expired';
}

export interface Source<T extends KubeObject> {
  /** For logs: `endpointslices.discovery.k8s.io`. */
  readonly name: string;
  /** All pages, or a rejection: never a part. `onPage` is called after each. */
  list(signal: AbortSignal, onPage?: () => void): Promise<Listed<T>>;
  /** Ends when the API server ends it; throws Expired, or any error of the network. */
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
}
