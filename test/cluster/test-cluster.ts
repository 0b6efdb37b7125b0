// A cluster for one test file: a real API server, operator and data planes as processes of their own under the RBAC of
// config/, with real service-account tokens. What a kubelet would do (Pods and their readiness) is done here.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlintProcess } from '../e2e/flint-process.ts';
import { request } from '../e2e/http-client.ts';
import type { Target } from '../e2e/http-client.ts';
import { ApiServer, kubeAssets } from './api-server.ts';

const root = new URL('../../', import.meta.url).pathname;

/** Where backends listen: EndpointSlices refuse loopback. */
export const backendAddress = '10.213.2.1';

/** Why tests that need a cluster cannot run here; undefined when they can. */
export function whyNoCluster(): string | undefined {
  const assets = kubeAssets();
  if ('missing' in assets) return assets.missing;
  if (process.env['FLINT_PRIVATE_NETWORK'] === undefined)
    return 'not in a private network: run through hack/private-network';
  return undefined;
}

/** A data-plane pod: its process, and the Pod object that stands for it. */
export class ProxyPod {
  readonly name: string;
  readonly address: string;
  /** The folder of the build that it runs. */
  readonly build: string;
  flint: FlintProcess;
  isReady = false;

  constructor(name: string, address: string, build: string, flint: FlintProcess) {
    this.name = name;
    this.address = address;
    this.build = build;
    this.flint = flint;
  }

  get http(): Target {
    return { host: this.address, port: 8080 };
  }

  admin(path: string): Promise<Response> {
    return fetch(`http://${this.address}:9901${path}`);
  }

  async metric(series: string): Promise<number> {
    const text = await (await this.admin('/metrics')).text();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }
}

export interface OperatorOptions {
  /** Another way to the API server than the straight one. */
  readonly server?: { readonly url: string; readonly caFile: string };
  readonly args?: readonly string[];
  readonly admin?: string;
  /** Through the official client, and not by a mounted service account as in a pod. */
  readonly usesKubeconfig?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** The folder of another build than the present one. */
  readonly build?: string;
}

export class TestCluster {
  readonly api: ApiServer;
  readonly proxies: ProxyPod[] = [];
  readonly operators: FlintProcess[] = [];
  readonly #folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #kubelet: NodeJS.Timeout;
  #processes = 0;
  #isStopped = false;

  private constructor(api: ApiServer) {
    this.api = api;
    this.#folder = mkdtempSync(join(tmpdir(), 'flint-cluster-'));
    this.#kubelet = setInterval(() => void this.#probe(), 100);
  }

