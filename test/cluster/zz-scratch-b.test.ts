import { before, after, describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { Agent, createServer, request as rq } from 'node:https';
import { echoBackend } from '../e2e/backends.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, moment } from './test-cluster.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';

const irs = '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes';
const delays = { head: 0 };
const log: string[] = [];
async function delaying(api: any): Promise<string> {
  const ca = readFileSync(api.caFile);
  const agent = new Agent({ keepAlive: true, ca });
  const server = createServer({ cert: ca, key: readFileSync(api.caFile.replace(/crt$/, 'key')) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('request', async (i: any, o: any) => {
    const ps: Buffer[] = [];
    for await (const p of i) ps.push(p);
    if (i.method === 'PUT' && i.url.includes('flint-head')) await moment(delays.head);
    const out = rq(new URL(i.url, api.url), { agent, method: i.method, headers: i.headers });
    o.on('close', () => out.destroy());
    out.on('error', () => o.destroy());
    out.end(Buffer.concat(ps));
    try {
      const [a] = (await once(out, 'response')) as any;
      if (i.method === 'PATCH')
        log.push(`${i.url.split('?')[0].split('/').slice(-2).join('/')} ${a.statusCode}`);
      o.writeHead(a.statusCode, a.headers);
      a.on('error', () => o.destroy());
      a.pipe(o);
    } catch {
      o.destroy();
    }
  });
  return `https://127.0.0.1:${(server.address() as any).port}`;
}
describe('scratch', () => {
  let c: TestCluster;
  let op: FlintProcess;
  before(async () => {
    c = await TestCluster.start(1);
    op = await c.startOperator({ server: { url: await delaying(c.api), caFile: c.api.caFile } });
    await c.untilProxiesReady();
  });
  after(() => c.stop());
  const ready = (r: any) =>
    (r.status?.conditions ?? []).map((x: any) => `${x.type}=${x.status}:${x.reason}`).join(' ');
  test('stale view', async (t) => {
    const b = await echoBackend(t, 'b', 0, backendAddress);
    await c.apply(yaml(...service('late', [b.port], backendAddress)));
    await moment(1500);
    delays.head = 150;
    const name = 'stale';
    await c.api.call('POST', irs, { ...(simpleRoute(`${name}.test`, 'late') as any), metadata: { name } });
    await moment(110);
    const x = await c.api.call('PATCH', `${irs}/${name}`, { metadata: { labels: { a: 'b' } } }, {
      contentType: 'application/merge-patch+json',
    } as any);
    console.log('label', x.status);
    await moment(5000);
    console.log('5 s:', ready(await c.route(name)) || 'NO STATUS', log);
    await moment(60000);
    console.log(
      '65 s:',
      ready(await c.route(name)) || 'NO STATUS',
      'patches',
      log.length,
      log.at(-1),
      'request',
      await c.statuses('stale.test'),
    );
    console.log(
      op.log
        .filter(({ level }) => level !== 'info' && level !== 30)
        .map((l) => JSON.stringify(l))
        .slice(0, 5)
        .join('\n'),
    );
    // after a spec edit: the old status stays
    await c.api.call('PATCH', `${irs}/${name}`, { metadata: { annotations: { z: 'y' } } }, {
      contentType: 'application/merge-patch+json',
    } as any);
    await moment(3000);
    console.log('after another metadata edit', ready(await c.route(name)));
  });
});
