// Plays cert-manager's controllers on a test cluster: its real CRDs, and the objects that it writes, as it writes them.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { TestCluster } from './test-cluster.ts';
import { builtBy } from './built.ts';
import { moment } from './test-cluster.ts';

const group = 'cert-manager.io';
const solverPort = 8089;
const challengePath = '/.well-known/acme-challenge';
const secretWriter = 'cert-manager-certificates-issuing';

/** The folder with the CRDs, or why there is none: said loudly, never skipped in silence. */
export function certManagerCrds(): { readonly folder: string } | { readonly missing: string } {
  const found = builtBy('cert-manager-crds');
  return 'missing' in found ? found : { folder: found.path };
}

/** cert-manager's CRDs, and what Flint may do with them. */
export async function installCrds(cluster: TestCluster, crds: string): Promise<void> {
  // Too large for the annotation of a client-side apply.
  await cluster.api.kubectl(['apply', '--server-side', '-f', crds]);
  const names = [
    'certificates.cert-manager.io',
    'clusterissuers.cert-manager.io',
    'challenges.acme.cert-manager.io',
  ];
  for (const name of names)
    await cluster.api.kubectl(['wait', '--for=condition=Established', `crd/${name}`, '--timeout=30s']);
  await cluster.api.kubectl(['apply', '-k', new URL('../../config/cert-manager', import.meta.url).pathname]);
}

export interface StoredCertificate {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly Readonly<Record<string, unknown>>[];
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[];
  };
  readonly spec: {
    readonly secretName: string;
    readonly dnsNames?: readonly string[];
    readonly issuerRef: { readonly name: string; readonly kind?: string; readonly group?: string };
  };
}

/** How a solver's Ingress says whose it is, all of which an Issuer can ask for. */
export type SolverClass = 'field' | 'annotation' | 'none';

export interface ChallengeRequest {
  readonly host: string;
  readonly token: string;
  readonly by: SolverClass;
  readonly pathType: 'Exact' | 'ImplementationSpecific';
  readonly namespace?: string;
  /** Where the solver's pod is. */
  readonly address: string;
}

export interface Challenge {
  readonly host: string;
  readonly path: string;
  /** What the certificate authority wants to read there. */
  readonly answer: string;
  /** Deletes everything, as cert-manager does when the authority has read it, or has not. */
  readonly cleanUp: () => Promise<void>;
}

export class CertManager {
  readonly #cluster: TestCluster;
  readonly #solvers = new Set<Server>();
  #challenges = 0;

