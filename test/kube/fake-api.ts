// An API server in memory: uids, resourceVersions, preconditions, lists, watches, and a tap at every request.
import { isDeepStrictEqual } from 'node:util';
import type { ApiRequest, ApiResponse, ApiTransport } from '#kube/api-transport.ts';
import type { KubeObject } from '#kube/source.ts';

/** Stands between a client and the store: answers by itself, throws, waits, or lets the store answer. */
export type Tap = (request: ApiRequest, answer: () => ApiResponse) => ApiResponse | Promise<ApiResponse>;

interface Happening {
  readonly version: number;
  readonly collection: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

interface Place {
  /** `/api/v1/namespaces/x/configmaps`; without a namespace it is cluster-scoped, or that of all namespaces. */
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
}

type Content = Readonly<Record<string, unknown>>;

/** The bodies of writes, as far as this server reads them. */
interface Body {
  readonly metadata?: Content;
  readonly preconditions?: { readonly uid?: string };
  readonly [field: string]: unknown;
}

export class FakeApi implements ApiTransport {
  /** `PUT flint-head`, in the order of their coming; a watch is a `WATCH`, a list a `LIST`. */
  readonly requests: string[] = [];
  /** The writes that took effect, by whoever's request. */
  readonly writes: string[] = [];
  tap: Tap = (_, answer) => answer();
  /** After every change of the store. */
  onChange: () => void = () => {};
  readonly #objects = new Map<string, KubeObject>();
  readonly #history: Happening[] = [];
  readonly #watchers = new Set<() => void>();
  #watchesSince = 0;
  #version = 100;
  #uids = 0;

  async send(request: ApiRequest): Promise<ApiResponse> {
    // As a network would: no answer within the same turn.
    await new Promise((resolve) => setImmediate(resolve));
    request.signal.throwIfAborted();
    const { name, query } = placeOf(request.path);
    const isWatch = query.get('watch') === 'true';
    const verb =
      request.method === 'GET' && name === undefined ? (isWatch ? 'WATCH' : 'LIST') : request.method;
    this.requests.push(name === undefined ? verb : `${verb} ${name}`);
    return this.tap(request, () => this.#answer(request));
  }

  close(): void {}

  /** Every watch that is open ends, as it does when the API server is restarted or a kind is removed. */
  endWatches(): void {
    this.#watchesSince++;
    for (const wake of this.#watchers) wake();
  }

  get(collection: string, name: string): KubeObject | undefined {
    return this.#objects.get(`${collection}/${name}`);
  }

  list(collection: string): readonly KubeObject[] {
    return [...this.#objects.entries()].flatMap(([key, object]) =>
      isOf(key.slice(0, key.lastIndexOf('/')), collection) ? [object] : [],
    );
  }

  /** Another hand's write: creates the object, or makes it this one, whatever was there. */
  put(collection: string, content: Body & { readonly metadata: { readonly name: string } }): KubeObject {
    const before = this.get(collection, content.metadata.name);
    return this.#store(collection, before, content);
  }

  /** Another hand's edit; its name stays. */
  edit(collection: string, name: string, change: (object: KubeObject) => Content): KubeObject {
    const before = this.get(collection, name);
    if (before === undefined) throw new Error(`there is no ${name}`);
    return this.#store(collection, before, change(before));
  }

  remove(collection: string, name: string): void {
    const object = this.get(collection, name);
    if (object === undefined) throw new Error(`there is no ${name}`);
    this.#objects.delete(`${collection}/${name}`);
    this.#version++;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.#happened(collection, 'DELETED', { ...object, metadata });
  }

  #answer({ method, path, body, signal }: ApiRequest): ApiResponse {
    const place = placeOf(path);
    const { collection, name } = place;
    const content = JSON.parse(body ?? '{}') as Body;
    if (method === 'POST') return this.#create(place, content);
    if (name === undefined) {
      if (place.query.get('watch') !== 'true') return this.#list(place);
      return { status: 200, retryAfterSeconds: 0, body: this.#watch(place, signal) };
    }
    const object = this.get(collection, name);
    if (method === 'PATCH' && place.subresource === undefined) return this.#apply(place, object, content);
    if (object === undefined) return failure(404, 'NotFound', `${name} not found`);
    switch (method) {
      case 'GET':
        return json(200, object);
      case 'PUT':
        return this.#replace(collection, object, content);
      case 'PATCH':
        return this.#applyStatus(place, object, content);
      case 'DELETE': {
        const { uid = object.metadata.uid } = content.preconditions ?? {};
        if (uid !== object.metadata.uid)
          return failure(409, 'Conflict', `the UID in the precondition (${uid}) is another`);
        this.remove(collection, name);
        this.writes.push(`DELETE ${name}`);
        return json(200, { kind: 'Status', status: 'Success' });
      }
    }
  }

  #create({ collection, namespace }: Place, content: Body): ApiResponse {
    const { generateName, name = `${String(generateName)}${this.#version}` } = content.metadata ?? {};
    if (typeof name !== 'string') return failure(422, 'Invalid', 'metadata.name: is required');
    if (this.get(collection, name) !== undefined)
      return failure(409, 'AlreadyExists', `${name} already exists`);
    const created = this.#store(collection, undefined, {
      ...content,
      metadata: { ...content.metadata, name, namespace },
    });
    this.writes.push(`POST ${name}`);
    return json(201, created);
  }

