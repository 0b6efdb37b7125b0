// A leader's time in office: what it publishes, what it tells, what it leaves alone, and what it does not wait for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { addressOf } from '#operator/addresses.ts';
import { Translator } from '#translate/translator.ts';
import { chunkName } from '#model/chunk.ts';
import { encodeClaims } from '#model/claims-ledger.ts';
import { newestSchema, schemaNumbers } from '#model/route-model-schema.ts';
import { headName } from '#model/wire-names.ts';
import { failure } from '../kube/fake-api.ts';
import type { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { configMaps, readBundle, storedHead } from './published.ts';
import {
  cluster,
  ingresses,
  pods,
  putEndpoints,
  putIngress,
  putPod,
  putRoute,
  routes,
  Term,
} from './term.ts';

const names = Array.from({ length: 30 }, (_, index) => `web-${index}`);
const bothNodes = ['10.0.0.1', '10.0.0.2'].map(addressOf);
const bothIps = [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }];

function clusterOf(...routeNames: readonly string[]): FakeApi {
  const api = cluster();
  for (const name of routeNames) putRoute(api, name);
  return api;
}

function ingressOf(term: Term, name: string): unknown {
  return (term.api.get(ingresses, name)?.['status'] as { loadBalancer?: { ingress?: unknown } } | undefined)
    ?.loadBalancer?.ingress;
}

function patches(term: Term): readonly string[] {
  return term.api.writes.filter((write) => write.startsWith('PATCH '));
}

/** A cluster that an earlier leader has settled; nothing has been written to it since. */
async function settled(context: TestContext, ...routeNames: readonly string[]): Promise<FakeApi> {
  const api = clusterOf(...routeNames);
  putIngress(api, 'plain');
  const term = new Term(context, api);
  await term.ready(...routeNames);
  await until('the Ingress is told', () => ingressOf(term, 'plain') !== undefined);
  await term.quiet(1200);
  await term.end();
  api.writes.length = 0;
  return api;
}

