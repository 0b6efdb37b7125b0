// A whole Kubernetes with real nodes, for one test file. Run through hack/node-sandbox.
//
//   the sandbox's namespaces: the world outside                        203.0.113.0/24 (addresses of load balancers),
//   +-----------------------------------------------------------+      pod and service ranges: routed to the nodes
//   | test, kubectl, OutsideClient                              |
//   | etcd, kube-apiserver, kube-controller-manager, scheduler  |
//   |                      10.213.0.1                           |
//   |   ======== bridge ====+==============================     |
//   |           |                          |                    |
//   |  +--------+-----------+    +---------+----------+         |
//   |  | node-1  10.213.0.11|    | node-2  10.213.0.12|         |      a node: net, mount, PID, UTS and IPC namespaces,
//   |  | containerd, kubelet|    |  the same          |         |      held by its first process, `pause`; /var/lib,
//   |  | kube-proxy         |    |                    |         |      /var/log and /run are its own
//   |  |  pods 10.244.1.0/24|    |  pods 10.244.2.0/24|         |
//   |  +--------------------+    +--------------------+         |
//   +-----------------------------------------------------------+
//
// Nothing here cleans up after a crash, and nothing has to. Nodes are PID namespaces inside the sandbox's: whoever kills
// a node's first process, the test or the sandbox, ends every container, shim and mount below it; cgroups and files lie
// below the sandbox's own, and its janitor outlives everybody. Two sandboxes see nothing of each other, so all addresses
// and ports are fixed.
//
// No DNS, no NetworkPolicy enforcement, no cloud: a test sets a LoadBalancer's address itself.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiServer } from '../cluster/api-server.ts';
import type { ApiUser } from '../cluster/api-server.ts';
import { Component, logTails, run } from './component.ts';
import { writeDemoImages } from './demo-images.ts';
import { kubeconfig } from './node-files.ts';
import { findSandbox, makeCgroup } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import { TestNode } from './test-node.ts';

const outsideAddress = '10.213.0.1';
const podRange = '10.244.0.0/16';
const serviceRange = '10.96.0.0/16';
const loadBalancerRange = '203.0.113.0/24';
const bridge = 'nodes';

export interface NodeClusterOptions {
  /** 2 when absent. */
  readonly nodes?: number;
  /** OCI layouts in tars, for every node. */
  readonly images?: readonly string[];
}

export class NodeCluster {
  readonly nodes: readonly TestNode[];
  readonly api: ApiServer;
  /** A folder that ends with the cluster. */
  readonly folder: string;
  readonly #components: readonly Component[];

  private constructor(
    folder: string,
    api: ApiServer,
    nodes: readonly TestNode[],
    components: readonly Component[],
  ) {
    this.folder = folder;
    this.api = api;
    this.nodes = nodes;
    this.#components = components;
  }

  /** Resolves when every node is Ready. */
  static async start(options: NodeClusterOptions = {}): Promise<NodeCluster> {
    const found = findSandbox();
    if ('missing' in found) throw new Error(found.missing);
    const { sandbox } = found;
    const folder = mkdtempSync(join(sandbox.folder, 'cluster-'));
    const logs = join(folder, 'logs');
    mkdirSync(logs);
    const started: { api?: ApiServer; readonly nodes: TestNode[]; readonly components: Component[] } = {
      nodes: [],
      components: [],
    };
    try {
      await layNetwork(options.nodes ?? 2);
      const cgroup = makeCgroup(sandbox.cgroup, folder.slice(folder.lastIndexOf('/') + 1));
      const images = [...(await writeDemoImages(sandbox.nodeFolder, folder)), ...(options.images ?? [])];
      const names = Array.from({ length: options.nodes ?? 2 }, (_, index) => `node-${index + 1}`);
      const access = await makeAccess(folder, names);
      const startNode = async (name: string, index: number): Promise<void> => {
        const node = await TestNode.start(
          {
            name,
            address: nodeAddress(index + 1),
            podRange: podRangeOf(index + 1),
            clusterRange: podRange,
            cgroup: makeCgroup(cgroup, name),
            folder: join(folder, name),
            cniFolder: sandbox.cniFolder,
          },
          bridge,
          sandbox.nodeFolder,
          join(logs, name),
        );
        started.nodes[index] = node;
        await node.importImage(images[0] ?? '');
      };
      const startApi = async (): Promise<void> => {
        started.api = await startApiServer(sandbox, access, logs);
      };
      await settle([startApi(), ...names.map(startNode)]);
      const api = started.api as ApiServer;
      started.components.push(...startControllers(sandbox, api, access, folder));
      const ca = readFileSync(api.caFile, 'utf8');
      for (const node of started.nodes)
        node.join({
          kubeletKubeconfig: kubeconfig(api.url, ca, access.tokenOf(`system:node:${node.name}`)),
          proxyKubeconfig: kubeconfig(api.url, ca, access.tokenOf('system:kube-proxy')),
          clientCaFile: access.certificate,
        });
      const cluster = new NodeCluster(folder, api, started.nodes, started.components);
      await settle([cluster.#untilReady(), ...images.slice(1).map((image) => cluster.load(image))]);
      return cluster;
    } catch (error) {
      const tails = logTails(logs);
      await stop(folder, started.api, started.nodes, started.components);
      throw new Error(`the cluster did not start; the last words of everybody:\n${tails}`, { cause: error });
    }
  }

  /** SIGKILL for everybody. */
  stop(): Promise<void> {
    return stop(this.folder, this.api, this.nodes, this.#components);
  }

  /** As an administrator; rejects with kubectl's words. */
  kubectl(args: readonly string[], input = ''): Promise<string> {
    return this.api.kubectl(args, input);
  }

  apply(...objects: readonly object[]): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return this.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(list));
  }

  /** Makes an image known to every node. */
  async load(image: string): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.importImage(image)));
  }

  /** What to print when a test has failed: the state of the cluster, and the tail of every log. */
  async explain(): Promise<string> {
    const asked = [
      ['get', 'nodes,pods,services,endpointslices', '-A', '-o', 'wide'],
      ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ].map((args) => this.kubectl(args).catch(String));
    return [...(await Promise.all(asked)), logTails(join(this.folder, 'logs'))].join('\n');
  }

  async #untilReady(): Promise<void> {
    const names = this.nodes.map(({ name }) => `node/${name}`);
    try {
      // One by one: of several at once kubectl takes the first that is missing for an error.
      for (const name of names) await this.kubectl(['wait', '--for=create', name, '--timeout=60s']);
      await this.kubectl(['wait', '--for=condition=Ready', ...names, '--timeout=60s']);
      // Pods are refused before it exists.
      await this.kubectl(['wait', '--for=create', 'serviceaccount/default', '--timeout=30s']);
    } catch (error) {
      for (const each of [...this.#components, ...this.nodes]) each.assertAlive();
      throw error;
    }
  }
}