  #replace(collection: string, object: KubeObject, content: Body): ApiResponse {
    const { uid = object.metadata.uid, resourceVersion } = content.metadata ?? {};
    if (uid !== object.metadata.uid || !isCurrent(resourceVersion, object)) return conflict(object);
    if (object['immutable'] === true && !isDeepStrictEqual(content['data'], object['data']))
      return failure(422, 'Invalid', 'data: field is immutable when `immutable` is set');
    // A main resource's write leaves the status alone.
    const kept = object['status'] === undefined ? content : { ...content, status: object['status'] };
    const stored = this.#store(collection, object, kept);
    this.writes.push(`PUT ${object.metadata.name}`);
    return json(200, stored);
  }

  /** Of what one manager alone sets. */
  #apply({ collection, name = '' }: Place, object: KubeObject | undefined, content: Body): ApiResponse {
    const stored = this.#store(collection, object, { ...object, ...content });
    this.writes.push(`APPLY ${name}`);
    return json(object === undefined ? 201 : 200, stored);
  }

  #applyStatus({ collection, subresource, query }: Place, object: KubeObject, content: Body): ApiResponse {
    if (subresource !== 'status' || query.get('fieldManager') === null)
      return failure(400, 'BadRequest', 'a status is applied by a manager, and nothing else of an object');
    if (!isCurrent(content.metadata?.['resourceVersion'], object)) return conflict(object);
    const stored = this.#store(collection, object, {
      ...object,
      status: applied(object['status'], content['status']),
    });
    this.writes.push(`PATCH ${object.metadata.name}`);
    return json(200, stored);
  }

  #store(collection: string, before: KubeObject | undefined, content: Content): KubeObject {
    const metadata = (content['metadata'] ?? {}) as Content;
    const same = { ...content, metadata: { ...before?.metadata, ...metadata, ...own(before) } };
    // A write that changes nothing is none.
    if (before !== undefined && isDeepStrictEqual(same, before)) return before;
    this.#version++;
    const isNewSpec = before !== undefined && !isDeepStrictEqual(before['spec'], content['spec']);
    const generation = Number(before?.metadata['generation'] ?? 1) + (isNewSpec ? 1 : 0);
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      ...content,
      metadata: {
        namespace: placeOf(collection).namespace,
        creationTimestamp: new Date(this.#version * 1000).toISOString(),
        ...before?.metadata,
        ...metadata,
        ...(content['spec'] === undefined ? {} : { generation }),
        uid: before?.metadata.uid ?? `uid-${++this.#uids}`,
        resourceVersion: String(this.#version),
      },
    } as unknown as KubeObject;
    this.#objects.set(`${collection}/${object.metadata.name}`, object);
    this.#happened(collection, before === undefined ? 'ADDED' : 'MODIFIED', object);
    return object;
  }

  #happened(collection: string, type: Happening['type'], object: KubeObject): void {
    this.#history.push({ version: this.#version, collection, type, object });
    this.onChange();
    for (const wake of this.#watchers) wake();
  }

  #list({ collection, query }: Place): ApiResponse {
    // As an API server does, which has them by their keys.
    const items = this.list(collection)
      .filter((object) => isSelected(object, query))
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    return json(200, { kind: 'AnyList', metadata: { resourceVersion: String(this.#version) }, items });
  }

  async *#watch({ collection, query }: Place, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const from = Number(query.get('resourceVersion'));
    const first = this.#history.findIndex(({ version }) => version > from);
    let at = first < 0 ? this.#history.length : first;
    const since = this.#watchesSince;
    for (;;) {
      for (; at < this.#history.length; at++) {
        const each = this.#history[at];
        if (each === undefined || !isOf(each.collection, collection)) continue;
        if (isSelected(each.object, query))
          yield Buffer.from(`${JSON.stringify({ type: each.type, object: each.object })}\n`);
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#watchers.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#watchers.add(wake);
        signal.addEventListener('abort', wake);
        if (signal.aborted) wake();
      });
      signal.throwIfAborted();
      if (since !== this.#watchesSince) return;
    }
  }
}

/** What a hung connection is: no answer, until its signal aborts. */
export function hang({ signal }: ApiRequest): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/** An answer in one piece. */
export function json(status: number, content: unknown): ApiResponse {
  const body = (async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(JSON.stringify(content));
  })();
  return { status, retryAfterSeconds: 0, body };
}