// Most of their time is waiting for nothing to happen.
describe('a leader', { concurrency: 4 }, () => {
  test('everything is published and told at first sight, with two writes to each object at most', async (context) => {
    const api = clusterOf(...names);
    putIngress(api, 'plain');
    const term = new Term(context, api);
    await term.ready(...names);
    await until('the Ingress is told', () => ingressOf(term, 'plain') !== undefined);
    await term.quiet(1500);
    assert.match(readBundle(api), /^[0-9a-f]{64}$/);
    for (const name of names) assert.deepEqual(term.status(name)?.addresses, bothNodes);
    assert.deepEqual(ingressOf(term, 'plain'), bothIps);
    for (const name of [...names, 'plain']) {
      const count = patches(term).filter((write) => write === `PATCH ${name}`).length;
      assert.ok(count >= 1 && count <= 2, `${count} writes to ${name}`);
    }
    assert.deepEqual(term.warnings, []);
    assert.deepEqual(term.operator.snapshot.routes, new Map([['Programmed', names.length]]));
  });

  test('a new leader over settled objects writes the epoch of the head, and nothing else', async (context) => {
    const api = await settled(context, ...names);
    const before = storedHead(api);
    const term = new Term(context, api);
    await until('it leads', () => term.operator.snapshot.members === 2);
    await term.quiet(2500);
    assert.deepEqual(api.writes, [`PUT ${headName}`]);
    assert.deepEqual(storedHead(api), { ...before, epoch: (before?.epoch ?? 0) + 1 });
    assert.deepEqual(term.operator.snapshot.routes, new Map([['Programmed', names.length]]));
  });

  test('a new leader in the middle of a rollout leaves the addresses as they are', async (context) => {
    const api = await settled(context, 'web');
    api.remove(pods, 'proxy-1');
    const term = new Term(context, api);
    await until('it leads', () => term.operator.snapshot.members === 1);
    await term.quiet(2500);
    putPod(api, 1);
    await until('it is back', () => term.operator.snapshot.members === 2);
    await term.quiet(2500);
    assert.deepEqual(patches(term), []);
  });

  test('a node on which no pod serves is no address, and a pod that serves later makes it one', async (context) => {
    const api = clusterOf('web');
    putPod(api, 3, { conditions: [{ type: 'Ready', status: 'False' }] });
    const term = new Term(context, api);
    await term.ready('web');
    await term.quiet(1500);
    assert.deepEqual(term.status('web')?.addresses, bothNodes);
    putPod(api, 3);
    await until('its address is told', () => term.status('web')?.addresses?.length === 3);
  });

  test('addresses that are given are told, and nothing of the nodes', async (context) => {
    const api = await settled(context, 'web');
    const term = new Term(context, api, { publishAddresses: [addressOf('lb.example.com')] });
    await until('it is told', () => ingressOf(term, 'plain') !== undefined && patches(term).length === 2);
    await term.quiet(1500);
    assert.deepEqual(term.status('web')?.addresses, [addressOf('lb.example.com')]);
    assert.deepEqual(ingressOf(term, 'plain'), [{ hostname: 'lb.example.com' }]);
    assert.equal(patches(term).length, 2);
  });

  test("another hand's write to the status of an Ingress is seen without any other change", async (context) => {
    const api = await settled(context, 'web');
    const term = new Term(context, api);
    await until('it leads', () => term.operator.snapshot.members === 2);
    await term.quiet(500);
    api.edit(ingresses, 'plain', (each) => ({
      ...each,
      status: { loadBalancer: { ingress: [{ ip: '9.9.9.9' }] } },
    }));
    await until(
      'it is told again',
      () => JSON.stringify(ingressOf(term, 'plain')) === JSON.stringify(bothIps),
    );
    await term.quiet(1500);
    assert.deepEqual(patches(term), ['PATCH plain']);
  });

  test('an API of cert-manager that fails keeps no route back, and no Certificate is touched unseen', async (context) => {
    const api = clusterOf('web');
    putRoute(api, 'secured', {
      tls: { certificateRefs: [{ name: 'secured-tls' }], issuerRef: { name: 'letsencrypt' } },
    });
    const certificates = '/apis/cert-manager.io/v1/namespaces/shop/certificates';
    const theirs = api.put(certificates, {
      metadata: { name: 'secured-tls' },
      spec: { secretName: 'secured-tls' },
    });
    let isFailing = true;
    api.tap = ({ method, path }, answer) =>
      isFailing && method === 'GET' && path.includes('cert-manager.io') ? failure(500, '', 'no') : answer();
    const term = new Term(context, api);
    await term.ready('web');
    await term.quiet(2000);
    assert.deepEqual(api.get(certificates, 'secured-tls'), theirs);
    assert.ok(
      term.warnings.some((warning) => warning.startsWith('issuedCertificates could not be followed')),
    );
    isFailing = false;
    putRoute(api, 'other', {
      tls: { certificateRefs: [{ name: 'other-tls' }], issuerRef: { name: 'letsencrypt' } },
    });
    await until('another one is made', () => api.get(certificates, 'other-tls') !== undefined);
    assert.deepEqual(api.get(certificates, 'secured-tls'), theirs);
  });

  test('any other collection that fails is waited for: a failed list never looks like an empty one', async (context) => {
    const api = clusterOf('web');
    let isFailing = true;
    api.tap = ({ method, path }, answer) =>
      isFailing && method === 'GET' && path.includes('/services') ? failure(500, '', 'no') : answer();
    const term = new Term(context, api);
    await until('two failures', () => term.operator.snapshot.failures >= 2);
    await new Promise((resolve) => setTimeout(resolve, 6000));
    assert.equal(storedHead(api), undefined);
    assert.deepEqual(api.writes, []);
    isFailing = false;
    await term.ready('web');
  });

  test('a new leader asks the pods what they understand before it says anything new', async (context) => {
    const api = clusterOf('web');
    const old = (): object => ({ schemas: [1, 2] });
    const term = new Term(context, api);
    for (const name of ['proxy-1', 'proxy-2']) term.says.set(name, old);
    await until('what they can read', () => storedHead(api)?.schema === 2);
    await term.end();
    for (let round = 0; round < 4; round++) {
      // The lists of pods and nodes are the first ones, or the last ones.
      const isEarly = round % 2 === 0;
      api.tap = async ({ path }, answer) => {
        const isOfPods = /\/(pods|nodes)\?/.test(path);
        if (isOfPods !== isEarly) await new Promise((resolve) => setTimeout(resolve, 50));
        return answer();
      };
      const next = new Term(context, api);
      for (const name of ['proxy-1', 'proxy-2']) next.says.set(name, old);
      putEndpoints(api, `10.2.0.${10 + round}`);
      const before = storedHead(api)?.sequence ?? 0;
      await until('it has published', () => (storedHead(api)?.sequence ?? 0) > before);
      await next.quiet(200);
      assert.deepEqual(
        next.published.filter((text) => !text.startsWith('2/')),
        [],
      );
      await next.end();
    }
  });

  test('when the last pod of an older build goes, the rest is told what it could not read', async (context) => {
    const api = clusterOf('web');
    const term = new Term(context, api);
    term.says.set('proxy-2', () => ({ schemas: [1, 2] }));
    await until('what it can read', () => storedHead(api)?.schema === 2);
    await term.quiet(500);
    // It is gone without a word, and no other one comes.
    api.remove(pods, 'proxy-2');
    await until('the newest schema', () => storedHead(api)?.schema === newestSchema);
    await term.quiet(1500);
    assert.equal(term.published.at(-1), `${newestSchema}/${storedHead(api)?.sequence}`);
  });

  test('a pod that says something else each time costs a few revisions, not one for each of its words', async (context) => {
    const api = clusterOf('web');
    const term = new Term(context, api);
    let words = 0;
    term.says.set('proxy-2', () => ({
      schemas: words % 2 === 0 ? [1, 2] : schemaNumbers,
      sequence: 1_000_000 + words++,
      digest: String(words),
    }));
    await until('it has been heard', () => words > 100);
    context.diagnostic(`${term.published.length} revisions after ${words} answers`);
    assert.ok(term.published.length < 15, `${term.published.length} revisions after ${words} answers`);
  });

  test('a head that cannot be written for a moment costs one revision, not two', async (context) => {
    const api = clusterOf('web');
    const term = new Term(context, api);
    await term.ready('web');
    await term.quiet(1200);
    const before = storedHead(api)?.sequence ?? 0;
    let refusals = 0;
    api.tap = ({ method, path }, answer) => {
      if (path.includes(headName) && method === 'PUT' && refusals === 0) {
        refusals++;
        return failure(409, 'Conflict', 'changed');
      }
      if (path.includes(`${headName}?`) && method === 'GET' && refusals++ === 1) throw new Error('reset');
      return answer();
    };
    putEndpoints(api, '10.2.0.9');
    await until('it is published', () => (storedHead(api)?.sequence ?? 0) > before);
    await term.quiet(1500);
    assert.equal(storedHead(api)?.sequence, before + 1);
    assert.ok(refusals >= 2);
  });

  test('when the head is lost, of two claims on a host the later one holds, also within a second', async (context) => {
    for (const owners of [
      ['shop', 'other'],
      ['other', 'shop'],
    ]) {
      const api = clusterOf('web');
      api.put('/apis/flint.dev/v1alpha1/namespaces/other/ingressroutes', {
        kind: 'IngressRoute',
        metadata: { name: 'web', namespace: 'other' },
        spec: { hostnames: ['web.test'], rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }] },
      });
      for (const owner of owners)
        for (const chunk of encodeClaims([
          { host: 'web.test', namespace: owner, since: '2026-01-01T00:00:00Z' },
        ]))
          api.put(configMaps, {
            metadata: {
              name: chunkName(chunk),
              labels: { 'flint.dev/part': 'chunk' },
              creationTimestamp: '2026-01-01T00:00:00Z',
            },
            immutable: true,
            data: { chunk: chunk.text },
          });
      const term = new Term(context, api);
      await until('it is judged', () => (term.status('web')?.conditions.length ?? 0) > 2);
      const isOwner = term.status('web')?.conditions.find(({ type }) => type === 'Accepted')?.status;
      assert.equal(isOwner, owners[1] === 'shop' ? 'True' : 'False');
      await term.end();
    }
  });

  test('the end of leading ends everything: nothing is written after it, whatever happens', async (context) => {
    const api = clusterOf('web');
    const term = new Term(context, api);
    await term.ready('web');
    await term.end();
    api.writes.length = 0;
    putRoute(api, 'late');
    putEndpoints(api, '10.2.0.9');
    api.edit(routes, 'web', (route) => ({ ...route, status: {} }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(api.writes, []);
  });

  test('a leader whose head another one has taken over ends by itself, and writes nothing more', async (context) => {
    const api = clusterOf('web');
    const term = new Term(context, api);
    await term.ready('web');
    await term.quiet(500);
    const next = new Term(context, api);
    await next.ready('web');
    await until('the epoch is the next one', () => storedHead(api)?.epoch === 2);
    putEndpoints(api, '10.2.0.9');
    await assert.rejects(term.running, { name: 'LostLeadership' });
    await next.quiet(1000);
    assert.equal(storedHead(api)?.epoch, 2);
    assert.match(readBundle(api), /^[0-9a-f]{64}$/);
  });
});

