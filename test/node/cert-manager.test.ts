// cert-manager and Flint on two real nodes, each installed by its own chart: from a route that names an issuer to a certificate on
// port 443 of both nodes, and a renewal under new connections from outside, none of which fails.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as secureRequest } from 'node:https';
import { after, afterEach, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { builtBy } from '../cluster/built.ts';
import { certManagerCrds } from '../cluster/cert-manager.ts';
import { moment } from '../cluster/test-cluster.ts';
import { request } from '../e2e/http-client.ts';
import { route } from '../e2e/manifests.ts';
import { shakeHands } from '../gitops/handshakes.ts';
import { Pebble, certManagerAssets } from '../gitops/pebble.ts';
import { certificateOf, renewUnderHandshakes } from '../gitops/renewal.ts';
import { createAuthority } from '../tls/certificates.ts';
import {
  applyOnceAdmitted,
  installCertManager,
  solverImage,
  writeCertManagerImages,
} from './cert-manager.ts';
import { Helm, findImages } from './helm.ts';
import { NodeCluster } from './node-cluster.ts';
import { findSandbox } from './sandbox.ts';
import { deployment, namespace } from './workloads.ts';

const needed = {
  sandbox: findSandbox(),
  helm: builtBy('helm-binary'),
  images: findImages(),
  crds: certManagerCrds(),
  assets: certManagerAssets(),
};
const missing = Object.values(needed).flatMap((each) => ('missing' in each ? [each.missing] : []))[0];
if (missing !== undefined) process.stderr.write(`cert-manager on real nodes is SKIPPED: ${missing}\n`);

/** The world outside the nodes, where certificate authorities are. */
const outside = '10.213.0.1';
/** Each leads to a node of its own. */
const hosts = ['shop.test', 'www.shop.test'] as const;

const domainLabel = 'acme.cert-manager.io/http-domain';

interface List<T> {
  readonly items: readonly T[];
}

interface StoredChallenge {
  readonly spec: { readonly dnsName: string; readonly token: string; readonly key: string };
}

interface SolverPod {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
}

describe('cert-manager on real nodes', { skip: missing ?? false }, () => {
  let cluster: NodeCluster;
  let pebble: Pebble;
  const authority = createAuthority('Shop CA');

  before(
    async () => {
      const { sandbox, helm, images, crds, assets } = needed;
      if ('missing' in sandbox || 'missing' in helm || 'missing' in images) return;
      if ('missing' in crds || 'missing' in assets) return;
      const ofCertManager = await writeCertManagerImages(assets.folder, sandbox.sandbox.folder);
      cluster = await NodeCluster.start({ images: [...images.images.slice(0, 2), ...ofCertManager] });
      pebble = await Pebble.start({ assets: assets.folder, acmeAddress: outside, dnsAddress: outside });
      for (const [index, { address }] of cluster.nodes.entries())
        await pebble.resolve(hosts[index] ?? '', address);
      try {
        const levels = {
          'flint-system': 'privileged',
          'cert-manager': 'restricted',
          shop: 'restricted',
        } as const;
        await cluster.apply(...Object.entries(levels).map(([name, level]) => namespace(name, level)));
        const installer = new Helm(helm.path, cluster);
        await installCertManager(installer, crds.folder, pebble.nameserver);
        // Its chart finds cert-manager by itself.
        await installer.upgrade({});
        await cluster.apply(deployment({ name: 'shop', namespace: 'shop' }, 2), service);
        await applyOnceAdmitted(cluster, pebble.issuer('letsencrypt'), ...issuerOfCa());
        await cluster.kubectl(['-n', 'shop', 'rollout', 'status', 'deployment/shop', '--timeout=60s']);
      } catch (error) {
        process.stderr.write(`${await explain()}\n`);
        throw error;
      }
    },
    { timeout: 600_000 },
  );
  afterEach(async (context) => {
    if (!(context as TestContext).passed) process.stderr.write(`${await explain()}\n`);
  });
  after(async () => {
    pebble?.stop();
    await cluster?.stop();
  });

  async function explain(): Promise<string> {
    const asked = [
      [
        '-n',
        'cert-manager',
        'logs',
        '-l',
        'app.kubernetes.io/instance=cert-manager',
        '--prefix',
        '--tail=60',
      ],
      ['-n', 'shop', 'get', 'ir,certificates,orders,challenges,ingresses', '-o', 'yaml'],
    ].map((args) => cluster.kubectl(args).catch(String));
    return [await cluster.explain(), ...(await Promise.all(asked)), pebble.output].join('\n');
  }

  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { selector: { app: 'shop' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };

  /** An issuer of the namespace `shop`, and the Secret of the authority that it signs for. */
  function issuerOfCa(): readonly object[] {
    const { intermediate, root } = authority;
    const stringData = {
      'tls.crt': intermediate.certificate + root.certificate,
      'tls.key': intermediate.keyPem,
    };
    const metadata = { name: 'shop-ca', namespace: 'shop' };
    return [
      { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData },
      { apiVersion: 'cert-manager.io/v1', kind: 'Issuer', metadata, spec: { ca: { secretName: 'shop-ca' } } },
    ];
  }

  async function applyRoute(name: string, hostnames: readonly string[], issuerRef: object): Promise<void> {
    const spec = {
      hostnames,
      tls: { certificateRefs: [{ name: `${name}-tls` }], issuerRef },
      rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
    };
    const made = route(name, spec) as { readonly metadata: object };
    await cluster.apply({ ...made, metadata: { ...made.metadata, namespace: 'shop' } });
  }

  async function untilReady(name: string): Promise<void> {
    await cluster.kubectl(['-n', 'shop', 'wait', '--for=condition=Ready', `ir/${name}`, '--timeout=60s']);
  }

  const issued = (secret: string): Promise<string | undefined> => certificateOf(cluster.api, 'shop', secret);

  async function list<T>(collection: string): Promise<readonly T[]> {
    const { status, body } = await cluster.api.call('GET', collection);
    assert.equal(status, 200, collection);
    return (body as unknown as List<T>).items;
  }

  const solverPods = (): Promise<readonly SolverPod[]> =>
    list('/api/v1/namespaces/shop/pods?labelSelector=acme.cert-manager.io/http01-solver%3Dtrue');

  const plain = (address: string, host: string, path: string): ReturnType<typeof request> =>
    request({ host: address, port: 80 }, host, path);

  /** What the backend says by way of that node. */
  async function secureAnswer(address: string, name: string, ca: string): Promise<number> {
    const outgoing = secureRequest({
      host: address,
      servername: name,
      headers: { host: name },
      ca,
      agent: false,
    });
    const [response] = await once(outgoing.end(), 'response');
    response.resume();
    return response.statusCode;
  }

  test("cert-manager's webhook is asked: it refuses a Certificate for nobody", async () => {
    const certificate = {
      apiVersion: 'cert-manager.io/v1',
      kind: 'Certificate',
      metadata: { name: 'nobody', namespace: 'shop' },
      spec: { secretName: 'nobody', issuerRef: { name: 'shop-ca' } },
    };
    await assert.rejects(cluster.apply(certificate), /admission webhook "webhook.cert-manager.io" denied/);
  });

  const challenges = new Map<
    string,
    { readonly host: string; readonly path: string; readonly key: string }
  >();

  /** Adds every host and node that has answered a challenge while there was no Secret. */
  async function askChallenges(early: Set<string>): Promise<void> {
    const stored = await list<StoredChallenge>('/apis/acme.cert-manager.io/v1/namespaces/shop/challenges');
    for (const { spec } of stored) {
      const { dnsName: host, token, key } = spec;
      const path = `/.well-known/acme-challenge/${token}`;
      challenges.set(host, { host, path, key });
      for (const { address, name } of cluster.nodes) {
        const answered = `${host} by ${name}`;
        if (early.has(answered) || (await plain(address, host, path)).body !== key) continue;
        // Looked at after the answer: the Secret was missing when it came.
        if ((await issued('shop-tls')) === undefined) early.add(answered);
      }
    }
  }

  test('ACME: pods answer challenges by port 80 of both nodes while there is no Secret', async (context) => {
    const startMs = performance.now();
    await applyRoute('shop', hosts, { kind: 'ClusterIssuer', name: 'letsencrypt' });
    const wanted = hosts.flatMap((host) => cluster.nodes.map(({ name }) => `${host} by ${name}`));
    const early = new Set<string>();
    const solvers = new Map<string, SolverPod>();
    const endMs = performance.now() + 120_000;
    while ((await issued('shop-tls')) === undefined) {
      if (early.size < wanted.length) {
        await askChallenges(early);
        for (const pod of await solverPods()) solvers.set(pod.metadata.name, pod);
      }
      assert.ok(performance.now() < endMs, 'no certificate came');
      await moment(200);
    }
    context.diagnostic(`issued ${Math.round(performance.now() - startMs)} ms after the route was applied`);
    assert.deepEqual([...early].sort(), wanted.sort());
    const names = cluster.nodes.map(({ name }) => name);
    const domains = [...solvers.values()].map(({ metadata }) => metadata.labels[domainLabel]);
    assert.equal(new Set(domains).size, hosts.length);
    for (const { spec } of solvers.values()) {
      assert.deepEqual(
        spec.containers.map(({ image }) => image),
        [solverImage],
      );
      assert.ok(names.includes(spec.nodeName ?? ''), `no node of ours: ${spec.nodeName}`);
    }
  });

  test('the certificate is served on port 443 of both nodes', async () => {
    await untilReady('shop');
    const ca = await pebble.rootCertificate();
    for (const { address } of cluster.nodes)
      for (const name of hosts) {
        assert.equal(await secureAnswer(address, name, ca), 200);
        assert.equal((await plain(address, name, '/')).status, 308);
      }
  });

  test('what solved the challenges is gone, and its paths with it', async () => {
    const endMs = performance.now() + 60_000;
    for (;;) {
      const left = (await solverPods()).map(({ metadata }) => metadata.name);
      for (const { host, path, key } of challenges.values())
        for (const { address } of cluster.nodes)
          if ((await plain(address, host, path)).body === key) left.push(`${host} by ${address}`);
      if (left.length === 0) break;
      assert.ok(performance.now() < endMs, left.join());
      await moment();
    }
  });

  test('a renewal under new connections from outside: none fails at either node', async (context) => {
    const ca = await pebble.rootCertificate();
    const endpoints = cluster.nodes.map(({ address: host }) => ({ host, port: 443, ca, name: hosts[0] }));
    const explain = (): string => pebble.output;
    const renewal = { api: cluster.api, namespace: 'shop', name: 'shop-tls', endpoints, lanes: 1, explain };
    await renewUnderHandshakes(context, renewal);
    await untilReady('shop');
  });

  test("an authority of one's own: a certificate in a moment, which chains to its root", async (context) => {
    const startMs = performance.now();
    await applyRoute('own', ['own.test'], { name: 'shop-ca' });
    await untilReady('own');
    context.diagnostic(`Ready ${Math.round(performance.now() - startMs)} ms after it was applied`);
    const ca = authority.root.certificate;
    for (const { address } of cluster.nodes) {
      await shakeHands({ host: address, port: 443, ca, name: 'own.test' });
      assert.equal(await secureAnswer(address, 'own.test', ca), 200);
    }
  });
});
