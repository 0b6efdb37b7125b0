// cert-manager's part of the story, replayed step by step: what Flint asks it for, and how every data plane follows.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { echoBackend } from '../e2e/backends.ts';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { request } from '../e2e/http-client.ts';
import { route, service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { createAuthority, generateKey, issue } from '../tls/certificates.ts';
import type { Issued } from '../tls/certificates.ts';
import { keyLines } from '../tls/no-key-seen.ts';
import { CertManager, certManagerCrds } from './cert-manager.ts';
import type { Challenge, StoredCertificate } from './cert-manager.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';
import type { ProxyPod } from './test-cluster.ts';

const noCluster = whyNoCluster();
const crds = noCluster === undefined ? certManagerCrds() : { missing: noCluster };
const skip = 'missing' in crds ? crds.missing : false;

const issuerRef = { kind: 'ClusterIssuer', name: 'letsencrypt' };
const hosts = ['shop.test', 'www.shop.test', 'api.shop.test'];
const secretName = 'shop-tls';
/** Solvers listen on one port, so each has an address of its own. */
const solverAddresses = ['10.213.3.1', '10.213.3.2', '10.213.3.3', '10.213.3.4', '10.213.3.5'] as const;

interface ServedCertificate {
  readonly id: string;
  readonly dnsNames: readonly string[];
  readonly notAfter: string;
  readonly fingerprint: string;
}

describe('cert-manager', { skip }, () => {
  let cluster: TestCluster;
  let certManager: CertManager;
  let operator: FlintProcess;
  let certificate: StoredCertificate;
  let challenges: readonly Challenge[] = [];
  const operators: FlintProcess[] = [];
  const closing: (() => unknown)[] = [];

  const authority = createAuthority();
  const issueFor = (notAfter: string): Issued =>
    authority.issue({ dnsNames: hosts, notAfter, key: generateKey('RSA-2048') });
  const first = issueFor('2030-01-01T00:00:00Z');
  const renewed = issueFor('2030-03-01T00:00:00Z');
  const repaired = issueFor('2030-05-01T00:00:00Z');
  /** cert-manager's own: signed by an authority that is thrown away. */
  const temporary = issue({ dnsNames: hosts, issuer: createAuthority('cert-manager.local').root });
  const secrets = [first, renewed, repaired, temporary].map(({ keyPem }) => keyPem);

  const startOperator = async (): Promise<void> => {
    operator = await cluster.startOperator();
    operators.push(operator);
  };
  const inForm = (issued: Issued): { readonly certificate: string; readonly keyPem: string } => ({
    certificate: authority.chainOf(issued),
    keyPem: issued.keyPem,
  });

  before(async () => {
    if ('missing' in crds) return;
    cluster = await TestCluster.start(3);
    certManager = await CertManager.install(cluster, crds.folder, issuerRef.name);
    const backend = await echoBackend({ after: (close) => closing.push(close) }, 'shop', 0, backendAddress);
    const shop = yaml(...service('shop', [backend.port], backendAddress));
    await cluster.apply(shop);
    await cluster.createNamespace('rival');
    await cluster.apply(shop, 'rival');
    await startOperator();
    await cluster.untilProxiesReady();
    await cluster.apply(yaml(simpleRoute('taken.test', 'shop')), 'rival');
    await cluster.waitReady('taken-test', 'rival');
  });
  after(async () => {
    for (const close of closing) close();
    certManager.stop();
    await cluster.stop();
  });

  const served = async (pod: ProxyPod): Promise<readonly ServedCertificate[]> =>
    (await (await pod.admin('/certificates')).json()) as readonly ServedCertificate[];

  /** Resolves when every data plane has this leaf for the shop, and says how long that took. */
  async function untilServed(context: TestContext, leaf: Issued): Promise<void> {
    const startMs = performance.now();
    const wanted = fingerprintOf(leaf);
    for (;;) {
      const all = await Promise.all(cluster.proxies.map(served));
      const ours = all.map((list) => list.find(({ id }) => id === `default/${secretName}`)?.fingerprint);
      if (ours.every((fingerprint) => fingerprint === wanted)) break;
      if (performance.now() - startMs > 30_000) assert.fail(`served: ${ours.join()}, not ${wanted}`);
      await moment();
    }
    context.diagnostic(`on all data planes after ${Math.round(performance.now() - startMs)} ms`);
  }

  const asTo = (host: string, path: string): Promise<readonly string[]> =>
    Promise.all(
      cluster.proxies.map(async ({ http }) => {
        const { status, body } = await request(http, host, path);
        return status === 200 ? body : String(status);
      }),
    );

  async function untilAnswered({ host, path, answer }: Challenge): Promise<void> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const answers = await asTo(host, path);
      if (answers.every((each) => each === answer)) return;
      if (Date.now() > endMs) assert.fail(`${host}${path}: ${answers.join(' | ')}`);
      await moment();
    }
  }

  const statusOf = async (name: string): Promise<readonly unknown[] | undefined> =>
    (await cluster.get<WithCertificates>(`/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes/${name}`))
      .status?.certificates;

  test('a route with an issuer gets a Certificate of its own, and is told that it is pending', async () => {
    const object = route('shop', {
      hostnames: hosts,
      tls: { certificateRefs: [{ name: secretName }], issuerRef },
      rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
    }) as { readonly metadata: object };
    const labels = { 'app.kubernetes.io/instance': 'argo' };
    const annotations = { 'argocd.argoproj.io/tracking-id': 'shop:flint.dev/IngressRoute:default/shop' };
    await cluster.apply(yaml({ ...object, metadata: { ...object.metadata, labels, annotations } }));
    certificate = await certManager.untilCertificate(secretName);
    const { metadata, spec } = certificate;
    assert.deepEqual([...(spec.dnsNames ?? [])].sort(), [...hosts].sort());
    assert.deepEqual([spec.issuerRef.kind, spec.issuerRef.name], [issuerRef.kind, issuerRef.name]);
    assert.equal(spec.issuerRef.group ?? 'cert-manager.io', 'cert-manager.io');
    const owner = await cluster.get<{ readonly metadata: { readonly uid: string } }>(
      '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes/shop',
    );
    assert.deepEqual(
      metadata.ownerReferences?.map(({ kind, name, uid }) => ({ kind, name, uid })),
      [{ kind: 'IngressRoute', name: 'shop', uid: owner.metadata.uid }],
    );
    assert.ok(
      metadata.managedFields?.some(
        ({ manager, operation }) => manager === 'flint-operator' && operation === 'Apply',
      ),
    );
    // Who tracks objects by labels or annotations would take a copy for an object of the user's, and prune it.
    const copied = { ...metadata.labels, ...metadata.annotations };
    for (const name of Object.keys({ ...labels, ...annotations })) assert.ok(!(name in copied), name);
    await cluster.untilCondition('shop', 'ResolvedRefs', 'False CertificatePending');
    assert.equal(await cluster.condition('shop', 'Ready'), 'False CertificatePending');
    assert.deepEqual(await Promise.all(cluster.proxies.map(served)), [[], [], []]);
  });

  test('a Certificate asks only for hosts that the namespace owns', async () => {
    await cluster.apply(
      yaml(
        route('mixed', {
          hostnames: ['mixed.test', 'taken.test'],
          tls: { certificateRefs: [{ name: 'mixed-tls' }], issuerRef },
          rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
        }),
      ),
    );
    const { spec } = await certManager.untilCertificate('mixed-tls');
    assert.deepEqual(spec.dnsNames, ['mixed.test']);
    await cluster.untilCondition('mixed', 'Accepted', 'False HostnameConflict');
    await cluster.delete('ir', 'mixed');
  });

  test('challenges are answered by every data plane while there is no Secret', async (context) => {
    await certManager.setIssuing(certificate.metadata.name, true);
    const classes = ['field', 'annotation', 'none'] as const;
    challenges = await Promise.all(
      hosts.map(async (host, index) => {
        const challenge = await certManager.present({
          host,
          token: `token-${index}`,
          by: classes[index] ?? 'field',
          pathType: index === 0 ? 'Exact' : 'ImplementationSpecific',
          address: solverAddresses[index] ?? '',
        });
        const startMs = performance.now();
        await untilAnswered(challenge);
        context.diagnostic(`class by ${classes[index]}: after ${Math.round(performance.now() - startMs)} ms`);
        return challenge;
      }),
    );
    const { status } = await cluster.api.call('GET', `/api/v1/namespaces/default/secrets/${secretName}`);
    assert.equal(status, 404);
    assert.equal(await cluster.condition('shop', 'ResolvedRefs'), 'False CertificatePending');
    // The exact path of the exact host, and nothing beside it.
    const [{ path, answer }] = challenges as readonly [Challenge, ...Challenge[]];
    for (const [host, other] of [
      ['www.shop.test', path],
      ['shop.test', `${path}/more`],
      ['shop.test', path.slice(0, -1)],
      ['shop.test', '/.well-known/acme-challenge/'],
    ] as const)
      for (const each of await asTo(host, other)) assert.notEqual(each, answer, `${host}${other}`);
  });

  test('a solver without a class in another namespace answers for no host of ours', async () => {
    const [host = ''] = hosts;
    const stolen = { host, token: 'stolen', by: 'none', pathType: 'Exact', namespace: 'rival' } as const;
    const challenge = await certManager.present({ ...stolen, address: solverAddresses[3] });
    // What is stored after it is served by all: so it has been seen, and passed over.
    await cluster.apply(yaml(simpleRoute('marker.test', 'shop')), 'rival');
    await cluster.waitReady('marker-test', 'rival');
    await cluster.untilStatus('marker.test', 200);
    for (const each of await asTo(challenge.host, challenge.path)) assert.notEqual(each, challenge.answer);
    await challenge.cleanUp();
  });

  test('a temporary certificate is served meanwhile, and the challenges with it', async (context) => {
    await certManager.writeSecret(certificate, temporary);
    await untilServed(context, temporary);
    for (const { host, path, answer } of challenges)
      assert.deepEqual(await asTo(host, path), [answer, answer, answer]);
  });

  test('the solvers go, the certificate comes, and the route is Ready', async (context) => {
    await Promise.all(challenges.map(({ cleanUp }) => cleanUp()));
    await certManager.writeSecret(certificate, inForm(first));
    await untilServed(context, first);
    await certManager.setReady(certificate.metadata.name, '2030-01-01T00:00:00Z');
    await cluster.waitReady('shop');
    await untilNotAfter('2030-01-01T00:00:00Z');
    assert.equal(await cluster.condition('shop', 'ResolvedRefs'), 'True ResolvedRefs');
    const dnsNames = [...hosts].sort();
    assert.deepEqual(await statusOf('shop'), [{ secretName, notAfter: '2030-01-01T00:00:00Z', dnsNames }]);
    const expected = { id: `default/${secretName}`, dnsNames, notAfter: '2030-01-01T00:00:00Z' };
    for (const list of await Promise.all(cluster.proxies.map(served)))
      assert.deepEqual(list, [{ ...expected, fingerprint: fingerprintOf(first) }]);
    for (const { host, path, answer } of challenges) {
      for (;;) {
        const answers = await asTo(host, path);
        assert.ok(!answers.includes(answer), 'a solver that is gone answers');
        // Its route goes after its endpoints: 503 until then.
        if (!answers.includes('503')) break;
        await moment();
      }
    }
  });

  test('a renewal with another key is served by all, and the route stays Ready all the while', async (context) => {
    await certManager.setIssuing(certificate.metadata.name, false);
    const done = new AbortController();
    const seen = new Set<string>();
    const watching = (async (): Promise<void> => {
      while (!done.signal.aborted) seen.add(await cluster.condition('shop', 'Ready'));
    })();
    await certManager.writeSecret(certificate, inForm(renewed));
    await untilServed(context, renewed);
    await certManager.setReady(certificate.metadata.name, '2030-03-01T00:00:00Z');
    await untilNotAfter('2030-03-01T00:00:00Z');
    done.abort();
    await watching;
    assert.deepEqual([...seen], ['True Programmed']);
  });

  async function untilNotAfter(wanted: string): Promise<void> {
    const endMs = Date.now() + 30_000;
    for (;;) {
      const certificates = (await statusOf('shop')) as readonly { readonly notAfter: string }[] | undefined;
      if (certificates?.length === 1 && certificates[0]?.notAfter === wanted) return;
      if (Date.now() > endMs) assert.fail(`status.certificates is ${JSON.stringify(certificates)}`);
      await moment();
    }
  }

  test('a broken renewal is named in the status, and the last good pair stays, with a new operator too', async (context) => {
    await certManager.writeSecret(certificate, { ...inForm(repaired), keyPem: first.keyPem });
    await cluster.untilCondition('shop', 'ResolvedRefs', 'False SecretInvalid');
    const { status } = await cluster.route('shop');
    const message = status?.conditions?.find(({ type }) => type === 'ResolvedRefs')?.message ?? '';
    assert.match(message, /shop-tls.*tls\.key is not the key of the first certificate/);
    await untilServed(context, renewed);
    await operator.stop('SIGKILL');
    await startOperator();
    // What is published after its start holds the certificate as well.
    await cluster.apply(yaml(simpleRoute('later.test', 'shop')));
    await cluster.waitReady('later-test');
    await untilServed(context, renewed);
    assert.equal(await cluster.condition('shop', 'ResolvedRefs'), 'False SecretInvalid');
    await certManager.writeSecret(certificate, inForm(repaired));
    await untilServed(context, repaired);
    await cluster.waitReady('shop');
    await untilNotAfter('2030-05-01T00:00:00Z');
  });

  test('keys are in Secrets of flint-routes, and nowhere else that Flint writes', async () => {
    const objects = ['configmaps', 'ir', 'events', 'certificates', 'leases'].join();
    const texts = {
      objects: await cluster.api.kubectl(['get', objects, '--all-namespaces', '-o', 'json']),
      logs: [...operators, ...cluster.proxies.map(({ flint }) => flint)]
        .map(({ log }) => JSON.stringify(log))
        .join(),
      admin: (
        await Promise.all(
          cluster.proxies.flatMap((pod) =>
            ['/certificates', '/metrics', '/revision'].map(async (path) => (await pod.admin(path)).text()),
          ),
        )
      ).join(),
    };
    for (const [place, text] of Object.entries(texts))
      for (const line of secrets.flatMap(keyLines)) {
        assert.ok(!text.includes(line), `a key is in ${place}`);
        // As base64 too, wherever in a group of three bytes it begins.
        for (const before of ['', ' ', '  ']) {
          const encoded = Buffer.from(before + line).toString('base64');
          assert.ok(!text.includes(encoded.slice(4, -4)), `a key is in ${place}`);
        }
      }
    const generated = await cluster.get<{ readonly items: readonly unknown[] }>(
      '/api/v1/namespaces/flint-routes/secrets',
    );
    assert.ok(generated.items.length > 0);
    const { status } = await cluster.api.call('GET', '/api/v1/namespaces/flint-routes/secrets', undefined, {
      token: await cluster.api.tokenOf('flint-system', 'flint-proxy'),
    });
    assert.equal(status, 403, 'a data plane reads Secrets by their names alone');
  });
});

interface WithCertificates {
  readonly status?: { readonly certificates?: readonly unknown[] };
}

function fingerprintOf({ der }: Issued): string {
  return createHash('sha256').update(der).digest('hex');
}
