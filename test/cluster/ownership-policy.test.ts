// The optional policy of config/ownership/ on a real API server: which hosts a namespace may use, by its annotation.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { crdPath } from '#local/crd-file.ts';
import { ApiServer, kubeAssets } from './api-server.ts';
import type { ApiAnswer } from './api-server.ts';
import { hostCases, http, ingress, ingressCases, namespaces, route, rulesOf } from './ownership-cases.ts';
import type { RoutingObject } from './ownership-cases.ts';
import { moment } from './test-cluster.ts';

const assets = kubeAssets();
const skip = 'missing' in assets ? assets.missing : false;
const folder = new URL('../../config/', import.meta.url).pathname;
const policy = 'flint-ownership';
const paramsPath = `/api/v1/namespaces/flint-system/configmaps/${policy}`;

describe('the ownership policy', { skip }, () => {
  let server: ApiServer;

  before(async () => {
    server = await ApiServer.start('folder' in assets ? assets.folder : '');
    await server.kubectl(['apply', '-f', crdPath.pathname, '-f', `${folder}namespaces.yaml`]);
    await server.kubectl(['wait', '--for=condition=Established', 'crd/ingressroutes.flint.dev']);
    await server.kubectl(['apply', '-k', `${folder}ownership`]);
    for (const [name, hostnames] of Object.entries(namespaces)) await createNamespace(name, hostnames);
    // The API server follows policies, bindings and their parameters by watches of its own.
    await until(() => create('none', route('early', 'early.test')), 403, /"early.test"/);
  });
  after(() => server.stop());

  for (const [namespace, host, wanted] of hostCases) {
    test(`${namespace}: an IngressRoute and an Ingress of ${host} are ${wanted}`, async () => {
      expect(await create(namespace, route('one', host)), wanted === 'refused' ? host : undefined);
      const spec = host === '*' ? { rules: [{ http }] } : rulesOf('flint', host);
      expect(await create(namespace, ingress('one', spec)), wanted === 'refused' ? host : undefined);
    });
  }

  for (const { name, spec, annotations, namespace = 'exact', refused } of ingressCases)
    test(`an Ingress with ${name} is ${refused === undefined ? 'allowed' : 'refused'}`, async () => {
      expect(await create(namespace, ingress('one', spec, annotations)), refused);
    });

  test('every host counts, and the message says how many more there are', async () => {
    const { status, body } = await create('exact', route('one', 'a.test', 'shop.example.com', 'b.test'));
    assert.equal(status, 403);
    const said =
      'host "a.test" (and 1 more) is not covered by annotation flint.dev/hostnames of namespace exact';
    assert.ok(messageOf(body).endsWith(said), messageOf(body));
    const none = await create('none', route('one', 'a.test'));
    const saidOfNone = 'host "a.test" may not be used: namespace none has no annotation flint.dev/hostnames';
    assert.ok(messageOf(none.body).endsWith(saidOfNone), messageOf(none.body));
  });

  test('when the annotation shrinks, what is there stays possible, and nothing is added', async () => {
    await createNamespace('shrinking', 'a.test,b.test');
    for (const object of [
      route('shop', 'a.test', 'b.test'),
      ingress('shop', rulesOf('flint', 'a.test', 'b.test')),
    ]) {
      await annotate('shrinking', 'a.test,b.test');
      await until(() => create('shrinking', route('probe', 'b.test')), 201);
      await stored('shrinking', object);
      await annotate('shrinking', 'c.test');
      await until(() => create('shrinking', route('probe', 'b.test')), 403);
      const hosts = (...names: readonly string[]): RoutingObject => ({
        ...object,
        spec: object.kind === 'Ingress' ? rulesOf('flint', ...names) : route('shop', ...names).spec,
      });
      const label = { metadata: { labels: { team: 'shop' } } };
      expect(await patch('shrinking', object, label), undefined);
      expect(await patch('shrinking', object, { spec: hosts('b.test', 'a.test').spec }), undefined);
      expect(await patch('shrinking', object, { spec: hosts('a.test', 'b.test', 'd.test').spec }), 'd.test');
      expect(await patch('shrinking', object, { spec: hosts('a.test', '*').spec }), '*');
      expect(await patch('shrinking', object, { spec: hosts('a.test', 'c.test').spec }), undefined);
      expect(await patch('shrinking', object, { spec: hosts('b.test', 'c.test').spec }), 'b.test');
      expect(await put('shrinking', hosts('a.test', 'b.test')), 'b.test');
      expect(await serverSideApply('shrinking', hosts('a.test', 'c.test', 'e.test')), 'e.test');
      expect(await serverSideApply('shrinking', hosts('a.test', 'c.test')), undefined);
    }
  });

  test('a status is written, whatever the hosts', async () => {
    await createNamespace('stating', 'a.test');
    const objects = [route('shop', 'a.test'), ingress('shop', rulesOf('flint', 'a.test'))];
    for (const object of objects) await stored('stating', object);
    await annotate('stating', '');
    await until(() => create('stating', route('probe', 'a.test')), 403);
    const [first, second] = objects as [RoutingObject, RoutingObject];
    const status = { observedGeneration: 1 };
    expect(await patch('stating', first, { status }, '/status'), undefined);
    const loadBalancer = { ingress: [{ ip: '203.0.113.7' }] };
    expect(await patch('stating', second, { status: { loadBalancer } }, '/status'), undefined);
  });

  test('a terminating object loses its finalizers and goes', async () => {
    await createNamespace('terminating', 'a.test');
    const objects = [route('shop', 'a.test'), ingress('shop', rulesOf('flint', 'a.test'))];
    for (const object of objects) {
      const metadata = { ...object.metadata, finalizers: ['flint.dev/test'] };
      await stored('terminating', { ...object, metadata });
    }
    await annotate('terminating', 'b.test');
    await until(() => create('terminating', route('probe', 'a.test')), 403);
    for (const object of objects) {
      const path = `${pathOf('terminating', object)}/shop`;
      assert.equal((await server.call('DELETE', path)).status, 200);
      assert.equal((await server.call('GET', path)).status, 200, 'held by its finalizer');
      expect(await patch('terminating', object, { metadata: { finalizers: null } }), undefined);
      assert.equal((await server.call('GET', path)).status, 404);
    }
  });

  test('an Ingress that comes from another class is looked at as if it were new', async () => {
    const object = ingress('moving', rulesOf('nginx', 'evil.test'));
    await stored('exact', object);
    expect(await patch('exact', object, { metadata: { labels: { team: 'shop' } } }), undefined);
    expect(await patch('exact', object, { spec: { ingressClassName: 'flint' } }), 'evil.test');
    expect(await patch('exact', object, { spec: { ingressClassName: null } }), 'evil.test');
    // Both at once can only come by an update; whichever a controller reads, it is not certainly another's.
    const annotations = { 'kubernetes.io/ingress.class': 'flint' };
    expect(await patch('exact', object, { metadata: { annotations } }), 'evil.test');
    expect(await patch('exact', object, { spec: { ingressClassName: 'haproxy' } }), undefined);
  });

  test('thousands of hosts and entries stay within what the API server lets an expression cost', async (t) => {
    const names = (count: number, what: string): string[] =>
      Array.from({ length: count }, (_, index) => `${what}-${index}.example.test`);
    const figures: string[] = [];
    for (const [hosts, entries] of [
      [16, 1000],
      [100, 100],
      [500, 200],
      [1000, 20],
    ] as const) {
      const namespace = `many-${hosts}-${entries}`;
      const exact = names(entries / 2, 'exact');
      const wild = names(entries / 2, 'wild').map((name) => `*.${name}`);
      await createNamespace(namespace, [...exact, ...wild].join());
      const last = wild.at(-1)!.slice(2);
      const object = ingress('many', rulesOf('flint', ...names(hosts, 'h').map((name) => `${name}.${last}`)));
      const startedMs = performance.now();
      expect(await stored(namespace, object), undefined);
      figures.push(`${hosts} x ${entries}: ${(performance.now() - startedMs).toFixed(0)} ms`);
      await annotate(namespace, 'other.test');
      await until(() => create(namespace, route('probe', 'exact-0.example.test')), 403);
      expect(await patch(namespace, object, { metadata: { labels: { team: 'shop' } } }), undefined);
    }
    t.diagnostic(`hosts x entries, created: ${figures.join(', ')}`);
  });

  test('what would cost too much is refused, not let through, and leaves what is there alone', async () => {
    const hosts = Array.from({ length: 2000 }, (_, index) => `h${index}.test`);
    const entries = Array.from({ length: 200 }, (_, index) => `*.e${index}.test`);
    await createNamespace('too-much', '*');
    const object = ingress('much', rulesOf('flint', ...hosts));
    await stored('too-much', object);
    await annotate('too-much', entries.join());
    await until(() => create('too-much', route('probe', 'h0.test')), 403);
    const { status, body } = await create('too-much', { ...object, metadata: { name: 'more' } });
    assert.equal(status, 422);
    assert.match(messageOf(body), /cost/);
    expect(await patch('too-much', object, { metadata: { labels: { team: 'shop' } } }), undefined);
  });

  test('the parameters: other classes, free namespaces, and none at all', async () => {
    const setParams = async (data: Readonly<Record<string, string>>): Promise<void> => {
      const { status } = await server.call('PATCH', paramsPath, { data }, { contentType: mergePatch });
      assert.equal(status, 200);
    };
    await setParams({ ingressClassNames: 'inner, outer', unannotatedNamespaces: 'Any' });
    await until(() => create('none', route('free', 'free.test')), 201);
    expect(await create('none', ingress('free', rulesOf(undefined, 'free.test'))), undefined);
    // An annotation that says nothing is one nevertheless.
    expect(await create('empty', route('free', 'free.test')), 'free.test');
    for (const name of ['inner', 'outer'])
      expect(await create('exact', ingress('one', rulesOf(name, 'evil.test'))), 'evil.test');
    expect(await create('exact', ingress('one', rulesOf('flint', 'evil.test'))), undefined);
    await server.call('DELETE', paramsPath);
    await until(() => create('all', route('lost', 'lost.test')), 422, /no params found/);
  });

  async function createNamespace(name: string, hostnames: string | undefined): Promise<void> {
    const annotations = hostnames === undefined ? {} : { 'flint.dev/hostnames': hostnames };
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } };
    const { status, body } = await server.call('POST', '/api/v1/namespaces', object);
    assert.equal(status, 201, messageOf(body));
  }

  async function annotate(name: string, hostnames: string): Promise<void> {
    const metadata = { annotations: { 'flint.dev/hostnames': hostnames } };
    const path = `/api/v1/namespaces/${name}`;
    const { status } = await server.call('PATCH', path, { metadata }, { contentType: mergePatch });
    assert.equal(status, 200);
  }

  /** Only asked for: nothing stays. */
  function create(namespace: string, object: RoutingObject): Promise<ApiAnswer> {
    return server.call('POST', `${pathOf(namespace, object)}?dryRun=All`, object);
  }

  async function stored(namespace: string, object: RoutingObject): Promise<ApiAnswer> {
    const answer = await server.call('POST', pathOf(namespace, object), object);
    assert.equal(answer.status, 201, messageOf(answer.body));
    return answer;
  }

  function patch(
    namespace: string,
    object: RoutingObject,
    change: unknown,
    subresource = '',
  ): Promise<ApiAnswer> {
    const path = `${pathOf(namespace, object)}/${object.metadata.name}${subresource}`;
    return server.call('PATCH', path, change, { contentType: mergePatch });
  }

  async function put(namespace: string, object: RoutingObject): Promise<ApiAnswer> {
    const path = `${pathOf(namespace, object)}/${object.metadata.name}`;
    const { metadata } = (await server.call('GET', path)).body;
    return server.call('PUT', path, { ...object, metadata });
  }

  function serverSideApply(namespace: string, object: RoutingObject): Promise<ApiAnswer> {
    const path = `${pathOf(namespace, object)}/${object.metadata.name}?fieldManager=test&force=true&dryRun=All`;
    return server.call('PATCH', path, object, { contentType: 'application/apply-patch+yaml' });
  }
});

const mergePatch = 'application/merge-patch+json';

function messageOf({ message }: ApiAnswer['body']): string {
  return typeof message === 'string' ? message : '';
}

function pathOf(namespace: string, { apiVersion, kind }: RoutingObject): string {
  return `/apis/${apiVersion}/namespaces/${namespace}/${kind === 'Ingress' ? 'ingresses' : 'ingressroutes'}`;
}

/** `refused` is the first host that the message must name; undefined: it must have gone through. */
function expect({ status, body }: ApiAnswer, refused: string | undefined): void {
  const message = messageOf(body);
  if (refused === undefined) {
    assert.ok(status === 200 || status === 201, `${status} ${message}`);
    return;
  }
  assert.equal(status, 403, message);
  assert.match(message, /flint\.dev\/hostnames/);
  assert.ok(message.includes(`host "${refused}"`), message);
}

async function until(call: () => Promise<ApiAnswer>, status: number, message = /(?:)/): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const answer = await call();
    if (answer.status === status && message.test(messageOf(answer.body))) return;
    if (performance.now() > endMs) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    await moment(50);
  }
}
