// A collection as the API server gives it: whole lists from pages, typed events from lines, and expiry told apart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient, ApiError } from '#kube/api-client.ts';
import { ApiSource, resourcePath } from '#kube/api-source.ts';
import type { Resource } from '#kube/api-source.ts';
import type { ApiRequest, ApiResponse } from '#kube/api-transport.ts';
import { Expired } from '#kube/source.ts';
import type { KubeObject, WatchEvent } from '#kube/source.ts';
import { failure, json } from './fake-api.ts';
import { pieces, ScriptedTransport } from './scripted-transport.ts';

const slices: Resource = {
  groupVersion: '/apis/discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespace: 'shop',
};

interface Scripted {
  readonly source: ApiSource<KubeObject>;
  readonly transport: ScriptedTransport;
}

function scripted(
  answer: (request: ApiRequest, index: number) => ApiResponse,
  resource: Resource = slices,
): Scripted {
  const transport = new ScriptedTransport(answer);
  return { source: new ApiSource(new ApiClient(transport), resource), transport };
}

const { signal } = new AbortController();

function queryOf({ path }: ApiRequest): Readonly<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(path.split('?')[1]));
}

test('a list is read page by page, and is complete or nothing', async () => {
  const pages = [
    {
      kind: 'EndpointSliceList',
      metadata: { resourceVersion: '7', continue: 'to&ken=' },
      items: [{ metadata: { name: 'a' } }],
    },
    { kind: 'EndpointSliceList', metadata: { resourceVersion: '7', continue: 'more' }, items: [] },
    {
      kind: 'EndpointSliceList',
      metadata: { resourceVersion: '8', continue: '' },
      items: [{ metadata: { name: 'b' } }],
    },
  ];
  const { source, transport } = scripted((_, index) => json(200, pages[index]));
  const { items, resourceVersion } = await source.list(signal);
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ['a', 'b'],
  );
  assert.equal(resourceVersion, '8');
  assert.deepEqual(transport.requests.map(queryOf), [
    { limit: '500' },
    { limit: '500', continue: 'to&ken=' },
    { limit: '500', continue: 'more' },
  ]);
  for (let broken = 1; broken < pages.length; broken++) {
    const failing = scripted((_, index) =>
      index < broken ? json(200, pages[index]) : failure(410, 'Expired', 'the continue parameter is too old'),
    );
    await assert.rejects(failing.source.list(signal), { status: 410 });
  }
});

test('an object says what it is, and nothing of who set which of its fields', async () => {
  const managedFields = [{ manager: 'kubectl', fieldsV1: {} }];
  const item = { metadata: { name: 'a', uid: 'u', managedFields }, endpoints: [1], kind: 'Wrong' };
  const expected = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'a', uid: 'u' },
    endpoints: [1],
  };
  const list = { kind: 'EndpointSliceList', metadata: { resourceVersion: '7' }, items: [item] };
  const { source } = scripted(({ path }) =>
    path.includes('watch=')
      ? pieces(`${JSON.stringify({ type: 'ADDED', object: item })}\n`)
      : json(200, list),
  );
  assert.deepEqual((await source.list(signal)).items, [expected]);
  assert.deepEqual((await eventsOf(source)).events, [{ kind: 'Applied', object: expected }]);
  const core = scripted(() => json(200, list), { ...slices, groupVersion: '/api/v1', kind: 'Pod' });
  const [pod] = (await core.source.list(signal)).items;
  assert.deepEqual([pod?.apiVersion, pod?.kind], ['v1', 'Pod']);
});

test('a list without items is an empty one only when it says so', async () => {
  const list = { kind: 'EndpointSliceList', metadata: { resourceVersion: '7' } };
  const empty = scripted(() => json(200, { ...list, items: null }));
  assert.deepEqual(await empty.source.list(signal), { items: [], resourceVersion: '7' });
  for (const answer of [
    null,
    [],
    'ok',
    {},
    list,
    { ...list, items: {} },
    { ...list, items: 'x' },
    { items: [], metadata: { resourceVersion: '7' } },
    { kind: 'Status', metadata: { resourceVersion: '7' }, items: [] },
    { kind: 'EndpointSliceList', items: [] },
    { kind: 'EndpointSliceList', metadata: {}, items: [] },
    { kind: 'EndpointSliceList', metadata: null, items: [] },
    { ...list, items: [null] },
    { ...list, items: [{}] },
    { ...list, items: [{ metadata: {} }] },
    { ...list, items: [{ metadata: { name: 7 } }] },
  ]) {
    const { source } = scripted(() => json(200, answer));
    await assert.rejects(source.list(signal), Error, JSON.stringify(answer));
  }
});

