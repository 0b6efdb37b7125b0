// Tools that wait: no version of an IngressRoute that anybody can read looks done before it is served, and the test data of
// config/argocd are such versions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { route, service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, whyNoCluster } from '../cluster/test-cluster.ts';
import { JudgeProgram, judgeBinary } from './judge-program.ts';
import { RouteWatch, presentCondition } from './route-watch.ts';
import type { SeenRoute } from './route-watch.ts';
import { isAsInTestData } from './test-data.ts';

const noCluster = whyNoCluster();
const binary = noCluster === undefined ? judgeBinary() : { missing: noCluster };
const skip = 'missing' in binary ? binary.missing : false;

describe('tools that wait for an IngressRoute', { skip }, () => {
  let cluster: TestCluster;
  let watch: RouteWatch;
  let operator: FlintProcess;

  before(async () => {
    cluster = await TestCluster.start();
    watch = await RouteWatch.open(cluster.api);
  });
  after(async () => {
    watch.close();
    await cluster.stop();
  });

  const hasReason = (type: string, wanted: string) => (seen: SeenRoute) => {
    const condition = presentCondition(seen, type);
    return condition !== undefined && `${condition.status} ${condition.reason}` === wanted;
  };

  test('nobody has looked at it', async () => {
    await cluster.apply(yaml(...service('shop', [80], backendAddress)));
    await cluster.create(simpleRoute('shop.test', 'shop'));
    isAsInTestData('progressing-not-looked-at', await watch.until('shop-test', () => true));
  });

  test('there is no data plane', async () => {
    operator = await cluster.startOperator({ args: ['--publish-address', '203.0.113.7'] });
    isAsInTestData(
      'progressing-no-data-plane',
      await watch.until('shop-test', hasReason('Ready', 'False NoDataPlane')),
    );
  });

  test('it is served', async () => {
    await cluster.startProxy(1);
    isAsInTestData('healthy', await watch.until('shop-test', hasReason('Ready', 'True Programmed')));
  });

  test('a backend is missing', async () => {
    await cluster.create(simpleRoute('late.test', 'late'));
    isAsInTestData(
      'progressing-first-sight',
      await watch.until('late-test', hasReason('Ready', 'False Pending')),
    );
    isAsInTestData(
      'progressing-backend-not-found',
      await watch.until('late-test', hasReason('Ready', 'False BackendNotFound')),
    );
    await cluster.apply(yaml(...service('late', [80], backendAddress)));
    await watch.until('late-test', hasReason('Ready', 'True Programmed'));
  });

  test('its certificate has not come yet', async () => {
    const rules = [{ backendRefs: [{ name: 'shop', port: 80 }] }];
    await cluster.create(
      route('secure', {
        hostnames: ['secure.test'],
        tls: { certificateRefs: [{ name: 'secure-tls' }] },
        rules,
      }),
    );
    isAsInTestData(
      'progressing-certificate-pending',
      await watch.until('secure', hasReason('Ready', 'False CertificatePending')),
    );
  });

  test('nothing of it can ever be served', async () => {
    const matches = [{ headers: [{ type: 'RegularExpression', name: 'x-any', value: '[' }] }];
    await cluster.create(simpleRoute('broken.test', 'shop', { matches }));
    isAsInTestData(
      'degraded-invalid',
      await watch.until('broken-test', hasReason('Stalled', 'True Invalid')),
    );
  });

  test('it has been edited, and nobody has looked at that', async () => {
    operator.process.kill('SIGSTOP');
    await edit('shop-test', { hostnames: ['shop.test', 'www.shop.test'] });
    isAsInTestData(
      'progressing-edited',
      await watch.until('shop-test', ({ metadata }) => metadata.generation === 2),
    );
    operator.process.kill('SIGCONT');
    await watch.until(
      'shop-test',
      (seen) => seen.metadata.generation === 2 && hasReason('Ready', 'True Programmed')(seen),
    );
  });

  test('twenty edits in a row', async () => {
    for (let generation = 3; generation < 23; generation++) {
      await edit('shop-test', { hostnames: ['shop.test', `edit-${generation}.shop.test`] });
      await watch.until(
        'shop-test',
        (seen) => seen.metadata.generation === generation && hasReason('Ready', 'True Programmed')(seen),
      );
    }
  });

  test('it is being deleted', async () => {
    await patch('late-test', { metadata: { finalizers: ['example.com/held'] } });
    await cluster.api.call('DELETE', path('late-test'));
    isAsInTestData(
      'progressing-deleted',
      await watch.until('late-test', ({ metadata }) => metadata.deletionTimestamp !== undefined),
    );
  });

  test('of all that there was to see, what was Ready was done, and nothing else', async (context) => {
    if ('missing' in binary) return;
    const [health, status] = [JudgeProgram.health(binary.file), JudgeProgram.status(binary.file)];
    context.after(() => {
      health.stop();
      status.stop();
    });
    const counts = new Map<string, number>();
    for (const seen of watch.seen) {
      const isDeleted = seen.metadata.deletionTimestamp !== undefined;
      const isReady = !isDeleted && presentCondition(seen, 'Ready')?.status === 'True';
      const isStalled = !isDeleted && presentCondition(seen, 'Stalled')?.status === 'True';
      const wanted = isReady
        ? 'Healthy Current'
        : isStalled
          ? 'Degraded Failed'
          : `Progressing ${isDeleted ? 'Terminating' : 'InProgress'}`;
      const said = `${(await health.ask(seen)).status} ${(await status.ask(seen)).status}`;
      assert.equal(said, wanted, JSON.stringify(seen));
      counts.set(said, (counts.get(said) ?? 0) + 1);
    }
    context.diagnostic([...counts].map(([said, count]) => `${said}: ${count}`).join(', '));
    assert.deepEqual([...counts.keys()].sort(), [
      'Degraded Failed',
      'Healthy Current',
      'Progressing InProgress',
      'Progressing Terminating',
    ]);
  });

  const path = (name: string): string => `/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes/${name}`;

  async function patch(name: string, body: object): Promise<void> {
    const contentType = 'application/merge-patch+json';
    const answer = await cluster.api.call('PATCH', path(name), body, { contentType });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }

  async function edit(name: string, spec: object): Promise<void> {
    await patch(name, { spec });
  }
});