test('thousands of old chunks do not keep a change waiting', async (context) => {
  const api = clusterOf('web');
  for (let index = 0; index < 3000; index++) {
    const name = `flint-upstreams-${index.toString(16).padStart(64, '0')}`;
    api.put(configMaps, {
      metadata: { name, namespace: 'flint-routes', labels: { 'flint.dev/part': 'chunk' } },
      immutable: true,
      data: { chunk: '[]' },
    });
  }
  const deletions = (): number => api.writes.filter((write) => write.startsWith('DELETE ')).length;
  api.tap = async ({ method }, answer) => {
    if (method === 'DELETE') await new Promise((resolve) => setTimeout(resolve, 2));
    return answer();
  };
  const cycles = context.mock.method(Translator.prototype, 'translate').mock;
  const term = new Term(context, api, { chunkRetentionMs: 1000 });
  await term.ready('web');
  await until('they are being deleted', () => deletions() > 0);
  const before = storedHead(api)?.sequence ?? 0;
  putEndpoints(api, '10.2.0.9');
  await until('it is published', () => (storedHead(api)?.sequence ?? 0) > before);
  const left = 3000 - deletions();
  context.diagnostic(`${left} of 3000 were left when the change was published`);
  assert.ok(left > 1000, `${left} were left`);
  await until('all are gone', () => deletions() >= 3000);
  assert.ok(cycles.callCount() < 100, `${cycles.callCount()} translations: its own deletions ask for none`);
});
