// A Source over the small client: paged lists, watches with bookmarks.
import { ApiError } from './api-client.ts';
import type { ApiClient } from './api-client.ts';
import { Expired } from './source.ts';
import type { KubeObject, Listed, Source, WatchEvent } from './source.ts';

export interface Resource {
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  readonly groupVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Metadata: the objects come without their content. */
  readonly part?: 'Metadata';
}

const accept = {
  whole: 'application/json',
  metadataList: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  metadata: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
};

const pageSize = 500;
/** The API server ends a watch after this; asking for it keeps quiet watches from being cut every half minute. */
const watchSeconds = 600;

interface ListBody {
  readonly kind?: string;
  /** null where the API server has nothing to list. */
  readonly items?: readonly KubeObject[] | null;
  readonly metadata?: {
    readonly resourceVersion?: string;
    readonly continue?: string;
    /** In pages to come; absent on the last one, and where there is a selector. */
    readonly remainingItemCount?: number;
  };
}

interface WatchLine {
  readonly type?: string;
  readonly object?: KubeObject & { readonly code?: number; readonly message?: string };
}

export class ApiSource<T extends KubeObject> implements Source<T> {
  readonly name: string;
  readonly #client: ApiClient;
  readonly #resource: Resource;
  readonly #slim: (object: KubeObject) => KubeObject;

  /** `slim`: what is kept of each object, before it is kept anywhere; everything when absent. */
  constructor(client: ApiClient, resource: Resource, slim: (object: KubeObject) => KubeObject = whole) {
    this.#slim = slim;
    this.#client = client;
    this.#resource = resource;
    this.name = resource.plural;
  }

  async list(signal: AbortSignal, onPage: () => void = () => {}): Promise<Listed<T>> {
    const items: T[] = [];
    let next = '';
    for (;;) {
      const query: Record<string, string> = { limit: String(pageSize) };
      if (next !== '') query['continue'] = next;
      const body = (await this.#client.json({
        method: 'GET',
        path: resourcePath(this.#resource, query),
        accept: this.#resource.part === 'Metadata' ? accept.metadataList : accept.whole,
        signal,
      })) as ListBody;
      const resourceVersion = body.metadata?.resourceVersion;
      // An answer that is not a list must not read as an empty one.
      const page = body.items === null ? [] : body.items;
      if (body.kind?.endsWith('List') !== true || !Array.isArray(page) || resourceVersion === undefined)
        throw new Error(`the API server's answer for ${this.name} is no list`);
      for (const item of page) items.push(this.#read(item));
      onPage();
      next = body.metadata?.continue ?? '';
      if (next !== '') continue;
      if ((body.metadata?.remainingItemCount ?? 0) > 0)
        throw new Error(`the API server's list of ${this.name} ends before its end`);
      return { items, resourceVersion };
    }
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    const path = resourcePath(this.#resource, {
      watch: 'true',
      resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(watchSeconds),
    });
    try {
      const lines = this.#client.lines({
        method: 'GET',
        path,
        accept: this.#resource.part === 'Metadata' ? accept.metadata : accept.whole,
        signal,
      });
      for await (const line of lines) yield this.#event(line as WatchLine);
    } catch (error) {
      throw error instanceof ApiError && error.status === 410 ? new Expired(error.message) : error;
    }
  }

  #event({ type, object }: WatchLine): WatchEvent<T> {
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        return { kind: 'Applied', object: this.#read(object) };
      case 'DELETED':
        return { kind: 'Deleted', object: this.#read(object) };
      case 'BOOKMARK':
        return { kind: 'Bookmark', resourceVersion: object?.metadata.resourceVersion ?? '' };
      case 'ERROR':
        if (object?.code === 410) throw new Expired(object.message ?? 'expired');
        throw new ApiError(object?.code ?? 0, '', object?.message ?? 'the watch failed');
      default:
        throw new Error(`an unknown watch event: ${String(type)}`);
    }
  }

  /**
   * The items of a list do not say what they are, events do; and who set which field is of no use to a reader, yet
   * often larger than the object itself.
   */
  #read(object: KubeObject | undefined): T {
    if (typeof object?.metadata?.name !== 'string') throw new Error(`an object of ${this.name} has no name`);
    const { managedFields: _, ...metadata } = object.metadata;
    const { groupVersion, kind } = this.#resource;
    return this.#slim({
      ...object,
      apiVersion: groupVersion.replace(/^\/apis?\//, ''),
      kind,
      metadata,
    }) as unknown as T;
  }
}

function whole(object: KubeObject): KubeObject {
  return object;
}

/** The path of a collection, with its selectors and `query`. */
export function resourcePath(resource: Resource, query: Readonly<Record<string, string>> = {}): string {
  const { groupVersion, namespace, plural, labelSelector, fieldSelector } = resource;
  const parameters = new URLSearchParams(query);
  if (labelSelector !== undefined) parameters.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) parameters.set('fieldSelector', fieldSelector);
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${groupVersion}${scope}/${plural}?${parameters.toString()}`;
}