  /** With config/ applied, and as many data planes as wanted; no operator yet. */
  static async start(proxies = 0): Promise<TestCluster> {
    const assets = kubeAssets();
    if ('missing' in assets) throw new Error(assets.missing);
    const cluster = new TestCluster(await ApiServer.start(assets.folder));
    await cluster.api.kubectl(['apply', '-k', join(root, 'config')]);
    await cluster.api.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/ingressroutes.flint.dev',
      '--timeout=30s',
    ]);
    await cluster.api.call('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'default' },
    });
    await cluster.createNode('node-1');
    for (let index = 1; index <= proxies; index++) await cluster.startProxy(index);
    return cluster;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#kubelet);
    for (const child of this.#children) child.kill('SIGKILL');
    this.api.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async createNode(name: string): Promise<void> {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
    await this.api.call('POST', '/api/v1/nodes', node);
    await this.setNodeReady(name, true);
  }

  async setNodeReady(name: string, isReady: boolean): Promise<void> {
    await this.#patchStatus(`/api/v1/nodes/${name}`, {
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    });
  }

  /** `flint operator` with the token of its service account. */
  async startOperator(options: OperatorOptions = {}): Promise<FlintProcess> {
    const token = await this.api.tokenOf('flint-system', 'flint-operator');
    const { url = this.api.url, caFile = this.api.caFile } = options.server ?? {};
    const { args = [], admin = '127.0.0.1:0', environment = {}, build = root } = options;
    const own = ['--admin', admin, '--lease-duration', '3000', ...args];
    if (options.usesKubeconfig === true || build !== root) {
      const file = this.#writeKubeconfig(url, caFile, token);
      return this.#operate(this.#spawn(build, ['operator', '--kubeconfig', file, ...own], environment));
    }
    const folder = this.#writeServiceAccount(`operator-${++this.#processes}`, caFile, token);
    const { hostname, port } = new URL(url);
    const pod = {
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      ...environment,
    };
    return this.#operate(this.#spawn(build, ['operator', '--service-account', folder, ...own], pod));
  }

  #operate(operator: FlintProcess): FlintProcess {
    this.operators.push(operator);
    return operator;
  }

  /** `flint proxy` with the token of its service account, and a Pod that says where it is. */
  async startProxy(
    index: number,
    { node = 'node-1', args = [] as readonly string[], build = root } = {},
  ): Promise<ProxyPod> {
    const name = `flint-proxy-${index}`;
    const address = `10.213.1.${index}`;
    const flint = await this.#spawnProxy(build, name, address, args);
    const pod = new ProxyPod(name, address, build, flint);
    await this.api.call('POST', '/api/v1/namespaces/flint-system/pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        labels: { 'app.kubernetes.io/name': 'flint', 'app.kubernetes.io/component': 'proxy' },
      },
      spec: {
        nodeName: node,
        containers: [
          {
            name: 'proxy',
            image: 'flint-proxy',
            ports: [
              { name: 'http', containerPort: 8080 },
              { name: 'admin', containerPort: 9901 },
            ],
          },
        ],
      },
    });
    await this.#setPodReady(pod, false);
    this.proxies.push(pod);
    return pod;
  }

  /** The process dies, and another takes its address, as when a container restarts. */
  async restartProxy(pod: ProxyPod, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await pod.flint.stop(signal);
    pod.flint = await this.#spawnProxy(pod.build, pod.name, pod.address, []);
  }

  async removeProxy(pod: ProxyPod): Promise<void> {
    this.proxies.splice(this.proxies.indexOf(pod), 1);
    await this.api.call('DELETE', `/api/v1/namespaces/flint-system/pods/${pod.name}?gracePeriodSeconds=0`);
    await pod.flint.stop('SIGKILL');
  }

  async untilProxiesReady(): Promise<void> {
    while (!this.proxies.every((pod) => pod.isReady)) await moment();
  }

  async apply(manifests: string, namespace = 'default'): Promise<void> {
    await this.api.kubectl(['apply', '-n', namespace, '-f', '-'], manifests);
  }

  /** One object of the default namespace, without the time that kubectl takes. */
  async create(object: unknown): Promise<void> {
    const { kind, metadata } = object as {
      readonly kind: string;
      readonly metadata: { readonly name: string };
    };
    const { status, body } = await this.api.call('POST', collections[kind] ?? '', object);
    if (status !== 201) throw new Error(`${kind} ${metadata.name}: ${status} ${JSON.stringify(body)}`);
  }

  async delete(kind: string, name: string, namespace = 'default'): Promise<void> {
    await this.api.kubectl(['delete', kind, name, '-n', namespace, '--wait=true']);
  }

  async createNamespace(name: string): Promise<void> {
    await this.api.kubectl(['create', 'namespace', name]);
  }

  /** Status code of a request to each data plane, one connection each. */
  async statuses(host: string, path = '/'): Promise<readonly number[]> {
    return Promise.all(this.proxies.map(async ({ http }) => (await request(http, host, path)).status));
  }

  /** Resolves when every data plane answers with this status. */
  async untilStatus(host: string, wanted: number, path = '/'): Promise<void> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const statuses = await this.statuses(host, path);
      if (statuses.every((status) => status === wanted)) return;
      if (Date.now() > endMs) throw new Error(`${host}${path} answers ${statuses.join(', ')}, not ${wanted}`);
      await moment();
    }
  }

  async waitReady(name: string, namespace = 'default', timeout = '60s'): Promise<void> {
    await this.api.kubectl([
      'wait',
      '--for=condition=Ready',
      `ir/${name}`,
      '-n',
      namespace,
      `--timeout=${timeout}`,
    ]);
  }

  async get<T>(path: string): Promise<T> {
    return (await this.api.call('GET', path)).body as T;
  }

  async route(name: string, namespace = 'default'): Promise<StoredRoute> {
    return await this.get(`/apis/flint.dev/v1alpha1/namespaces/${namespace}/ingressroutes/${name}`);
  }

  /** The condition of a route: `True Programmed`; empty when there is none. */
  async condition(name: string, type: string, namespace = 'default'): Promise<string> {
    const { status } = await this.route(name, namespace);
    const found = status?.conditions?.find((condition) => condition.type === type);
    return found === undefined ? '' : `${found.status} ${found.reason}`;
  }

  async untilCondition(name: string, type: string, wanted: string, namespace = 'default'): Promise<void> {
    const endMs = Date.now() + 60_000;
    for (let seen = ''; ;) {
      const now = await this.condition(name, type, namespace);
      if (now === wanted) return;
      if (Date.now() > endMs)
        throw new Error(`${name} ${type} is "${now}" (before: "${seen}"), not "${wanted}"`);
      seen = now;
      await moment();
    }
  }

  /** For others than Flint. */
  adminKubeconfig(): string {
    return this.#writeKubeconfig(this.api.url, this.api.caFile, this.api.adminToken);
  }

  #writeKubeconfig(server: string, caFile: string, token: string): string {
    const file = join(this.#folder, `kubeconfig-${++this.#processes}`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority': caFile } }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  #spawn(
    build: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): FlintProcess {
    const child = spawn(join(build, 'hack/flint'), args, {
      cwd: build,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return new FlintProcess(child, this.#folder);
  }

  /** As a kubelet mounts it. */
  #writeServiceAccount(name: string, caFile: string, token: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'ca.crt'), readFileSync(caFile));
    writeFileSync(join(folder, 'token'), token);
    return folder;
  }

  async #spawnProxy(
    build: string,
    name: string,
    address: string,
    args: readonly string[],
  ): Promise<FlintProcess> {
    const token = await this.api.tokenOf('flint-system', 'flint-proxy');
    const folder = this.#writeServiceAccount(name, this.api.caFile, token);
    const own = [
      '--service-account',
      folder,
      '--http',
      `${address}:8080`,
      '--admin',
      `${address}:9901`,
      // Builds before this one have no such port.
      ...(build === root ? ['--https', `${address}:8443`] : []),
    ];
    return this.#spawn(
      build,
      ['proxy', ...own, '--workers', '2', '--access-log', 'off', '--drain-delay', '300', ...args],
      { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(this.api.port) },
    );
  }

  /** A kubelet's readiness probe. */
  async #probe(): Promise<void> {
    for (const pod of this.proxies) {
      const isReady = await pod.admin('/readyz').then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady === pod.isReady || this.#isStopped) continue;
      await this.#setPodReady(pod, isReady).catch(() => {});
    }
  }

  async #setPodReady(pod: ProxyPod, isReady: boolean): Promise<void> {
    await this.#patchStatus(`/api/v1/namespaces/flint-system/pods/${pod.name}`, {
      phase: 'Running',
      podIP: pod.address,
      podIPs: [{ ip: pod.address }],
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    });
    pod.isReady = isReady;
  }

  async #patchStatus(path: string, status: object): Promise<void> {
    const { status: code, body } = await this.api.call(
      'PATCH',
      `${path}/status`,
      { status },
      {
        contentType: 'application/strategic-merge-patch+json',
      },
    );
    if (code !== 200 && code !== 404) throw new Error(`${path}: ${code} ${JSON.stringify(body)}`);
  }
}

const collections: Readonly<Record<string, string>> = {
  Service: '/api/v1/namespaces/default/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  IngressRoute: '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes',
};

export interface StoredRoute {
  readonly metadata: { readonly generation: number; readonly resourceVersion: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly lastTransitionTime: string;
    }[];
    readonly dataPlane?: { readonly summary: string };
    readonly addresses?: readonly { readonly type: string; readonly value: string }[];
  };
}

/** Between two looks at something that says nothing by itself. */
export function moment(ms = 25): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
