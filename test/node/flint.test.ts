// Flint on two real nodes, installed by its chart, under load from outside by the ports of the nodes: what people do to a
// cluster in a week, and no request fails.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { builtBy } from '../cluster/built.ts';
import { simpleRoute } from '../e2e/manifests.ts';
import { Helm, findImages, nextVersion } from './helm.ts';
import { NodeCluster } from './node-cluster.ts';
import { OutsideClient } from './outside-client.ts';
import type { Failure, Outcome } from './outside-client.ts';
import { findSandbox } from './sandbox.ts';
import { deployment, namespace } from './workloads.ts';

const found = findSandbox();
const helmFound = builtBy('helm-binary');
const imagesFound = findImages();
const missing = [found, helmFound, imagesFound].flatMap((each) =>
  'missing' in each ? [each.missing] : [],
)[0];
if (missing !== undefined) process.stderr.write(`Flint on real nodes is SKIPPED: ${missing}\n`);

const host = 'shop.test';
const nodePort = 30_080;
const shop = { name: 'shop', namespace: 'shop' };
const system = ['-n', 'flint-system'];

/** What users of one node saw, in a line. */
function wordsOf({ requests, failures, slowestMs }: Outcome): string {
  const [first, last] = [failures[0]?.atMs ?? 0, failures.at(-1)?.atMs ?? 0];
  const causes = [...new Set(failures.map(({ cause, connection }) => `${cause} (${connection})`))].join(', ');
  const failed = failures.length === 0 ? '' : `, from ${first} to ${last} ms: ${causes}`;
  return `${requests} requests, slowest ${Math.round(slowestMs)} ms, ${failures.length} failed${failed}`;
}

/** After the first one who is refused. */
const closingMs = 100;
const mostHalfway = 5;

/**
 * Of a port that closes: whoever is halfway through a handshake just then is reset, as the system has it. Whoever has been
 * accepted is not.
 */
function assertAcceptedWereAnswered(failures: readonly Failure[]): void {
  const refusedMs = failures.find(({ cause }) => cause === 'ECONNREFUSED')?.atMs ?? 0;
  const others = failures.filter(({ cause }) => cause !== 'ECONNREFUSED');
  const isHalfway = ({ cause, connection, atMs }: Failure): boolean =>
    cause === 'ECONNRESET' && connection === 'new' && Math.abs(atMs - refusedMs) <= closingMs;
  assert.deepEqual(
    others.filter((failure) => !isHalfway(failure)),
    [],
  );
  assert.ok(others.length <= mostHalfway, `${others.length} were reset`);
}

