// One size of the measurement: a cluster full of objects, its operator and data planes, and everything that asks them.
import { AddressBackend } from '../cluster/address-backend.ts';
import { ApiConnections, eachInParallel } from '../cluster/api-connections.ts';
import { Flips } from '../cluster/flips.ts';
import { Prober } from '../cluster/prober.ts';
import { TestCluster, moment } from '../cluster/test-cluster.ts';
import type { OperatorOptions } from '../cluster/test-cluster.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { CpuWatch, pidOf } from './control-figures.ts';
import {
  backendPorts,
  collectionOf,
  namespaces,
  objectsOf,
  pathOf,
  plainRoute,
  plainService,
  slice,
} from './control-objects.ts';
import type { ClusterObject } from './control-objects.ts';
import { profileEnvironment } from './control-profile.ts';

const parallelCalls = 32;
const dataPlanes = 3;
const probePauseMs = 2;
const operatorAdmin = { host: '127.0.0.1', port: 9902 };
const configMaps = '/api/v1/namespaces/flint-routes/configmaps';

/** Where the objects of probes live. */
export const probeNamespace = 'team-00';
/** The endpoints of the Service `steady`, which never change. */
export const steadyAddresses = ['10.213.2.1', '10.213.2.2', '10.213.2.3'];

export interface Stored {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

interface Page {
  readonly items: readonly Stored[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

export class ControlCluster {
  readonly routes: number;
  readonly cluster: TestCluster;
  readonly api: ApiConnections;
  probers: readonly Prober[] = [];
  readonly #backends: readonly AddressBackend[];
  #operator: FlintProcess | undefined = undefined;
  /** IngressRoutes that are there, those of the probes included. */
  routeCount = 0;

  private constructor(routes: number, cluster: TestCluster, backends: readonly AddressBackend[]) {
    this.routes = routes;
    this.cluster = cluster;
    this.api = new ApiConnections(cluster.api, parallelCalls);
    this.#backends = backends;
  }

  static async start(routes: number): Promise<ControlCluster> {
    // Of the API server and of etcd: collecting less garbage, they leave more of the cores to what is measured.
    process.env['GOGC'] ??= '400';
    const cluster = await TestCluster.start();
    const backends: AddressBackend[] = [];
    for (const port of backendPorts(routes)) backends.push(await AddressBackend.open(port));
    return new ControlCluster(routes, cluster, backends);
  }

  async stop(): Promise<void> {
    for (const prober of this.probers) prober.close();
    this.api.close();
    for (const backend of this.#backends) backend.close();
    await this.cluster.stop();
  }

  get operator(): FlintProcess {
    if (this.#operator === undefined) throw new Error('there is no operator yet');
    return this.#operator;
  }

  /** All objects, while neither operator nor data planes run; how long the API server took. */
  async fill(
    onProgress: (created: number) => void,
  ): Promise<{ readonly objects: number; readonly tookMs: number }> {
    const namespaceObjects = namespaces.map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    for (const body of namespaceObjects)
      await this.api.write({ method: 'POST', path: '/api/v1/namespaces', body });
    const startedMs = performance.now();
    let created = 0;
    const numbers = Array.from({ length: this.routes }, (_, number) => number);
    await eachInParallel(numbers, parallelCalls, async (number) => {
      for (const object of objectsOf(number)) await this.create(object);
      created += 5;
      if (created % 5000 === 0) onProgress(created);
    });
    const tookMs = performance.now() - startedMs;
    await this.createService('steady', [...steadyAddresses]);
    await this.createService('flip', [Flips.addressAt(0)]);
    for (const name of ['steady', 'flip']) await this.create(plainRoute(probeNamespace, name, name));
    return { objects: created, tookMs };
  }

  async create(object: ClusterObject): Promise<void> {
    const path = collectionOf(object.kind, object.metadata.namespace);
    await this.api.write({ method: 'POST', path, body: object });
    if (object.kind === 'IngressRoute') this.routeCount++;
  }

  async createService(name: string, addresses: readonly string[]): Promise<void> {
    await this.create(plainService(probeNamespace, name));
    await this.create(slice({ namespace: probeNamespace, service: name, addresses }));
  }

  /** As the EndpointSlice controller updates one. */
  async replace(object: ClusterObject): Promise<void> {
    await this.api.write({ method: 'PUT', path: pathOf(object), body: object });
  }

  /** What `kubectl apply` sends for an object that is there. */
  async patch(object: ClusterObject): Promise<void> {
    const contentType = 'application/merge-patch+json';
    await this.api.write({ method: 'PATCH', path: pathOf(object), body: object, contentType });
  }

  /** Resolves when all of them run; they have no table yet if nothing was published. */
  async startDataPlanes(): Promise<void> {
    for (let index = 1; index <= dataPlanes; index++) await this.cluster.startProxy(index);
    for (const pod of this.cluster.proxies)
      while (
        !(await pod.admin('/revision').then(
          ({ ok }) => ok,
          () => false,
        ))
      )
        await moment();
    this.probers = this.cluster.proxies.map(({ http }) => new Prober(http, probePauseMs));
  }

  /** Resolves when the process has just been started. */
  async startOperator(server?: OperatorOptions['server']): Promise<void> {
    const { host, port } = operatorAdmin;
    Object.assign(process.env, profileEnvironment);
    this.#operator = await this.cluster.startOperator({
      // As in production: the leader's loop may be held up for longer than a test's lease.
      args: ['--lease-duration', '15000'],
      admin: `${host}:${port}`,
      ...(server === undefined ? {} : { server }),
    });
    this.#operator.adminPort = port;
  }

  /** Resolves when the operator has read the answer to the last status that says Ready. */
  async untilAllReady(pauseMs = 50): Promise<void> {
    for (;;) {
      const ready = await this.operator.metric('flint_operator_routes{reason="Programmed"}').catch(() => 0);
      if (ready === this.routeCount) return;
      await moment(pauseMs);
    }
  }

  /** What the API server itself says, page by page. */
  async countReady(): Promise<number> {
    let ready = 0;
    await this.#eachPage('/apis/flint.dev/v1alpha1/ingressroutes', ({ items }) => {
      for (const { status } of items)
        if (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')) ready++;
    });
    return ready;
  }

  /** Everything that is published now. */
  async published(): Promise<readonly Stored[]> {
    const all: Stored[] = [];
    await this.#eachPage(configMaps, ({ items }) => {
      all.push(...items.filter(({ metadata }) => metadata.name.startsWith('flint-')));
    });
    return all;
  }

