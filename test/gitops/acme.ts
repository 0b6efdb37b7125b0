// cert-manager's own controller and solver beside Pebble: real processes, with what a kubelet would do beside them.
import type { ChildProcess } from 'node:child_process';
import type { TestCluster } from '../cluster/test-cluster.ts';
import { moment } from '../cluster/test-cluster.ts';
import { Pebble } from './pebble.ts';

/** Pods of a node share its address here, so that each of them has a port of its own. */
const solverAddress = '10.213.3.1';
const acmeAddress = '10.213.4.1';
const dnsAddress = '10.213.4.2';

interface SolverPod {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
}

interface NamedObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** A challenge for which a solver was started: the authority wants to read this key at this path. */
export interface SolvedChallenge {
  readonly host: string;
  readonly path: string;
  readonly key: string;
}

export class Acme {
  readonly challenges: SolvedChallenge[] = [];
  readonly #cluster: TestCluster;
  readonly #pebble: Pebble;
  readonly #solvers = new Map<string, ChildProcess>();
  #nextPort = 8090;
  #isStopped = false;
  #kubelet: Promise<void> = Promise.resolve();

  private constructor(cluster: TestCluster, pebble: Pebble) {
    this.#cluster = cluster;
    this.#pebble = pebble;
  }

  /** Every name leads to `address`. cert-manager's CRDs are there already; its controllers may do everything. */
  static async start(cluster: TestCluster, assets: string, address: string): Promise<Acme> {
    const pebble = await Pebble.start({ assets, acmeAddress, dnsAddress, everywhere: address });
    const acme = new Acme(cluster, pebble);
    pebble.run('cert-manager', [
      'controller',
      `--kubeconfig=${cluster.adminKubeconfig()}`,
      `--acme-http01-solver-nameservers=${pebble.nameserver}`,
      '--cluster-resource-namespace=cert-manager',
      '--internal-healthz-listen-address=0',
    ]);
    acme.#kubelet = acme.#keepSolvers();
    return acme;
  }

  /** A ClusterIssuer that asks Pebble. */
  issuer(name: string): object {
    return this.#pebble.issuer(name);
  }

  /** Who signs what Pebble issues. */
  rootCertificate(): Promise<string> {
    return this.#pebble.rootCertificate();
  }

  /** The last words of everybody, for a test that fails. */
  get output(): string {
    return this.#pebble.output;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#kubelet;
    this.#pebble.stop();
  }

  /** A kubelet and the controller of EndpointSlices, for the pods of solvers. */
  async #keepSolvers(): Promise<void> {
    const pods = '/api/v1/namespaces/default/pods';
    while (!this.#isStopped) {
      const { items } = await this.#cluster.get<{ readonly items: readonly SolverPod[] }>(pods);
      const present = new Set(items.map(({ metadata }) => metadata.name));
      for (const pod of items) if (!this.#solvers.has(pod.metadata.name)) await this.#startSolver(pod);
      for (const [name, solver] of this.#solvers)
        if (!present.has(name)) {
          solver.kill('SIGKILL');
          this.#solvers.delete(name);
          await this.#cluster.api.call('DELETE', `${slices}/${name}`);
        }
      await moment(100);
    }
  }

  async #startSolver({ metadata, spec }: SolverPod): Promise<void> {
    const { name, labels } = metadata;
    const port = this.#nextPort++;
    const args = (spec.containers[0]?.args ?? []).map((arg) =>
      arg.startsWith('--listen-port=') ? `--listen-port=${port}` : arg,
    );
    const argument = (flag: string): string =>
      args.find((arg) => arg.startsWith(`--${flag}=`))?.slice(flag.length + 3) ?? '';
    this.#solvers.set(name, this.#pebble.run('acmesolver', args));
    this.challenges.push({
      host: argument('domain'),
      path: `/.well-known/acme-challenge/${argument('token')}`,
      key: argument('key'),
    });
    await this.#cluster.api.call(
      'PATCH',
      `/api/v1/namespaces/default/pods/${name}/status`,
      {
        status: {
          phase: 'Running',
          podIP: solverAddress,
          podIPs: [{ ip: solverAddress }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
      { contentType: 'application/strategic-merge-patch+json' },
    );
    const service = await this.#serviceOf(labels);
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [solverAddress], conditions: { ready: true } }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    };
    const { status, body } = await this.#cluster.api.call('POST', slices, slice);
    if (status !== 201) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`);
  }

  /** cert-manager makes it after the pod. */
  async #serviceOf(labels: Readonly<Record<string, string>>): Promise<string> {
    const token = 'acme.cert-manager.io/http-token';
    for (;;) {
      const { items } = await this.#cluster.get<{ readonly items: readonly NamedObject[] }>(
        '/api/v1/namespaces/default/services',
      );
      const found = items.find(({ metadata }) => metadata.labels?.[token] === labels[token]);
      if (found !== undefined) return found.metadata.name;
      if (this.#isStopped) return '';
      await moment();
    }
  }
}

const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
