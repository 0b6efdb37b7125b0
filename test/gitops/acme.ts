// cert-manager's own controller and solver, and Pebble as the certificate authority that it asks: real processes, with what a
// kubelet and a cloud's DNS would do beside them.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../tls/certificates.ts';
import type { TestCluster } from '../cluster/test-cluster.ts';
import { moment } from '../cluster/test-cluster.ts';
import { builtBy } from '../cluster/built.ts';

/** Pods of a node share its address here, so that each of them has a port of its own. */
const solverAddress = '10.213.3.1';
const acmeAddress = '10.213.4.1';
const acmePort = 14_000;
const dnsAddress = '10.213.4.2';

/** The folder with the programs, or why there is none: said loudly, never skipped in silence. */
export function certManagerAssets(): { readonly folder: string } | { readonly missing: string } {
  const found = builtBy('cert-manager-assets');
  return 'missing' in found ? found : { folder: found.path };
}

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
  /** Signs what Pebble listens with; what Pebble issues is signed by another. */
  readonly #authority = createAuthority('Transport of Pebble');
  readonly #cluster: TestCluster;
  readonly #assets: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'flint-acme-'));
  readonly #children = new Set<ChildProcess>();
  readonly #solvers = new Map<string, ChildProcess>();
  readonly #output: string[] = [];
  #nextPort = 8090;
  #isStopped = false;
  #kubelet: Promise<void> = Promise.resolve();

  private constructor(cluster: TestCluster, assets: string) {
    this.#cluster = cluster;
    this.#assets = assets;
  }

  /** Every name leads to `address`. cert-manager's CRDs are there already; its controllers may do everything. */
  static async start(cluster: TestCluster, assets: string, address: string): Promise<Acme> {
    const acme = new Acme(cluster, assets);
    const authority = acme.#authority;
    const leaf = authority.issue({ dnsNames: ['acme.test'], alternativeNames: addressName(acmeAddress) });
    const file = (name: string, content: string): string => {
      writeFileSync(join(acme.#folder, name), content);
      return join(acme.#folder, name);
    };
    const config = {
      pebble: {
        listenAddress: `${acmeAddress}:${acmePort}`,
        managementListenAddress: `${acmeAddress}:15000`,
        certificate: file('pebble.crt', authority.chainOf(leaf)),
        privateKey: file('pebble.key', leaf.keyPem),
        httpPort: 80,
        tlsPort: 443,
        keyAlgorithm: 'ecdsa',
        retryAfter: { authz: 1, order: 1 },
      },
    };
    const nowhere = ['http01', 'https01', 'tlsalpn01', 'doh'].map((name) => `-${name}=`);
    acme.#run('pebble-challtestsrv', [
      ...nowhere,
      `-dnsserver=${dnsAddress}:53`,
      `-management=${dnsAddress}:8055`,
      `-defaultIPv4=${address}`,
      '-defaultIPv6=',
    ]);
    acme.#run(
      'pebble',
      ['-config', file('pebble.json', JSON.stringify(config)), '-dnsserver', `${dnsAddress}:53`],
      {
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: '0',
        // Every renewal has its challenge.
        PEBBLE_AUTHZREUSE: '0',
      },
    );
    acme.#run('controller', [
      `-kubeconfig=${cluster.adminKubeconfig()}`,
      `-http01-nameserver=${dnsAddress}:53`,
      '-cluster-resource-namespace=cert-manager',
    ]);
    acme.#kubelet = acme.#keepSolvers();
    await acme.#untilListening();
    return acme;
  }

  /** A ClusterIssuer that asks Pebble. */
  issuer(name: string): object {
    return {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name },
      spec: {
        acme: {
          server: `https://${acmeAddress}:${acmePort}/dir`,
          caBundle: Buffer.from(this.#authority.root.certificate).toString('base64'),
          privateKeySecretRef: { name },
          solvers: [{ http01: { ingress: { ingressClassName: 'flint' } } }],
        },
      },
    };
  }

  /** Who signs what Pebble issues. */
  rootCertificate(): Promise<string> {
    return this.#ask(15_000, '/roots/0');
  }

  #ask(port: number, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const ca = this.#authority.root.certificate;
      const outgoing = request({ host: acmeAddress, port, path, ca, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve(text));
      });
      outgoing.on('error', reject).end();
    });
  }

  async #untilListening(): Promise<void> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const answer = await this.#ask(acmePort, '/dir').catch((error: unknown) => error);
      if (typeof answer === 'string') return;
      if (Date.now() > endMs) throw new Error(this.output, { cause: answer });
      await moment();
    }
  }

  /** The last words of everybody, for a test that fails. */
  get output(): string {
    return this.#output.slice(-60).join('\n');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#kubelet;
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const child = spawn(join(this.#assets, program), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    for (const stream of [child.stdout, child.stderr])
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => this.#output.push(`${program}: ${text.trim()}`));
    return child;
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
    this.#solvers.set(name, this.#run('acmesolver', args));
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

/** An iPAddress of a subjectAltName. */
function addressName(address: string): Buffer {
  return Buffer.from([0x87, 4, ...address.split('.').map(Number)]);
}