  async writes(): Promise<{ readonly published: number; readonly statuses: number }> {
    const [published, statuses] = await Promise.all([
      this.operator.metric('flint_operator_publish_writes_total'),
      this.operator.metric('flint_operator_status_writes_total'),
    ]);
    return { published, statuses };
  }

  watchCpu(): CpuWatch {
    return new CpuWatch(
      new Map([
        ['operator', this.operator.pid],
        ...this.cluster.proxies.map(({ name, flint }) => [name, flint.pid] as const),
        ['kube-apiserver', pidOf('kube-apiserver')],
        ['etcd', pidOf('etcd')],
        ['this program', process.pid],
      ]),
    );
  }

  /** Of every process that is measured: whether it still runs, and what it said last. */
  lastWords(): readonly string[] {
    const processes = [
      ...(this.#operator === undefined ? [] : [['operator', this.#operator] as const]),
      ...this.cluster.proxies.map(({ name, flint }) => [name, flint] as const),
    ];
    return processes.map(([name, { process: child, log }]) => {
      const end = child.exitCode ?? child.signalCode;
      return `${name} ${end === null ? 'runs' : `ended with ${end}`}: ${log
        .slice(-3)
        .map((line) => JSON.stringify(line))
        .join(' ')}`;
    });
  }

  async #eachPage(collection: string, onPage: (page: Page) => void): Promise<void> {
    for (let next = ''; ;) {
      const page = await this.api.get<Page>(
        `${collection}?limit=500${next === '' ? '' : `&continue=${next}`}`,
      );
      onPage(page);
      next = page.metadata.continue ?? '';
      if (next === '') return;
    }
  }
}