/** A Status object, as the API server refuses with. */
export function failure(status: number, reason: string, message: string): ApiResponse {
  return json(status, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status });
}

function conflict({ metadata }: KubeObject): ApiResponse {
  return failure(409, 'Conflict', `the object ${metadata.name} has been modified`);
}

/** No resourceVersion is no precondition. */
function isCurrent(resourceVersion: unknown, { metadata }: KubeObject): boolean {
  return [undefined, '', metadata.resourceVersion].includes(resourceVersion as string | undefined);
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The fields of metadata that no client sets. */
function own(object: KubeObject | undefined): Content {
  if (object === undefined) return {};
  const { uid, resourceVersion } = object.metadata;
  return { uid, resourceVersion };
}

const pathPattern =
  /^((?:\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/[^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

function placeOf(path: string): Place {
  const [where = '', query = ''] = path.split('?');
  const [, collection, namespace, name, subresource] = pathPattern.exec(where) ?? [];
  if (collection === undefined) throw new Error(`no collection at ${path}`);
  return { collection, namespace, name, subresource, query: new URLSearchParams(query) };
}

/** A collection without a namespace holds those of its kind in every namespace. */
function isOf(collection: string, wanted: string): boolean {
  return collection === wanted || collection.replace(/\/namespaces\/[^/]+/, '') === wanted;
}

/** `metadata.name=x`, `type=x` and `key=value`: the selectors in use. */
function isSelected({ metadata, type }: KubeObject, query: URLSearchParams): boolean {
  const [field, wanted] = query.get('fieldSelector')?.split('=') ?? [];
  const [key = '', value] = query.get('labelSelector')?.split('=') ?? [];
  const labels = (metadata['labels'] ?? {}) as Content;
  return (
    (wanted === undefined || wanted === (field === 'type' ? type : metadata.name)) &&
    (value === undefined || labels[key] === value)
  );
}

interface Conditions {
  readonly conditions?: readonly { readonly type: string }[];
}

/** Types that begin with a domain are another manager's, and an apply of ours leaves them where they are. */
function applied(before: unknown, after: unknown): unknown {
  const foreign = ((before ?? {}) as Conditions).conditions?.filter(({ type }) => type.includes('/')) ?? [];
  if (foreign.length === 0) return after;
  const status = (after ?? {}) as Conditions;
  return { ...status, conditions: [...(status.conditions ?? []), ...foreign] };
}
