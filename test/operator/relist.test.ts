// What changed while a watch was broken is told by the next list alone, and must not be lost on those whose spec stayed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../kube/fake-api.ts';
import type { FakeApi } from '../kube/fake-api.ts';
import { until } from '../kube/until.ts';
import { Term, cluster, ingresses, putIngress, putRoute, routes } from './term.ts';

/** The watch of a collection ends, `change` happens, and the next watch would be too late: there is a list instead. */
async function missed(api: FakeApi, plural: string, change: () => void): Promise<void> {
  let isListed = false;
  api.tap = ({ path }, answer) => {
    if (!path.includes(`/${plural}?`)) return answer();
    if (path.includes('watch=true')) {
      if (!isListed) return failure(410, 'Expired', 'too old');
    } else isListed = true;
    return answer();
  };
  api.endWatches();
  change();
  await until('there was another list', () => isListed);
}

test('a status that another hand took away comes back', async (context) => {
  const api = cluster();
  putRoute(api, 'web');
  const term = new Term(context, api);
  await term.ready('web');
  await term.quiet(300);
  await missed(api, 'ingressroutes', () => api.edit(routes, 'web', (object) => ({ ...object, status: {} })));
  await term.ready('web');
});

test('the addresses of an Ingress come back', async (context) => {
  const api = cluster();
  putIngress(api, 'web');
  const term = new Term(context, api);
  const addresses = (): string => JSON.stringify(api.get(ingresses, 'web')?.['status'] ?? {});
  await until('it has addresses', () => addresses().includes('10.0.0.1'));
  await term.quiet(300);
  const foreign = { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } };
  await missed(api, 'ingresses', () =>
    api.edit(ingresses, 'web', (object) => ({ ...object, status: foreign })),
  );
  await until('it has its addresses again', () => addresses().includes('10.0.0.1'));
});

test('an object that was changed in a way that asks for nothing is still told that it is served', async (context) => {
  const api = cluster();
  putRoute(api, 'web');
  const term = new Term(context, api);
  let lags = true;
  for (const pod of ['proxy-1', 'proxy-2'])
    term.says.set(pod, () => (lags ? { sequence: 0, digest: '' } : {}));
  await until('it is pending', () => term.status('web') !== undefined);
  await missed(api, 'ingressroutes', () =>
    api.edit(routes, 'web', (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { team: 'x' } },
    })),
  );
  lags = false;
  await term.ready('web');
});

test('an object that was made anew is not told what was said of the one before it', async (context) => {
  const api = cluster();
  putRoute(api, 'web');
  const term = new Term(context, api);
  await term.ready('web');
  await term.quiet(300);
  await missed(api, 'ingressroutes', () => {
    api.remove(routes, 'web');
    putRoute(api, 'web', { rules: [{ backendRefs: [{ name: 'nobody', port: 80 }] }] });
  });
  await until(
    'it is told that its Service is missing',
    () => term.status('web')?.conditions.some(({ reason }) => reason === 'BackendNotFound') === true,
  );
  assert.equal(term.isReady('web'), false);
});