function nodeAddress(number: number): string {
  return `10.213.0.${10 + number}`;
}

function podRangeOf(number: number): string {
  return `10.244.${number}.0/24`;
}

/** The bridge and the routes of the world outside; what an earlier cluster of the sandbox has left is replaced. */
async function layNetwork(nodes: number): Promise<void> {
  await run(['ip', 'link', 'delete', bridge]).catch(() => undefined);
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  const hops = numbers.map((number) => `nexthop via ${nodeAddress(number)}`).join(' ');
  const commands = [
    `link add ${bridge} type bridge`,
    `address add ${outsideAddress}/24 dev ${bridge}`,
    `link set ${bridge} up`,
    ...numbers.map((number) => `route add ${podRangeOf(number)} via ${nodeAddress(number)}`),
    `route add ${serviceRange} via ${nodeAddress(1)}`,
    `route add ${loadBalancerRange} ${hops}`,
  ];
  await run(['ip', '-batch', '-'], commands.join('\n'));
  // Pods reach those of the other node by way of the outside.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
}

/** Who may come to the API server, and what it shows to the kubelets. */
interface Access {
  readonly users: readonly ApiUser[];
  readonly tokenOf: (name: string) => string;
  readonly certificate: string;
  readonly key: string;
}

async function makeAccess(folder: string, nodes: readonly string[]): Promise<Access> {
  const user = (name: string, group?: string): ApiUser => ({
    token: randomBytes(16).toString('hex'),
    name,
    ...(group === undefined ? {} : { group }),
  });
  const users = [
    ...['system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy'].map((each) =>
      user(each),
    ),
    ...nodes.map((name) => user(`system:node:${name}`, 'system:nodes')),
  ];
  const tokenOf = (name: string): string => {
    const found = users.find((each) => each.name === name);
    if (found === undefined) throw new Error(`nobody is called ${name}`);
    return found.token;
  };
  const [certificate, key] = [join(folder, 'kubelet-client.crt'), join(folder, 'kubelet-client.key')];
  // Signed by itself: it is its own authority, and kubelets trust just this one.
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2';
  const subject = '/O=system:masters/CN=kube-apiserver-kubelet-client';
  await run(['openssl', ...words.split(' '), '-subj', subject, '-keyout', key, '-out', certificate]);
  return { users, tokenOf, certificate, key };
}

function startApiServer({ kubeFolder }: Sandbox, access: Access, logs: string): Promise<ApiServer> {
  return ApiServer.start(kubeFolder, {
    address: outsideAddress,
    users: access.users,
    logs,
    flags: {
      'advertise-address': outsideAddress,
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'disable-admission-plugins': undefined,
      'allow-privileged': 'true',
      'kubelet-client-certificate': access.certificate,
      'kubelet-client-key': access.key,
      'kubelet-preferred-address-types': 'InternalIP',
    },
  });
}

function startControllers(sandbox: Sandbox, api: ApiServer, access: Access, folder: string): Component[] {
  const ca = readFileSync(api.caFile, 'utf8');
  const start = (name: string, flags: readonly string[]): Component => {
    const file = join(folder, `${name}.kubeconfig`);
    writeFileSync(file, kubeconfig(api.url, ca, access.tokenOf(`system:${name}`)), { mode: 0o600 });
    const all = [`--kubeconfig=${file}`, '--leader-elect=false', '--secure-port=0', ...flags];
    return new Component(name, join(folder, 'logs'), [join(sandbox.nodeFolder, name), ...all]);
  };
  return [
    start('kube-controller-manager', [
      `--service-account-private-key-file=${api.serviceAccountKeyFile}`,
      `--root-ca-file=${api.caFile}`,
      '--use-service-account-credentials',
      '--allocate-node-cidrs=false',
      // A dead node is noticed soon, since a test waits for that; a live one on a busy machine is not taken for dead.
      '--node-monitor-period=1s',
      '--node-monitor-grace-period=16s',
    ]),
    start('kube-scheduler', []),
  ];
}

async function stop(
  folder: string,
  api: ApiServer | undefined,
  nodes: readonly TestNode[],
  components: readonly Component[],
): Promise<void> {
  api?.stop();
  await Promise.all([...components.map((each) => each.kill()), ...nodes.map((each) => each.powerOff())]);
  rmSync(folder, { recursive: true, force: true });
}

/** All of them, to their end, before the first failure is thrown: nothing starts behind the back of who cleans up. */
async function settle(all: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(all)).find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
