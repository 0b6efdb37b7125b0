// Ingresses on a real API server: what two data planes serve, and what the objects are told.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { echoBackend } from '../e2e/backends.ts';
import { service, yaml } from '../e2e/manifests.ts';
import { Ingresses, addressesOf, backendOf, ingress, ingressClass, ruleOf } from './ingresses.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const publishedAt = '203.0.113.7';
const operatorAdmin = '127.0.0.1:9902';
const ours = { ingressClassName: 'flint' };
const controller = 'flint.dev/ingress-controller';

describe('a cluster with an operator and two data planes', { skip }, () => {
  let cluster: TestCluster;
  let ingresses: Ingresses;

  before(async () => {
    cluster = await TestCluster.start(2);
    ingresses = new Ingresses(cluster);
    await cluster.startOperator({ args: ['--publish-address', publishedAt], admin: operatorAdmin });
    await cluster.untilProxiesReady();
  });
  after(() => cluster.stop());

  async function statusWrites(): Promise<number> {
    const text = await (await fetch(`http://${operatorAdmin}/metrics`)).text();
    return Number(/^flint_operator_status_writes_total (\d+)$/m.exec(text)?.[1]);
  }

  test('an Ingress is served by everybody, told where, and gone when it is deleted', async (context) => {
    const [web, api] = [
      await echoBackend(context, 'web', 0, backendAddress),
      await echoBackend(context, 'api', 0, backendAddress),
    ];
    await cluster.apply(
      yaml(
        ...service('web', [web.port], backendAddress),
        ...service('api', [api.port], backendAddress),
        ingress('shop', {
          ...ours,
          rules: [ruleOf('shop.test', ['Prefix', '/', 'web'], ['Exact', '/api', 'api'])],
        }),
      ),
    );
    await ingresses.untilAnsweredBy('shop.test', '/', 'web');
    assert.deepEqual(await ingresses.answeredBy('shop.test', '/api'), ['api', 'api']);
    assert.deepEqual(await ingresses.answeredBy('shop.test', '/api/'), ['web', 'web']);
    const { metadata, ...object } = await ingresses.untilPublished('shop');
    assert.deepEqual(addressesOf({ metadata, ...object }), [{ ip: publishedAt }]);

    // Others come, change and go, and its endpoints change: not a word more to it.
    // The one that was seen is counted in a moment.
    while ((await statusWrites()) === 0) await moment();
    const writes = await statusWrites();
    const more = await echoBackend(context, 'more', 0, backendAddress);
    await cluster.apply(yaml(...service('web', [more.port], backendAddress)));
    await ingresses.create(
      ingress('other', { ...ours, rules: [ruleOf('other.test', ['Prefix', '/', 'api'])] }),
    );
    await ingresses.untilAnsweredBy('other.test', '/', 'api');
    await ingresses.untilPublished('other');
    await cluster.delete('ingress', 'other');
    await cluster.untilStatus('other.test', 404);
    assert.equal((await ingresses.stored('shop')).metadata.resourceVersion, metadata.resourceVersion);
    assert.equal(await statusWrites(), writes + 1, 'one for the other');

    await cluster.delete('ingress', 'shop');
    await cluster.untilStatus('shop.test', 404);
  });

  test('an edit moves a path', async (context) => {
    const [one, two] = [
      await echoBackend(context, 'one', 0, backendAddress),
      await echoBackend(context, 'two', 0, backendAddress),
    ];
    const edited = (name: string): object =>
      ingress('edited', { ...ours, rules: [ruleOf('edited.test', ['Prefix', '/a', name])] });
    await cluster.apply(
      yaml(
        ...service('one', [one.port], backendAddress),
        ...service('two', [two.port], backendAddress),
        edited('one'),
      ),
    );
    await ingresses.untilAnsweredBy('edited.test', '/a/b', 'one');
    await cluster.apply(yaml(edited('two')));
    await ingresses.untilAnsweredBy('edited.test', '/a/b', 'two');
    await cluster.delete('ingress', 'edited');
    await cluster.untilStatus('edited.test', 404, '/a');
  });

  test('a wildcard covers one label', async (context) => {
    const wild = await echoBackend(context, 'wild', 0, backendAddress);
    await cluster.apply(
      yaml(
        ...service('wild', [wild.port], backendAddress),
        ingress('wild', { ...ours, rules: [ruleOf('*.wild.test', ['Prefix', '/', 'wild'])] }),
      ),
    );
    await ingresses.untilAnsweredBy('a.wild.test', '/', 'wild');
    assert.deepEqual(await cluster.statuses('a.b.wild.test'), [404, 404]);
    assert.deepEqual(await cluster.statuses('wild.test'), [404, 404]);
    await cluster.delete('ingress', 'wild');
    await cluster.untilStatus('a.wild.test', 404);
  });

  test('default backends: of a host, and of everything', async (context) => {
    const [rest, page] = [
      await echoBackend(context, 'rest', 0, backendAddress),
      await echoBackend(context, 'page', 0, backendAddress),
    ];
    const port = { name: 'web' };
    const [named, ...slices] = service('rest', [rest.port], backendAddress) as readonly {
      readonly ports: readonly object[];
    }[];
    await cluster.apply(
      yaml(
        { ...named, spec: { ports: [{ port: 80, name: 'web' }] } },
        ...slices.map((slice) => ({ ...slice, ports: [{ port: rest.port, name: 'web' }] })),
        ...service('page', [page.port], backendAddress),
        ingress('defaults', {
          ...ours,
          defaultBackend: backendOf('rest', port),
          rules: [ruleOf('page.test', ['Prefix', '/page', 'page'])],
        }),
      ),
    );
    await ingresses.untilAnsweredBy('page.test', '/page/1', 'page');
    assert.deepEqual(await ingresses.answeredBy('page.test', '/other'), ['rest', 'rest']);
    assert.deepEqual(await cluster.statuses('elsewhere.test'), [404, 404]);

    await ingresses.create(ingress('catch-all', { ...ours, defaultBackend: backendOf('rest', port) }));
    await ingresses.untilAnsweredBy('elsewhere.test', '/any/path', 'rest');
    await cluster.delete('ingress', 'catch-all');
    await cluster.untilStatus('elsewhere.test', 404);
    await cluster.delete('ingress', 'defaults');
    await cluster.untilStatus('page.test', 404);
  });

  test('classes: by the field, by the annotation, by a class that comes later, by a default', async (context) => {
    const web = await echoBackend(context, 'classes', 0, backendAddress);
    const rules = (host: string): object => ({ rules: [ruleOf(host, ['Prefix', '/', 'classes'])] });
    const annotated = (name: string): object => ({ annotations: { 'kubernetes.io/ingress.class': name } });
    await cluster.apply(yaml(...service('classes', [web.port], backendAddress)));
    await ingresses.create(ingress('later', { ingressClassName: 'later', ...rules('later.test') }));
    await ingresses.create(ingress('foreign', { ingressClassName: 'foreign', ...rules('foreign.test') }));
    await ingresses.create(ingress('none', rules('none.test')));
    await ingresses.create(ingress('old-foreign', rules('old-foreign.test'), annotated('foreign')));
    await ingresses.create(ingress('old', rules('old.test'), annotated('flint')));
    // The last one is served: all of them have been looked at.
    await ingresses.untilAnsweredBy('old.test', '/', 'classes');
    for (const host of ['later.test', 'foreign.test', 'none.test', 'old-foreign.test'])
      assert.deepEqual(await cluster.statuses(host), [404, 404], host);

    await cluster.apply(yaml(ingressClass('later', controller)));
    await ingresses.untilAnsweredBy('later.test', '/', 'classes');
    await cluster.apply(yaml(ingressClass('foreign', 'example.com/other')));

    // It was created when nothing was the default, so nobody has written a class into it.
    await cluster.apply(yaml(ingressClass('later', controller, true)));
    await ingresses.untilAnsweredBy('none.test', '/', 'classes');
    assert.equal((await ingresses.stored('none')).spec.ingressClassName, undefined);
    // Into this one the API server does.
    await ingresses.create(ingress('new', rules('new.test')));
    assert.equal((await ingresses.stored('new')).spec.ingressClassName, 'later');
    await ingresses.untilAnsweredBy('new.test', '/', 'classes');

    // With a second default of another controller, what has no class is left to that one.
    await cluster.apply(yaml(ingressClass('foreign', 'example.com/other', true)));
    await cluster.untilStatus('none.test', 404);
    assert.deepEqual(await ingresses.answeredBy('new.test'), ['classes', 'classes']);
    await cluster.delete('ingressclass', 'foreign');
    await ingresses.untilAnsweredBy('none.test', '/', 'classes');

    await cluster.delete('ingressclass', 'later');
    await cluster.untilStatus('later.test', 404);
    await cluster.untilStatus('none.test', 404);
    assert.deepEqual(await ingresses.answeredBy('old.test'), ['classes', 'classes']);
    for (const name of ['foreign', 'old-foreign'])
      assert.deepEqual(addressesOf(await ingresses.stored(name)), []);
    await cluster.api.kubectl(['delete', 'ingress', '--all']);
    await cluster.untilStatus('old.test', 404);
  });

  test('a backend that leads nowhere: 503 for its path alone, an Event, and served when it comes', async (context) => {
    const web = await echoBackend(context, 'there', 0, backendAddress);
    await cluster.apply(
      yaml(
        ...service('there', [web.port], backendAddress),
        ingress('broken', {
          ...ours,
          rules: [
            ruleOf('broken.test', ['Prefix', '/', 'there'], ['Prefix', '/lost', 'lost']),
            {
              host: 'broken.test',
              http: {
                paths: [
                  {
                    path: '/bucket',
                    pathType: 'Prefix',
                    backend: { resource: { apiGroup: 'example.com', kind: 'Bucket', name: 'b' } },
                  },
                ],
              },
            },
          ],
        }),
      ),
    );
    await ingresses.untilAnsweredBy('broken.test', '/', 'there');
    assert.deepEqual(await cluster.statuses('broken.test', '/lost/1'), [503, 503]);
    assert.deepEqual(await cluster.statuses('broken.test', '/bucket'), [503, 503]);
    // Which of several problems gives its name to the Event does not matter; what stands in it does.
    const { type, note } = await Promise.any([
      ingresses.untilEvent('broken', 'BackendNotFound'),
      ingresses.untilEvent('broken', 'Invalid'),
    ]);
    assert.equal(type, 'Warning');
    assert.match(note, /spec\.rules\[0\]\.http\.paths\[1\]\.backend\.service\.name: .*no Service lost/);
    assert.match(note, /spec\.rules\[1\]\.http\.paths\[0\]\.backend\.resource/);
    // It is served all the same, and so it has an address.
    assert.deepEqual(addressesOf(await ingresses.untilPublished('broken')), [{ ip: publishedAt }]);

    const lost = await echoBackend(context, 'lost', 0, backendAddress);
    await cluster.apply(yaml(...service('lost', [lost.port], backendAddress)));
    await ingresses.untilAnsweredBy('broken.test', '/lost/1', 'lost');
    await cluster.delete('ingress', 'broken');
    await cluster.untilStatus('broken.test', 404);
  });

  test('an only backend that is missing gives an Event BackendNotFound', async () => {
    await ingresses.create(
      ingress('lonely', { ...ours, rules: [ruleOf('lonely.test', ['Prefix', '/', 'nothing-there'])] }),
    );
    const { type, note } = await ingresses.untilEvent('lonely', 'BackendNotFound');
    assert.deepEqual(
      [type, note],
      [
        'Warning',
        'spec.rules[0].http.paths[0].backend.service.name: namespace default has no Service nothing-there',
      ],
    );
    await cluster.delete('ingress', 'lonely');
  });

  test('a host of two namespaces: the second is told who owns it', async (context) => {
    const web = await echoBackend(context, 'owner', 0, backendAddress);
    await cluster.createNamespace('second');
    await cluster.apply(
      yaml(
        ...service('owner', [web.port], backendAddress),
        ingress('owner', { ...ours, rules: [ruleOf('owned.test', ['Prefix', '/', 'owner'])] }),
      ),
    );
    await ingresses.untilAnsweredBy('owned.test', '/', 'owner');
    const claim = ingress('claim', { ...ours, rules: [ruleOf('owned.test', ['Exact', '/', 'owner'])] });
    await cluster.apply(yaml(claim), 'second');
    const told = async (): Promise<string> =>
      await cluster.api.kubectl(['get', 'events', '-n', 'second', '-o', 'jsonpath={.items[*].reason}']);
    while (!(await told()).includes('HostnameConflict')) await moment();
    assert.deepEqual(await ingresses.answeredBy('owned.test'), ['owner', 'owner']);
    await cluster.delete('ingress', 'owner');
    await cluster.untilStatus('owned.test', 503);
    await cluster.delete('ingress', 'claim', 'second');
    await cluster.untilStatus('owned.test', 404);
  });
});
