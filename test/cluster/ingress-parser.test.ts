// What a real API server stores of Ingresses, and what the parser makes of it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseIngress } from '#api/ingress.ts';
import { Ingresses, backendOf, collection, ingress } from './ingresses.ts';
import { TestCluster, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;

describe('an API server', { skip }, () => {
  let cluster: TestCluster;
  let ingresses: Ingresses;

  before(async () => {
    cluster = await TestCluster.start();
    ingresses = new Ingresses(cluster);
  });
  after(() => cluster.stop());

  test('whatever Ingress the API server stores, it can be parsed; what is odd costs only itself', async () => {
    const web = backendOf('web');
    const http = (...paths: readonly object[]): object => ({ paths });
    const odd: readonly (readonly [name: string, spec: object, problems: readonly string[]])[] = [
      ['no-rules', { defaultBackend: web }, []],
      ['no-http', { rules: [{ host: 'a.test' }] }, []],
      ['empty-rule', { rules: [{}] }, []],
      ['empty-tls', { defaultBackend: web, tls: [{}] }, []],
      ['no-path', { rules: [{ http: http({ pathType: 'ImplementationSpecific', backend: web }) }] }, []],
      [
        'strange-path',
        { rules: [{ http: http({ path: '/a b?[(.*)\u00e9', pathType: 'Prefix', backend: web }) }] },
        [],
      ],
      [
        'resource',
        { defaultBackend: { resource: { kind: 'Bucket', name: 'b' } } },
        ['spec.defaultBackend.resource'],
      ],
      ['long-label', { rules: [{ host: `${'a'.repeat(64)}.test` }] }, ['spec.rules[0].host']],
      ['one-label', { rules: [{ host: 'a' }] }, []],
      ['named-port', { defaultBackend: backendOf('web', { name: 'http' }) }, []],
    ];
    for (const [name, spec, problems] of odd) {
      await ingresses.create(ingress(name, { ingressClassName: 'nobodys', ...spec }));
      const parsed = parseIngress(await ingresses.stored(name));
      assert.equal(parsed.kind, 'Parsed', `${name} ${JSON.stringify(parsed)}`);
      assert.deepEqual(
        parsed.value.problems.map(({ at }) => at),
        problems,
        name,
      );
    }
    // And what it refuses itself.
    for (const spec of [
      { rules: [{ host: '*' }] },
      { rules: [{ host: '10.0.0.1' }] },
      { rules: [{ host: 'A.test' }] },
      { rules: [{ http: http({ path: '/', backend: web }) }] },
      { rules: [{ http: http({ path: '/', pathType: 'Suffix', backend: web }) }] },
      { rules: [{ http: http({ path: 'a', pathType: 'Prefix', backend: web }) }] },
      { rules: [{ http: http({ path: '/a%2Fb', pathType: 'Exact', backend: web }) }] },
      { defaultBackend: backendOf('web', { number: 80, name: 'http' }) },
      { defaultBackend: {} },
      {},
    ]) {
      const { status } = await cluster.api.call('POST', collection, ingress('refused', spec));
      assert.equal(status, 422, JSON.stringify(spec));
    }
  });
});