test('a list that ends while more is said to remain is none', async () => {
  const item = { metadata: { name: 'a' } };
  const page = (metadata: object): object => ({
    kind: 'EndpointSliceList',
    metadata: { resourceVersion: '7', ...metadata },
    items: [item],
  });
  const cut = scripted(() => json(200, page({ remainingItemCount: 2 })));
  await assert.rejects(cut.source.list(signal), /ends before its end/);
  const pages = [page({ continue: 'more', remainingItemCount: 1 }), page({})];
  const whole = scripted((_, index) => json(200, pages[index]));
  assert.equal((await whole.source.list(signal)).items.length, 2);
});

interface Watched {
  readonly events: readonly WatchEvent<KubeObject>[];
  readonly error: unknown;
}

async function eventsOf(source: ApiSource<KubeObject>): Promise<Watched> {
  const events: WatchEvent<KubeObject>[] = [];
  try {
    for await (const event of source.watch('7', signal)) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

function lines(...values: readonly unknown[]): ApiResponse {
  return pieces(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

test('a watch goes on from its resourceVersion, asks for bookmarks, and tells what happened', async () => {
  const object = { metadata: { name: 'a', resourceVersion: '9' } };
  const { source, transport } = scripted(() =>
    lines(
      { type: 'ADDED', object },
      { type: 'MODIFIED', object },
      { type: 'DELETED', object },
      { type: 'BOOKMARK', object: { kind: 'EndpointSlice', metadata: { resourceVersion: '30' } } },
    ),
  );
  const { events, error } = await eventsOf(source);
  assert.equal(error, undefined);
  assert.deepEqual(
    events.map((event) => [
      event.kind,
      event.kind === 'Bookmark' ? event.resourceVersion : event.object.metadata.name,
    ]),
    [
      ['Applied', 'a'],
      ['Applied', 'a'],
      ['Deleted', 'a'],
      ['Bookmark', '30'],
    ],
  );
  const [request] = transport.requests;
  assert.ok(request !== undefined);
  assert.deepEqual(queryOf(request), {
    watch: 'true',
    resourceVersion: '7',
    allowWatchBookmarks: 'true',
    timeoutSeconds: '600',
  });
});

test('a resourceVersion that is too old is Expired, as a status and as an event', async () => {
  const asStatus = scripted(() => failure(410, 'Expired', 'too old resource version'));
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
  const asEvent = scripted(() =>
    lines({ type: 'ADDED', object: { metadata: { name: 'a' } } }, { type: 'ERROR', object: gone }),
  );
  const first = await eventsOf(asStatus.source);
  assert.ok(first.error instanceof Expired);
  assert.match(first.error.message, /too old resource version/);
  const second = await eventsOf(asEvent.source);
  assert.equal(second.events.length, 1);
  assert.ok(second.error instanceof Expired);
  assert.match(second.error.message, /too old resource version/);
});

test('any other error of a watch is itself', async () => {
  const status = await eventsOf(scripted(() => failure(403, 'Forbidden', 'no')).source);
  assert.ok(status.error instanceof ApiError && status.error.status === 403);
  for (const [object, code] of [
    [{ code: 500, message: 'etcd is away' }, 500],
    [{}, 0],
    [undefined, 0],
  ] as const) {
    const { error } = await eventsOf(scripted(() => lines({ type: 'ERROR', object })).source);
    assert.ok(error instanceof ApiError && error.status === code);
  }
});

test('an event that is none of ours rejects, and never passes for a change', async () => {
  for (const line of [
    { type: 'RENAMED', object: { metadata: { name: 'a' } } },
    { type: 'ADDED' },
    { type: 'ADDED', object: null },
    { type: 'DELETED', object: { metadata: {} } },
    {},
    [],
    7,
  ]) {
    const { events, error } = await eventsOf(scripted(() => lines(line)).source);
    if (JSON.stringify(line).includes('BOOKMARK'))
      assert.deepEqual(events, [{ kind: 'Bookmark', resourceVersion: '' }]);
    else {
      assert.deepEqual(events, [], JSON.stringify(line));
      assert.ok(error instanceof Error && !(error instanceof Expired));
    }
  }
});

test('a collection is named by its group, namespace and selectors', () => {
  assert.equal(resourcePath(slices), '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?');
  assert.equal(
    resourcePath(
      {
        groupVersion: '/api/v1',
        kind: 'Pod',
        plural: 'pods',
        namespace: undefined,
        labelSelector: 'a=b,c=d',
        fieldSelector: 'metadata.name=x',
      },
      { limit: '5' },
    ),
    '/api/v1/pods?limit=5&labelSelector=a%3Db%2Cc%3Dd&fieldSelector=metadata.name%3Dx',
  );
});

test('metadata alone is asked for by its own media types', async () => {
  const { source, transport } = scripted(
    ({ path }) =>
      path.includes('watch=')
        ? pieces('')
        : json(200, { kind: 'PartialObjectMetadataList', metadata: { resourceVersion: '1' }, items: [] }),
    { ...slices, part: 'Metadata' },
  );
  await source.list(signal);
  await eventsOf(source);
  assert.deepEqual(
    transport.requests.map(({ headers }) => headers['accept']),
    [
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ],
  );
});