describe('Flint on real nodes', { skip: missing ?? false }, () => {
  let cluster: NodeCluster;
  let helm: Helm;

  before(
    async () => {
      cluster = await NodeCluster.start({ images: 'images' in imagesFound ? imagesFound.images : [] });
      helm = new Helm('path' in helmFound ? helmFound.path : '', cluster);
      await cluster.apply(namespace('flint-system', 'privileged'), namespace('shop', 'restricted'));
      await helm.upgrade({});
      await cluster.apply(deployment(shop, 2), service(shop.name), inShop(simpleRoute(host, 'shop')));
      await rolledOut('shop', 'deployment/shop');
      await ready(host);
    },
    { timeout: 600_000 },
  );
  afterEach(async (context) => {
    if (!(context as TestContext).passed) process.stderr.write(`${await cluster.explain()}\n`);
  });
  after(() => cluster?.stop());

  function service(name: string): object {
    const ports = [{ name: 'http', port: 80, targetPort: 'http' }];
    const metadata = { name, namespace: 'shop' };
    return { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: name }, ports } };
  }

  function inShop(object: unknown): object {
    const { metadata, ...rest } = object as { readonly metadata: object };
    return { ...rest, metadata: { ...metadata, namespace: 'shop' } };
  }

  async function ready(hostname: string): Promise<void> {
    const name = hostname.replaceAll('.', '-');
    await cluster.kubectl(['-n', 'shop', 'wait', '--for=condition=Ready', `ir/${name}`, '--timeout=60s']);
  }

  async function rolledOut(where: string, what: string): Promise<void> {
    await cluster.kubectl(['-n', where, 'rollout', 'status', what, '--timeout=120s']);
  }

  /** What users of both nodes saw while it was done. */
  async function meanwhile(work: () => Promise<void>, port = 80): Promise<readonly Outcome[]> {
    await using all = new AsyncDisposableStack();
    const clients = cluster.nodes.map(({ address }) => all.use(new OutsideClient({ address, port, host })));
    await Promise.all(clients.map((client) => client.finish(50)));
    await work();
    await Promise.all(clients.map((client) => client.finish(50)));
    return Promise.all(clients.map((client) => client.stop()));
  }

  function assertNothingFailed(context: TestContext, outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) context.diagnostic(wordsOf(outcome));
    // In words: of thousands of failures the difference from none takes gigabytes to draw.
    assert.deepEqual(outcomes.filter(({ failures }) => failures.length > 0).map(wordsOf), []);
  }

  test('routes applied, changed and deleted', async (context) => {
    const outcomes = await meanwhile(async () => {
      for (let number = 0; number < 5; number++) {
        const other = `other-${number}.test`;
        await cluster.apply(inShop(simpleRoute(other, 'shop')));
        await ready(other);
        for (const { address } of cluster.nodes)
          assert.equal(await statusAt(address, other), 200, 'after Ready');
        await cluster.apply(inShop(simpleRoute(other, 'nobody')));
        await cluster.kubectl(['-n', 'shop', 'delete', 'ir', other.replaceAll('.', '-')]);
      }
    });
    assertNothingFailed(context, outcomes);
  });

  test('a Deployment is rolled', async (context) => {
    const outcomes = await meanwhile(async () => {
      await cluster.kubectl(['-n', 'shop', 'rollout', 'restart', 'deployment/shop']);
      await rolledOut('shop', 'deployment/shop');
    });
    assertNothingFailed(context, outcomes);
    assert.ok(
      outcomes.every(({ answers }) => answers.size >= 3),
      'old and new pods have answered',
    );
  });

  test('a backend pod is killed without notice', async (context) => {
    const outcomes = await meanwhile(async () => {
      const pod = await cluster.kubectl(['-n', 'shop', 'get', 'pods', '-l', 'app=shop', '-o=name']);
      await cluster.kubectl([
        '-n',
        'shop',
        'delete',
        pod.split('\n')[0] ?? '',
        '--grace-period=0',
        '--force',
      ]);
      await rolledOut('shop', 'deployment/shop');
    });
    assertNothingFailed(context, outcomes);
  });

  test('a node is drained', async (context) => {
    const outcomes = await meanwhile(async () => {
      await cluster.kubectl([
        'drain',
        'node-2',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
        '--timeout=90s',
      ]);
      await rolledOut('shop', 'deployment/shop');
      await cluster.kubectl(['uncordon', 'node-2']);
    });
    assertNothingFailed(context, outcomes);
  });

  test("the operator's leader is killed: another leads, and routes go on changing", async (context) => {
    const outcomes = await meanwhile(async () => {
      // A drain may have moved the one that led.
      await rolledOut('flint-system', 'deployment/flint-operator');
      const before = await leaderOf();
      await cluster.kubectl([...system, 'delete', before, '--grace-period=0', '--force']);
      await cluster.apply(inShop(simpleRoute('led.test', 'shop')));
      await ready('led.test');
      assert.notEqual(await leaderOf(), before);
    });
    assertNothingFailed(context, outcomes);
  });

  /** `pod/NAME`, once the one that the Lease names is there. */
  async function leaderOf(): Promise<string> {
    const endMs = performance.now() + 40_000;
    for (;;) {
      const lease = await cluster.kubectl([
        ...system,
        'get',
        'lease',
        'flint-operator',
        '-o=jsonpath={.spec.holderIdentity}',
      ]);
      const pods = (await cluster.kubectl([...system, 'get', 'pods', '-o=name'])).trim().split('\n');
      const leader = pods.find((pod) => lease.startsWith(pod.replace('pod/', '')));
      if (leader !== undefined) return leader;
      if (performance.now() > endMs) throw new Error(`${lease} leads, and is none of ${pods.join(', ')}`);
    }
  }

  async function statusAt(address: string, hostname: string): Promise<number> {
    await using client = new OutsideClient({
      address,
      port: 80,
      host: hostname,
      perSecond: 50,
      newPercent: 100,
    });
    await client.finish(1);
    const { failures } = await client.stop();
    return failures.length === 0 ? 200 : Number(failures[0]?.cause.replace('status ', ''));
  }

  // How clients reach the pods decides what a roll costs: docs/install/upgrade.md has the figures.

  test('the data plane behind a Service is rolled to a new image', { timeout: 600_000 }, async (context) => {
    const values = { 'proxy.exposure': 'LoadBalancer', 'proxy.service.httpNodePort': String(nodePort) };
    await helm.upgrade(values);
    const outcomes = await meanwhile(
      () => helm.upgrade({ ...values, 'proxy.image.tag': nextVersion }),
      nodePort,
    );
    assertNothingFailed(context, outcomes);
  });

  test(
    'the data plane on ports of the nodes is rolled: one node after the other',
    { timeout: 600_000 },
    async (context) => {
      await helm.upgrade({ 'proxy.image.tag': nextVersion });
      const outcomes = await meanwhile(() => helm.upgrade({}));
      const gaps = outcomes.map((outcome) => {
        context.diagnostic(wordsOf(outcome));
        const { failures } = outcome;
        return { first: failures[0]?.atMs ?? 0, last: failures.at(-1)?.atMs ?? 0 };
      });
      for (const { failures } of outcomes) assertAcceptedWereAnswered(failures);
      // Whoever asks the other node meanwhile is served.
      const [one, other] = gaps.sort((a, b) => a.first - b.first);
      assert.ok(one!.last < other!.first, `both nodes were gone at once: ${JSON.stringify(gaps)}`);
    },
  );

  test(
    'the data plane on the network of the nodes is rolled: old and new pod share its ports',
    { timeout: 600_000 },
    async (context) => {
      const values = { 'proxy.exposure': 'HostNetwork' };
      await helm.upgrade(values);
      // Host ports of the pods before lead to these until they have gone.
      const leaving = (await proxyPods()).filter(({ leavesAt }) => leavesAt !== '');
      for (const { name } of leaving)
        await cluster.kubectl([...system, 'wait', '--for=delete', `pod/${name}`, '--timeout=60s']);
      for (const { address } of cluster.nodes) assert.equal(await statusAt(address, host), 200);
      const before = await proxyPods();
      assert.deepEqual(
        before.map(({ isOnHost }) => isOnHost),
        ['true', 'true'],
      );
      const outcomes = await meanwhile(async () => {
        await helm.upgrade({ ...values, 'proxy.image.tag': nextVersion });
        // Each pod proves for itself what it serves, at whichever of two ports is its own.
        await cluster.apply(inShop(simpleRoute('handed-over.test', 'shop')));
        await ready('handed-over.test');
      });
      assertNothingFailed(context, outcomes);
      const names = before.map(({ name }) => name);
      const present = (await proxyPods()).filter(({ leavesAt }) => leavesAt === '');
      assert.equal(present.length, before.length);
      assert.ok(present.every(({ name, image }) => !names.includes(name) && image.endsWith(nextVersion)));
      for (const { address } of cluster.nodes) assert.equal(await statusAt(address, 'handed-over.test'), 200);
    },
  );

  async function proxyPods(): Promise<{ name: string; isOnHost: string; image: string; leavesAt: string }[]> {
    const fields =
      '{.metadata.name} {.spec.hostNetwork} {.spec.containers[0].image} {.metadata.deletionTimestamp}';
    const lines = await cluster.kubectl([
      ...system,
      'get',
      'pods',
      '-l',
      'app.kubernetes.io/component=proxy',
      `-o=jsonpath={range .items[*]}${fields}{"\\n"}{end}`,
    ]);
    return lines
      .trim()
      .split('\n')
      .map((line) => {
        const [name = '', isOnHost = '', image = '', leavesAt = ''] = line.split(' ');
        return { name, isOnHost, image, leavesAt };
      });
  }

  test(
    'Helm goes back to the revision before, and takes everything away',
    { timeout: 600_000 },
    async (context) => {
      const values = { 'proxy.exposure': 'LoadBalancer', 'proxy.service.httpNodePort': String(nodePort) };
      await helm.upgrade(values);
      await helm.upgrade({ ...values, 'proxy.logLevel': 'debug' });
      const outcomes = await meanwhile(async () => {
        await helm.run('rollback', 'flint', '--wait', '--timeout=120s');
      }, nodePort);
      assertNothingFailed(context, outcomes);
      assert.match(await helm.run('history', 'flint'), /Rollback to/);
      await helm.run('uninstall', 'flint', '--wait', '--timeout=120s');
      const left = await cluster.kubectl([
        'get',
        'deployments,daemonsets,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,leases',
        ...system,
        '-o=name',
      ]);
      assert.deepEqual(left.trim().split('\n').sort(), [
        'configmap/kube-root-ca.crt',
        'lease.coordination.k8s.io/flint-operator',
        'serviceaccount/default',
      ]);
      const wide = await cluster.kubectl([
        'get',
        'clusterroles,clusterrolebindings,ingressclasses,priorityclasses,crds,namespaces',
        '-o=name',
      ]);
      const ours = wide.split('\n').filter((name) => name.includes('flint'));
      // The namespace of the release is not the chart's, and without the CRD all routes would be gone.
      assert.deepEqual(ours.sort(), [
        'customresourcedefinition.apiextensions.k8s.io/ingressroutes.flint.dev',
        'namespace/flint-system',
      ]);
      assert.match(
        await cluster.kubectl(['-n', 'shop', 'get', 'ir', '-o=name']),
        /ingressroute.flint.dev\/shop-test/,
      );
    },
  );
});