  private constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** The CRDs of this folder, and an issuer. */
  static async install(cluster: TestCluster, crds: string, issuer: string): Promise<CertManager> {
    await installCrds(cluster, crds);
    const certManager = new CertManager(cluster);
    await certManager.#post(`/apis/${group}/v1/clusterissuers`, {
      apiVersion: `${group}/v1`,
      kind: 'ClusterIssuer',
      metadata: { name: issuer },
      spec: {
        acme: {
          server: 'https://acme.test/directory',
          privateKeySecretRef: { name: issuer },
          solvers: [{ http01: { ingress: { ingressClassName: 'flint' } } }],
        },
      },
    });
    return certManager;
  }

  stop(): void {
    for (const solver of this.#solvers) {
      solver.close();
      solver.closeAllConnections();
    }
  }

  /** Resolves when a Certificate asks for this Secret. */
  async untilCertificate(secretName: string, namespace = 'default'): Promise<StoredCertificate> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const { items } = await this.#cluster.get<{ readonly items: readonly StoredCertificate[] }>(
        `/apis/${group}/v1/namespaces/${namespace}/certificates`,
      );
      const found = items.find(({ spec }) => spec.secretName === secretName);
      if (found !== undefined) return found;
      if (Date.now() > endMs) throw new Error(`no Certificate asks for the Secret ${secretName}`);
      await moment();
    }
  }

  /** What a Certificate is told while it is issued, the first time or again. */
  async setIssuing(name: string, isFirst: boolean, namespace = 'default'): Promise<void> {
    const reason = isFirst ? 'DoesNotExist' : 'Renewing';
    await this.#patchCertificate(name, namespace, [
      condition('Issuing', 'True', reason),
      isFirst ? condition('Ready', 'False', reason) : condition('Ready', 'True', 'Ready'),
    ]);
    // The next key waits in a Secret of its own, which is not of type kubernetes.io/tls.
    if (!isFirst) return;
    await this.#post(`/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        generateName: `${name}-`,
        labels: { [`${group}/next-private-key`]: 'true', [`controller.${group}/fao`]: 'true' },
      },
      type: 'Opaque',
      stringData: { 'tls.key': 'of the next revision' },
    });
  }

  async setReady(name: string, notAfter: string, namespace = 'default'): Promise<void> {
    await this.#patchCertificate(name, namespace, [condition('Ready', 'True', 'Ready')], {
      notAfter,
      revision: 1,
    });
  }

  /** Certificate and key by one server-side apply, as after each issuance. */
  async writeSecret(
    certificate: StoredCertificate,
    pair: { readonly certificate: string; readonly keyPem: string },
    namespace = 'default',
  ): Promise<void> {
    const { secretName, dnsNames = [], issuerRef } = certificate.spec;
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    await this.#apply(`/api/v1/namespaces/${namespace}/secrets/${secretName}`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: secretName,
        labels: { [`controller.${group}/fao`]: 'true' },
        annotations: {
          [`${group}/certificate-name`]: certificate.metadata.name,
          [`${group}/alt-names`]: dnsNames.join(','),
          [`${group}/issuer-name`]: issuerRef.name,
          [`${group}/issuer-kind`]: issuerRef.kind ?? 'Issuer',
        },
      },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': encode(pair.certificate), 'tls.key': encode(pair.keyPem) },
    });
  }

  /** The solver's pod with its endpoints, its Service and its Ingress; resolves when they are stored. */
  async present(request: ChallengeRequest): Promise<Challenge> {
    const { host, token, namespace = 'default' } = request;
    const answer = `${token}.thumbprint-of-the-account`;
    const name = `cm-acme-http-solver-${String(++this.#challenges).padStart(5, '0')}`;
    const server = await this.#startSolver(request, answer);
    const owner = await this.#createChallenge(name, request, answer);
    const labels = {
      'acme.cert-manager.io/http-domain': String(adler32(host)),
      'acme.cert-manager.io/http-token': String(adler32(token)),
      'acme.cert-manager.io/http01-solver': 'true',
    };
    const metadata = { name, labels, ownerReferences: [owner] };
    const collections = {
      services: `/api/v1/namespaces/${namespace}/services`,
      slices: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
      ingresses: `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
    };
    await this.#post(collections.services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, annotations: { 'auth.istio.io/8089': 'NONE' } },
      spec: {
        type: 'NodePort',
        ports: [{ name: 'http', port: solverPort, targetPort: solverPort }],
        selector: labels,
      },
    });
    await this.#post(collections.ingresses, solverIngress(request, name, metadata));
    // The pod takes its time to start.
    await this.#post(collections.slices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { ...labels, 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [request.address], conditions: { ready: true } }],
      ports: [{ name: 'http', port: solverPort, protocol: 'TCP' }],
    });
    const cleanUp = async (): Promise<void> => {
      for (const collection of [collections.slices, collections.services, collections.ingresses])
        await this.#cluster.api.call('DELETE', `${collection}/${name}`);
      this.#solvers.delete(server);
      server.close();
      server.closeAllConnections();
    };
    return { host, path: `${challengePath}/${token}`, answer, cleanUp };
  }

  /** The pod: it answers for one host and one token, and nobody else. */
  async #startSolver({ host, token, address }: ChallengeRequest, answer: string): Promise<Server> {
    const server = createServer((request, response) => {
      const isAsked =
        request.headers.host?.replace(/:\d+$/, '') === host && request.url === `${challengePath}/${token}`;
      response.writeHead(isAsked ? 200 : 404, { 'cache-control': 'no-cache, no-store, must-revalidate' });
      response.end(isAsked ? answer : '404 page not found\n');
    });
    server.listen(solverPort, address);
    await once(server, 'listening');
    this.#solvers.add(server);
    return server;
  }

  /** What owns the solver's objects. */
  async #createChallenge(name: string, request: ChallengeRequest, key: string): Promise<object> {
    const { host, token, namespace = 'default' } = request;
    const { uid } = await this.#post(`/apis/acme.${group}/v1/namespaces/${namespace}/challenges`, {
      apiVersion: `acme.${group}/v1`,
      kind: 'Challenge',
      metadata: { name },
      spec: {
        type: 'HTTP-01',
        dnsName: host,
        token,
        key,
        url: 'https://acme.test/challenge',
        authorizationURL: 'https://acme.test/authorization',
        issuerRef: { name: 'letsencrypt', kind: 'ClusterIssuer' },
        solver: { http01: { ingress: {} } },
      },
    });
    return {
      apiVersion: `acme.${group}/v1`,
      kind: 'Challenge',
      name,
      uid,
      controller: true,
      blockOwnerDeletion: true,
    };
  }

  async #post(path: string, object: object): Promise<{ readonly uid: string }> {
    const { status, body } = await this.#cluster.api.call('POST', path, object);
    if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body['metadata'] as { readonly uid: string };
  }

  async #apply(path: string, object: object): Promise<void> {
    const query = `?fieldManager=${secretWriter}&force=true`;
    const contentType = 'application/apply-patch+yaml';
    const { status, body } = await this.#cluster.api.call('PATCH', path + query, object, { contentType });
    if (status !== 200 && status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  }

  async #patchCertificate(
    name: string,
    namespace: string,
    conditions: readonly object[],
    more: object = {},
  ): Promise<void> {
    const path = `/apis/${group}/v1/namespaces/${namespace}/certificates/${name}/status`;
    const contentType = 'application/merge-patch+json';
    const status = { conditions, ...more };
    const answer = await this.#cluster.api.call('PATCH', path, { status }, { contentType });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

function condition(type: string, status: string, reason: string): object {
  return { type, status, reason, message: reason, lastTransitionTime: new Date().toISOString() };
}

function solverIngress(
  { host, token, by, pathType }: ChallengeRequest,
  name: string,
  metadata: object,
): object {
  const annotations = {
    'nginx.ingress.kubernetes.io/whitelist-source-range': '0.0.0.0/0,::/0',
    ...(by === 'annotation' ? { 'kubernetes.io/ingress.class': 'flint' } : {}),
  };
  const backend = { service: { name, port: { number: solverPort } } };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...metadata, annotations },
    spec: {
      ...(by === 'field' ? { ingressClassName: 'flint' } : {}),
      rules: [{ host, http: { paths: [{ path: `${challengePath}/${token}`, pathType, backend }] } }],
    },
  };
}

/** Labels hold hashes, since hosts are too long for them. */
function adler32(text: string): number {
  const modulus = 65_521;
  let [low, high] = [1, 0];
  for (const byte of Buffer.from(text)) {
    low = (low + byte) % modulus;
    high = (high + low) % modulus;
  }
  return high * 65_536 + low;
}
