// cert-manager as it is, end to end: from a route that names an issuer to a certificate on port 443, and a renewal under load.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { certManagerCrds, installCrds } from '../cluster/cert-manager.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from '../cluster/test-cluster.ts';
import { echoBackend } from '../e2e/backends.ts';
import { request } from '../e2e/http-client.ts';
import { route, service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { Acme } from './acme.ts';
import type { SolvedChallenge } from './acme.ts';
import { shakeHands } from './handshakes.ts';
import { certManagerAssets } from './pebble.ts';
import { certificateOf, renewUnderHandshakes } from './renewal.ts';
import { isAsInTestData } from './test-data.ts';

const noCluster = whyNoCluster();
const crds = noCluster === undefined ? certManagerCrds() : { missing: noCluster };
const assets = 'missing' in crds ? crds : certManagerAssets();
const skip = 'missing' in assets ? assets.missing : false;

const address = '10.213.1.1';
const hosts = ['shop.test', 'www.shop.test'];
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

  const issued = (secret: string): Promise<string | undefined> =>
    certificateOf(cluster.api, 'default', secret);

  const plain = (host: string, path: string): ReturnType<typeof request> =>
    request({ host: address, port: 80 }, host, path);

  test('ACME: challenges are answered while there is no Secret, and then 443 answers with it', async (context) => {
    const startMs = performance.now();
    await cluster.apply(withIssuer('shop', hosts, 'letsencrypt'));
    const early = new Set<string>();
    const endMs = Date.now() + 120_000;
    while ((await issued('shop-tls')) === undefined) {
      for (const { host, path, key } of acme.challenges) {
        const { body } = await plain(host, path);
        // Looked at after the answer: the Secret was missing when it came.
        if (body === key && (await issued('shop-tls')) === undefined) early.add(host);
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
    const endpoint = { host: address, port: 443, ca: await acme.rootCertificate(), name: 'shop.test' };
    await renewUnderHandshakes(context, {
      api: cluster.api,
      namespace: 'default',
      name: 'shop-tls',
      endpoints: [endpoint],
      explain: () => acme.output,
    });
    await cluster.waitReady('shop');
  });

  test('SelfSigned: a certificate in a moment', async (context) => {
    const startMs = performance.now();
    await cluster.apply(withIssuer('own', ['own.test'], 'self-signed'));
    await cluster.waitReady('own');
    context.diagnostic(`Ready ${Math.round(performance.now() - startMs)} ms after it was applied`);
    const ca = (await issued('own-tls')) ?? '';
    const { fingerprint } = await shakeHands({ host: address, port: 443, ca, name: 'own.test' });
    assert.equal(fingerprint, new X509Certificate(ca).fingerprint256);
  });

  // Here, since a minute has passed anyway.
  test('a backend that has been missing for a minute is waited for no longer', async () => {
    await cluster.untilCondition('late-test', 'Stalled', 'True BackendNotFound');
    isAsInTestData('degraded-backend-not-found', await cluster.route('late-test'));
  });
});
