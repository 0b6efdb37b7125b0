// Writes of the operator: plain JSON in both directions, so that no field is lost, each with a precondition where order
// matters.
import { isApiError } from '#kube/api-client.ts';
import type { ApiClient } from '#kube/api-client.ts';
import { resourcePath } from '#kube/api-source.ts';
import type { Resource } from '#kube/api-source.ts';
import type { KubeObject } from '#kube/source.ts';

/** The name under which the API server records what this operator sets. */
const fieldManager = 'flint-operator';

/** A collection of one namespace, or of the cluster's own. */
export type ObjectKind = Pick<Resource, 'groupVersion' | 'kind' | 'plural' | 'namespace'>;

export class ClusterObjects {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Undefined when there is none. */
  async get(kind: ObjectKind, name: string, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return (await this.#client.json({ method: 'GET', path: path(kind, name), signal })) as KubeObject;
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  /** Rejects with ApiError 409 when there is one already. */
  async create(
    kind: ObjectKind,
    object: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    return (await this.#client.json({
      method: 'POST',
      path: path(kind),
      body: { apiVersion: apiVersion(kind), kind: kind.kind, ...object },
      signal,
    })) as KubeObject;
  }

  /** Rejects with ApiError 409 when the object is no longer the one of `metadata.resourceVersion`. */
  async replace(kind: ObjectKind, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    return (await this.#client.json({
      method: 'PUT',
      path: path(kind, object.metadata.name),
      body: object,
      signal,
    })) as KubeObject;
  }

  /** Deletes that very object and no later one of its name; that there is none is no error. */
  async delete(kind: ObjectKind, name: string, uid: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.json({
        method: 'DELETE',
        path: path(kind, name),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
        signal,
      });
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
  }

  /** Server-side apply. Rejects with ApiError 409 when somebody else has set one of these fields to another value. */
  async apply(
    kind: ObjectKind,
    name: string,
    object: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#client.json({
      method: 'PATCH',
      path: path(kind, name),
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: apiVersion(kind), kind: kind.kind, ...object },
      signal,
    });
  }

  /**
   * Server-side apply of the whole status: what an earlier one had and this one has not, goes. Rejects with ApiError 409
   * when the object has changed since `resourceVersion`: a status is a judgement of one state of the object.
   */
  async applyStatus(
    kind: ObjectKind,
    name: string,
    resourceVersion: string,
    status: object,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const applied = (await this.#client.json({
      method: 'PATCH',
      path: path(kind, name, 'status', { fieldManager, force: 'true' }),
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: apiVersion(kind), kind: kind.kind, metadata: { name, resourceVersion }, status },
      signal,
    })) as KubeObject;
    const { managedFields: _, ...metadata } = applied.metadata;
    return { ...applied, metadata };
  }
}

function apiVersion({ groupVersion }: ObjectKind): string {
  return groupVersion.replace(/^\/apis?\//, '');
}

function path(
  kind: ObjectKind,
  name?: string,
  subresource?: string,
  query: Readonly<Record<string, string>> = { fieldManager },
): string {
  const [collection = ''] = resourcePath(kind).split('?');
  const tail = [name, subresource].flatMap((part) => (part === undefined ? [] : [`/${part}`])).join('');
  return `${collection}${tail}?${new URLSearchParams(query).toString()}`;
}
