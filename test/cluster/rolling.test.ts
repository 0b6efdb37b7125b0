// A rolling update of the data plane, seen from the objects: nothing leaves Ready, and nothing is written that did not
// change.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';
import type { StoredRoute } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const routes = 200;
const path = '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes';

describe('a rolling update of the data plane', { skip }, () => {
  let cluster: TestCluster;
  let admin = '';

  before(async () => {
    cluster = await TestCluster.start(3);
    admin = 'http://127.0.0.1:19701';
    await cluster.startOperator({
      admin: '127.0.0.1:19701',
      args: ['--publish-address', '203.0.113.7'],
    });
    await cluster.apply(yaml(...service('somebody', [80], backendAddress)));
    for (let number = 0; number < routes; number++)
      await cluster.create(simpleRoute(`r${number}.test`, 'somebody'));
    while (Object.values(await stored()).some((route) => !isSettled(route))) await moment(200);
  });
  after(() => cluster.stop());

  test('a pod that joins or leaves writes no status, and takes Ready from nobody', async (t) => {
    const [before, writes] = [await stored(), await statusWrites()];
    const watching = new AbortController();
    const watched: Record<string, number | undefined> = Object.fromEntries(
      Object.entries(before).map(([name, { metadata }]) => [name, metadata.generation]),
    );
    const left = watchForUnready(watched, watching.signal);
    for (const [index, pod] of [...cluster.proxies].entries()) {
      await pod.flint.stop('SIGTERM');
      await cluster.removeProxy(pod);
      await cluster.startProxy(index + 4);
      await cluster.untilProxiesReady();
      // Something changes meanwhile, for somebody else.
      const name = `r${index}-test`;
      await edit(name, index);
      await untilSettled(name);
      watched[name] = (await stored())[name]?.metadata.generation;
    }
    await moment(2000);
    watching.abort();
    assert.deepEqual(await left, []);
    const now = await stored();
    const edited = new Set(['r0-test', 'r1-test', 'r2-test']);
    const rewritten = Object.keys(before).filter(
      (name) =>
        !edited.has(name) && before[name]?.metadata.resourceVersion !== now[name]?.metadata.resourceVersion,
    );
    assert.deepEqual(rewritten, []);
    const written = (await statusWrites()) - writes;
    t.diagnostic(`${written} status writes for 3 edits and 3 new pods over ${routes} routes`);
    assert.ok(written >= 3 && written <= 9, `${written} writes`);
  });

  test('a leader that takes over writes nothing about what is settled', async (t) => {
    const before = await stored();
    const follower = await cluster.startOperator({
      admin: '127.0.0.1:19702',
      args: ['--publish-address', '203.0.113.7'],
    });
    await follower.until(() => follower.said('standing for election'));
    admin = 'http://127.0.0.1:19702';
    await cluster.operators[0]?.stop('SIGKILL');
    while ((await metric('flint_operator_leading')) !== 1) await moment(100);
    while ((await metric('flint_operator_data_plane_pods')) !== 3) await moment(100);
    await edit('r9-test', 9);
    await untilSettled('r9-test');
    await moment(2000);
    const now = await stored();
    const rewritten = Object.keys(before).filter(
      (name) =>
        name !== 'r9-test' && before[name]?.metadata.resourceVersion !== now[name]?.metadata.resourceVersion,
    );
    assert.deepEqual(rewritten, []);
    t.diagnostic(`${await statusWrites()} status writes by the new leader, for one edit`);
  });

  async function stored(): Promise<Readonly<Record<string, StoredRoute>>> {
    const { items } = await cluster.get<{
      readonly items: readonly (StoredRoute & { readonly metadata: { readonly name: string } })[];
    }>(path);
    return Object.fromEntries(items.map((item) => [item.metadata.name, item]));
  }

  /** Resolves when the last edit of a route is what its status speaks of, and is Ready. */
  async function untilSettled(name: string): Promise<void> {
    for (;;) {
      const route = (await stored())[name];
      if (route?.status?.observedGeneration === route?.metadata.generation && route && isSettled(route))
        return;
      await moment(100);
    }
  }

  /** Resolves, when told to end, to the routes that were seen not to be Ready at the generation that had been Ready before. */
  async function watchForUnready(
    generations: Readonly<Record<string, number | undefined>>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const left = new Set<string>();
    while (!signal.aborted) {
      for (const [name, route] of Object.entries(await stored()))
        if (route.metadata.generation === generations[name] && !isReady(route)) left.add(name);
      await moment(100);
    }
    return [...left];
  }

  async function edit(name: string, number: number): Promise<void> {
    const { status } = await cluster.api.call(
      'PATCH',
      `${path}/${name}`,
      { spec: { rules: [{ name: `edited-${number}`, backendRefs: [{ name: 'somebody', port: 80 }] }] } },
      { contentType: 'application/merge-patch+json' },
    );
    assert.equal(status, 200);
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${admin}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  function statusWrites(): Promise<number> {
    return metric('flint_operator_status_writes_total');
  }
});

function isReady({ status }: StoredRoute): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
}

function isSettled(route: StoredRoute): boolean {
  return isReady(route) && (route.status?.addresses?.length ?? 0) > 0;
}
