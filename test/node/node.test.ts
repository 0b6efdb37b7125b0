// The harness itself: a Kubernetes with two real nodes does what the tests that build on it take for granted.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { moment } from '../cluster/test-cluster.ts';
import { NodeCluster } from './node-cluster.ts';
import { OutsideClient } from './outside-client.ts';
import { findSandbox } from './sandbox.ts';
import { daemonSet, deployment, loadBalancer, namespace, podSpec } from './workloads.ts';

const found = findSandbox();
if ('missing' in found) process.stderr.write(`tests on real nodes are SKIPPED: ${found.missing}\n`);
const shop = { name: 'shop', namespace: 'shop' };
const edge = { name: 'edge', namespace: 'edge' };
const address = '203.0.113.10';
const nodePort = 30080;

describe('two real nodes', { skip: 'missing' in found ? found.missing : false }, () => {
  let cluster: NodeCluster;

  before(async () => {
    cluster = await NodeCluster.start();
    await cluster.apply(namespace('shop', 'restricted'), namespace('edge', 'privileged'));
    await cluster.apply(deployment(shop, 2), loadBalancer(shop, nodePort), daemonSet(edge, 80));
    const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: address }] } } });
    await cluster.kubectl(['-n', 'shop', 'patch', 'service', 'shop', '--subresource=status', '-p', status]);
    const ready = Promise.all([rolledOut('shop', 'deployment/shop'), rolledOut('edge', 'daemonset/edge')]);
    await ready.catch(async (error: unknown) => {
      process.stderr.write(`${await cluster.explain()}\n`);
      throw error;
    });
  });
  afterEach(async (context) => {
    // What one looks for first when it fails where nobody can look.
    if (!(context as TestContext).passed) process.stderr.write(`${await cluster.explain()}\n`);
  });
  after(() => cluster?.stop());

  async function rolledOut(where: string, what: string): Promise<void> {
    await cluster.kubectl(['-n', where, 'rollout', 'status', what, '--timeout=150s']);
  }

  /** Of the pods with that label: name -> node. */
  async function podsOf({ name, namespace }: typeof shop): Promise<Map<string, string>> {
    const output = '-o=jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}';
    const text = await cluster.kubectl(['-n', namespace, 'get', 'pods', '-l', `app=${name}`, output]);
    const rows = text.trim().split('\n');
    return new Map(rows.map((row) => row.split(' ') as [string, string]));
  }

  /** Who answers there, over as many new connections as it takes to hear `count` of them. */
  async function answersAt(host: string, port: number, count: number): Promise<Set<string>> {
    const heard = new Set<string>();
    const endMs = performance.now() + 30_000;
    while (performance.now() < endMs && heard.size < count) {
      // kube-proxy of this node may not have heard yet of what is ready, and then refuses.
      const response = await fetch(`http://${host}:${port}/`, { headers: { connection: 'close' } }).catch(
        (error: unknown) => (heard.size === 0 ? undefined : Promise.reject(error)),
      );
      if (response === undefined) {
        await moment(50);
        continue;
      }
      assert.equal(response.status, 200);
      heard.add((await response.text()).trim());
    }
    return heard;
  }

  test('both are Ready, and spread what they are given', async () => {
    const text = await cluster.kubectl(['get', 'nodes', '--no-headers', '-o', 'wide']);
    assert.match(text, /^node-1 +Ready .* 10\.213\.0\.11 .*containerd.*\nnode-2 +Ready .* 10\.213\.0\.12 /);
    assert.deepEqual(new Set((await podsOf(shop)).values()), new Set(['node-1', 'node-2']));
    assert.deepEqual(new Set((await podsOf(edge)).values()), new Set(['node-1', 'node-2']));
  });

  test('a host port of a DaemonSet answers on each node by its own pod', async () => {
    for (const [pod, name] of await podsOf(edge)) {
      const node = cluster.nodes.find((each) => each.name === name);
      assert.deepEqual(await answersAt(node?.address ?? '', 80, 1), new Set([pod]));
    }
  });

  test('a Service answers by all its pods: node port, balancer address, and cluster address from a pod', async () => {
    const pods = await podsOf(shop);
    const names = new Set(pods.keys());
    for (const node of cluster.nodes) assert.deepEqual(await answersAt(node.address, nodePort, 2), names);
    assert.deepEqual(await answersAt(address, 80, 2), names);
    const read = ['-n', 'shop', 'get', 'service', 'shop', '-o=jsonpath={.spec.clusterIP}'];
    const url = `http://${await cluster.kubectl(read)}/`;
    // From each pod until both have answered: across the nodes, to the neighbour, and to itself.
    for (const pod of names) {
      const heard = new Set<string>();
      for (let attempt = 0; attempt < 40 && heard.size < 2; attempt++)
        heard.add((await cluster.kubectl(['-n', 'shop', 'exec', pod, '--', '/demo', '-get', url])).trim());
      assert.deepEqual(heard, names);
    }
  });

  test('logs and exec: what a pod says, and what fails in it', async () => {
    const [pod = ''] = (await podsOf(shop)).keys();
    assert.match(await cluster.kubectl(['-n', 'shop', 'logs', pod]), new RegExp(`${pod}: serving on :8080`));
    const failing = ['-n', 'shop', 'exec', pod, '--', '/demo', '-get', 'http://127.0.0.1:1/'];
    await assert.rejects(cluster.kubectl(failing), /connection refused/);
  });

  test('Pod Security restricted refuses a host port, and says so', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bold', namespace: 'shop' },
      spec: podSpec(81),
    };
    await assert.rejects(cluster.apply(pod), /violates PodSecurity "restricted.*hostPort 81/s);
  });

  test('a pod reaches the API server by its mounted token and the address of the Service kubernetes', async () => {
    const [pod = ''] = (await podsOf(shop)).keys();
    const ask = ['-n', 'shop', 'exec', pod, '--', '/demo', '-get', 'https://kubernetes/version'];
    assert.match(await cluster.kubectl(ask), /"gitVersion": "v1\.\d+\.\d+"/);
  });

  test('the outside client sees nothing of a drain, and all that there is to see of a pod that is killed', async () => {
    const before = await podsOf(shop);
    await using balanced = new OutsideClient({ address, port: 80 });
    await using direct = new OutsideClient({ address: cluster.nodes[0]?.address ?? '', port: 80 });
    await balanced.finish(200);
    const drain = ['drain', 'node-2', '--ignore-daemonsets', '--timeout=60s'];
    await cluster.kubectl(drain);
    await rolledOut('shop', 'deployment/shop');
    await balanced.finish(200);
    const drained = await balanced.stop();
    assert.deepEqual(drained.failures, []);
    const now = await podsOf(shop);
    assert.deepEqual(new Set(now.values()), new Set(['node-1']));
    assert.deepEqual(new Set(drained.answers.keys()), new Set([...before.keys(), ...now.keys()]));
    await cluster.kubectl(['uncordon', 'node-2']);

    assert.deepEqual(direct.outcome.failures, []);
    const [victim] = [...(await podsOf(edge))].find(([, node]) => node === 'node-1') ?? [''];
    await cluster.kubectl(['-n', 'edge', 'delete', 'pod', victim, '--grace-period=0', '--force']);
    await rolledOut('edge', 'daemonset/edge');
    // The new pod may have the port before the old one has died, and then nobody notices anything.
    while (direct.outcome.answers.size < 2) await direct.finish(10);
    const killed = await direct.stop();
    for (const { cause } of killed.failures)
      assert.match(cause, /ECONN|no answer|socket hang up|EHOST|ETIMEDOUT/);
    assert.equal(killed.answers.size, 2);
    await using unheard = new OutsideClient({ address: cluster.nodes[0]?.address ?? '', port: 81 });
    await unheard.finish(20);
    const { requests, failures } = await unheard.stop();
    assert.deepEqual(
      failures.map(({ cause }) => cause),
      Array.from({ length: requests }, () => 'ECONNREFUSED'),
      'a port where nobody listens is noticed',
    );
  });

  test('a node that loses its power is NotReady, and its Service goes on by the other', async () => {
    await cluster.nodes[1]?.powerOff();
    await cluster.kubectl(['wait', '--for=condition=Ready=Unknown', 'node/node-2', '--timeout=60s']);
    const onFirst = [...(await podsOf(shop))].filter(([, node]) => node === 'node-1').map(([pod]) => pod);
    assert.ok(onFirst.length > 0);
    const pods = onFirst.map((pod) => `pod/${pod}`);
    await cluster.kubectl(['-n', 'shop', 'wait', '--for=condition=Ready', ...pods, '--timeout=60s']);
    for (let attempt = 0; attempt < 20; attempt++) {
      const [pod] = await answersAt(cluster.nodes[0]?.address ?? '', nodePort, 1);
      assert.ok(onFirst.includes(pod ?? ''));
    }
  });
});
