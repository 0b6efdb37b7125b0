// A Source over the small client: paged lists, watches with bookmarks.
import { ApiError } from './api-client.ts';
import type { ApiClient } from './api-client.ts';
import { Expired } from './source.ts';
import type { KubeObject, Listed, Source, WatchEvent } from './source.ts';

export interface Resource {
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  readonly groupVersion: string;
  readonly plural: string;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

const pageSize = 500;
/** The API server ends a watch after this; asking for it keeps quiet watches from being cut every half minute. */
const watchSeconds = 600;

interface ListBody {
  readonly items?: readonly KubeObject[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

interface WatchLine {
  readonly type?: string;
  readonly object?: KubeObject & { readonly code?: number; readonly message?: string };
}

export class ApiSource<T extends KubeObject> implements Source<T> {
  readonly name: string;
  readonly #client: ApiClient;
  readonly #resource: Resource;

  constructor(client: ApiClient, resource: Resource) {
    this.#client = client;
    this.#resource = resource;
    this.name = resource.plural;
  }

  async list(signal: AbortSignal): Promise<Listed<T>> {
    const items: T[] = [];
    let next = '';
    for (;;) {
      const query: Record<string, string> = { limit: String(pageSize) };
      if (next !== '') query['continue'] = next;
      const body = (await this.#get(query, signal)) as ListBody;
      const resourceVersion = body.metadata?.resourceVersion;
      // An answer that is not a list must not read as an empty one.
      if (!Array.isArray(body.items) || resourceVersion === undefined)
        throw new Error(`the API server's answer for ${this.name} is no list`);
      items.push(...(body.items as readonly T[]));
      next = body.metadata?.continue ?? '';
      if (next === '') return { items, resourceVersion };
    }
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    const path = this.#path({
      watch: 'true',
      resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(watchSeconds),
    });
    try {
      for await (const line of this.#client.lines(path, signal)) yield eventOf<T>(line as WatchLine);
    } catch (error) {
      throw error instanceof ApiError && error.status === 410 ? new Expired(error.message) : error;
    }
  }

  async #get(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
    return this.#client.get(this.#path(query), signal);
  }

  #path(query: Readonly<Record<string, string>>): string {
    const { groupVersion, namespace, plural, labelSelector, fieldSelector } = this.#resource;
    const parameters = new URLSearchParams(query);
    if (labelSelector !== undefined) parameters.set('labelSelector', labelSelector);
    if (fieldSelector !== undefined) parameters.set('fieldSelector', fieldSelector);
    const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
    return `${groupVersion}${scope}/${plural}?${parameters.toString()}`;
  }
}

function eventOf<T extends KubeObject>({ type, object }: WatchLine): WatchEvent<T> {
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'Applied', object: object as unknown as T };
    case 'DELETED':
      return { kind: 'Deleted', object: object as unknown as T };
    case 'BOOKMARK':
      return { kind: 'Bookmark', resourceVersion: object?.metadata.resourceVersion ?? '' };
    case 'ERROR':
      if (object?.code === 410) throw new Expired(object.message ?? 'expired');
      throw new ApiError(object?.code ?? 0, object?.message ?? 'the watch failed');
    default:
      throw new Error(`an unknown watch event: ${String(type)}`);
  }
}
