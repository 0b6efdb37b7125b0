import { before, after, describe, test } from 'node:test';
import { echoBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, moment } from './test-cluster.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';

const irs = '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes';
describe('scratch', () => {
  let c: TestCluster; let op: FlintProcess;
  before(async () => {
    c = await TestCluster.start(2);
    op = await c.startOperator();
    await c.untilProxiesReady();
    await op.until(() => op.said('standing'));
    op.adminPort = Number(op.log.find(({ msg }) => msg === 'standing for election')?.['admin']);
  });
  after(() => c.stop());
  const pickReady = (r: any) => (r.status?.conditions ?? []).map((x: any) => `${x.type}=${x.status}:${x.reason}`).join(' ');

  test('early Ready', async (t) => {
    const b = await echoBackend(t, 'b', 0, backendAddress);
    const [svc, slice] = service('late', [b.port], backendAddress) as any[];
    await c.api.call('POST', '/api/v1/namespaces/default/services', svc);
    const ir = simpleRoute('late.test', 'late');
    await moment(500);
    await c.api.call('POST', irs, ir);
    const t0 = Date.now();
    while (!(await c.statuses('late.test')).every((s) => s === 503)) await moment(5);
    const [, p2] = c.proxies;
    await moment(60);
    process.kill(p2!.flint.pid, 'SIGSTOP');
    console.log('frozen at', Date.now() - t0, pickReady(await c.route('late-test')));
    await c.api.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice);
    const t1 = Date.now();
    while (!pickReady(await c.route('late-test')).includes('Ready=True') && Date.now() - t1 < 8000) await moment(5);
    console.log('after slice', Date.now() - t1, 'since route', Date.now() - t0, pickReady(await c.route('late-test')), (await c.route('late-test')).status?.conditions?.find((x) => x.type === 'Programmed')?.message);
    const answer = request(p2!.http, 'late.test', '/');
    await moment(200);
    process.kill(p2!.flint.pid, 'SIGCONT');
    console.log('frozen pod then answers', (await answer).status);
    await moment(500);
    console.log('later', await c.statuses('late.test'));
    // unfrozen variant: how often in a plain run
    let bad = 0;
    for (let i = 0; i < 15; i++) {
      const [s, e] = service(`n${i}`, [b.port], backendAddress) as any[];
      await c.api.call('POST', '/api/v1/namespaces/default/services', s);
      await c.api.call('POST', irs, simpleRoute(`n${i}.test`, `n${i}`));
      await moment(300);
      await c.api.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', e);
      while (!pickReady(await c.route(`n${i}-test`)).includes('Ready=True')) {}
      const got = await c.statuses(`n${i}.test`);
      if (!got.every((x) => x === 200)) { bad++; console.log(i, got); }
    }
    console.log('plain: Ready and then not 200:', bad, 'of 15');
  });

  test('stale view', async () => {
    await moment(1500);
    for (const d of [45, 55, 60, 65, 70, 75, 80, 90]) {
      const name = `stale-${d}`;
      const first = c.api.call('POST', irs, { ...(simpleRoute(`${name}.test`, 'late') as any), metadata: { name } });
      await first; const t0 = performance.now();
      while (performance.now() - t0 < d) await new Promise(setImmediate);
      const x = await c.api.call('PATCH', `${irs}/${name}`, { metadata: { labels: { a: 'b' } } }, { contentType: 'application/merge-patch+json' } as any);
      await moment(4000);
      console.log('label after', d, 'ms', x.status, '->', pickReady(await c.route(name)) || 'NO STATUS');
    }
    await moment(10000);
    for (const d of [45, 55, 60, 65, 70, 75, 80, 90]) console.log('much later', d, pickReady(await c.route(`stale-${d}`)) || 'NO STATUS');
  });

  test('foreign condition', async () => {
    const w0 = await op.metric('flint_status_writes_total');
    const x = await c.api.call('PATCH', `${irs}/late-test/status`, { status: { conditions: [
      ...(await c.route('late-test')).status!.conditions!,
      { type: 'example.com/Audited', status: 'True', reason: 'Yes', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] } }, { contentType: 'application/merge-patch+json' } as any);
    console.log('patch', x.status);
    await moment(5000);
    const text = await (await op.admin('/metrics')).text();
    console.log(text.split('\n').filter((l) => /status|write/.test(l) && !l.startsWith('#')).join('\n'), 'before', w0);
    const t0 = await op.metric('flint_operator_status_writes_total'); void t0;
  });

  test('stop', async () => {
    const t0 = Date.now();
    console.log('exit', await op.stop('SIGTERM'), Date.now() - t0, 'ms');
    console.log(op.log.filter(({ level }) => level !== 'info' && level !== 30).map((l) => JSON.stringify(l)).slice(0, 10).join('\n'));
  });
});
