// cert-manager as it is, end to end: from a route that names an issuer to a certificate on port 443, and a renewal under load.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { certManagerCrds, installCrds } from '../cluster/cert-manager.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from '../cluster/test-cluster.ts';
import { echoBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { route, service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { Acme, certManagerAssets } from './acme.ts';
import type { SolvedChallenge } from './acme.ts';
import { Handshakes, shakeHands } from './handshakes.ts';
import type { Endpoint } from './handshakes.ts';
import { isAsInTestData } from './test-data.ts';

const noCluster = whyNoCluster();
const crds = noCluster === undefined ? certManagerCrds() : { missing: noCluster };
const assets = 'missing' in crds ? crds : certManagerAssets();
const skip = 'missing' in assets ? assets.missing : false;

const address = '10.213.1.1';
const hosts = ['shop.test', 'www.shop.test'];
/** A Secret that has changed is served by everybody within this. */
const servedWithinMs = 2000;

interface StoredSecret {
  readonly data?: Readonly<Record<string, string>>;
}

describe("cert-manager's own controller", { skip }, () => {
  let cluster: TestCluster;
  let acme: Acme;
  const closing: (() => unknown)[] = [];

  before(async () => {
    if ('missing' in assets || 'missing' in crds) return;
    cluster = await TestCluster.start();
    await installCrds(cluster, crds.folder);
    await cluster.createNamespace('cert-manager');
    // Where certificate authorities and browsers look.
    await cluster.startProxy(1, { args: ['--http', `${address}:80`, '--https', `${address}:443`] });
    await cluster.startOperator({ args: ['--publish-address', '203.0.113.7'] });
    acme = await Acme.start(cluster, assets.folder, address);
    const backend = await echoBackend({ after: (close) => closing.push(close) }, 'shop', 0, backendAddress);
    const selfSigned = {
      apiVersion: 'cert-manager.io/v1',
      kind: 'ClusterIssuer',
      metadata: { name: 'self-signed' },
      spec: { selfSigned: {} },
    };
    await cluster.apply(
      yaml(acme.issuer('letsencrypt'), selfSigned, ...service('shop', [backend.port], backendAddress)),
    );
    await cluster.untilProxiesReady();
    await cluster.create(simpleRoute('late.test', 'late'));
  });
  after(async () => {
    for (const close of closing) close();
    await acme.stop();
    await cluster.stop();
  });

  const withIssuer = (name: string, hostnames: readonly string[], issuer: string): string =>
    yaml(
      route(name, {
        hostnames,
        tls: {
          certificateRefs: [{ name: `${name}-tls` }],
          issuerRef: { kind: 'ClusterIssuer', name: issuer },
        },
        rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
      }),
    );

  async function certificateOf(secret: string): Promise<string | undefined> {
    const { data } = await cluster.get<StoredSecret>(`/api/v1/namespaces/default/secrets/${secret}`);
    const pem = data?.['tls.crt'];
    return pem === undefined ? undefined : Buffer.from(pem, 'base64').toString();
  }

  const plain = (host: string, path: string): ReturnType<typeof request> =>
    request({ host: address, port: 80 }, host, path);

  test('ACME: challenges are answered while there is no Secret, and then 443 answers with it', async (context) => {
    const startMs = performance.now();
    await cluster.apply(withIssuer('shop', hosts, 'letsencrypt'));
    const early = new Set<string>();
    const endMs = Date.now() + 120_000;
    while ((await certificateOf('shop-tls')) === undefined) {
      for (const { host, path, key } of acme.challenges) {
        const { body } = await plain(host, path);
        // Looked at after the answer: the Secret was missing when it came.
        if (body === key && (await certificateOf('shop-tls')) === undefined) early.add(host);
      }
      if (Date.now() > endMs) assert.fail(acme.output);
      await moment(100);
    }
    assert.deepEqual([...early].sort(), hosts);
    await cluster.waitReady('shop');
    context.diagnostic(`Ready ${Math.round(performance.now() - startMs)} ms after it was applied`);
    const ca = await acme.rootCertificate();
    for (const name of hosts) await shakeHands({ host: address, port: 443, ca, name });
    assert.equal((await plain('shop.test', '/')).status, 308);
  });

  test('what solved the challenges is gone, and its paths with it', async () => {
    const solvers = async (): Promise<string> =>
      await cluster.api.kubectl(['get', 'ingress,pods', '-n', 'default', '-o', 'name']);
    const isAnswered = async ({ host, path, key }: SolvedChallenge): Promise<boolean> =>
      (await plain(host, path)).body === key;
    const endMs = Date.now() + 60_000;
    for (;;) {
      const left = await solvers();
      const answered = await Promise.all(acme.challenges.map(isAnswered));
      if (left === '' && !answered.includes(true)) break;
      if (Date.now() > endMs) assert.fail(`${left} ${answered.join()}\n${acme.output}`);
      await moment();
    }
  });

  test('a renewal under new connections: none fails, and the new certificate is served within 2 s', async (context) => {
    const endpoint: Endpoint = {
      host: address,
      port: 443,
      ca: await acme.rootCertificate(),
      name: 'shop.test',
    };
    const before = await certificateOf('shop-tls');
    const load = new Handshakes(endpoint);
    await renew('shop-tls');
    let unchangedMs = performance.now();
    let after = before;
    for (const endMs = Date.now() + 120_000; after === before;) {
      // It was read after this time.
      const askedMs = performance.now();
      after = await certificateOf('shop-tls');
      if (after === before) unchangedMs = askedMs;
      if (Date.now() > endMs) assert.fail(acme.output);
      await moment();
    }
    const wanted = new X509Certificate(after ?? '').fingerprint256;
    const isLate = ({ startedMs }: { readonly startedMs: number }): boolean =>
      startedMs > unchangedMs + servedWithinMs;
    while (!load.done.some(isLate) && performance.now() < unchangedMs + 5 * servedWithinMs) await moment();
    await load.stop();
    const first = load.done.find(({ fingerprint }) => fingerprint === wanted);
    context.diagnostic(
      `${load.done.length} handshakes; the new certificate ${Math.round((first?.endedMs ?? Infinity) - unchangedMs)} ms after the Secret's change at most`,
    );
    assert.deepEqual(load.failures, []);
    assert.deepEqual([...new Set(load.done.filter(isLate).map(({ fingerprint }) => fingerprint))], [wanted]);
    const old = new X509Certificate(before ?? '').fingerprint256;
    assert.deepEqual(new Set(load.done.map(({ fingerprint }) => fingerprint)), new Set([old, wanted]));
    await cluster.waitReady('shop');
  });

  test('SelfSigned: a certificate in a moment', async (context) => {
    const startMs = performance.now();
    await cluster.apply(withIssuer('own', ['own.test'], 'self-signed'));
    await cluster.waitReady('own', 'default', '60s');
    context.diagnostic(`Ready ${Math.round(performance.now() - startMs)} ms after it was applied`);
    const ca = (await certificateOf('own-tls')) ?? '';
    const { fingerprint } = await shakeHands({ host: address, port: 443, ca, name: 'own.test' });
    assert.equal(fingerprint, new X509Certificate(ca).fingerprint256);
  });

  // Here, since a minute has passed anyway.
  test('a backend that has been missing for a minute is waited for no longer', async () => {
    await cluster.untilCondition('late-test', 'Stalled', 'True BackendNotFound');
    isAsInTestData('degraded-backend-not-found', await cluster.route('late-test'));
  });

  /** As `cmctl renew` asks for it. */
  async function renew(name: string): Promise<void> {
    const path = `/apis/cert-manager.io/v1/namespaces/default/certificates/${name}/status`;
    const { body } = await cluster.api.call('GET', path);
    const { conditions = [] } = (body['status'] ?? {}) as { readonly conditions?: readonly object[] };
    const issuing = {
      type: 'Issuing',
      status: 'True',
      reason: 'ManuallyTriggered',
      message: 'Certificate re-issuance manually triggered',
      lastTransitionTime: new Date().toISOString(),
    };
    const status = { conditions: [...conditions, issuing] };
    const contentType = 'application/merge-patch+json';
    const answer = await cluster.api.call('PATCH', path, { status }, { contentType });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
});
