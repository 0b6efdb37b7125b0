// After a sync nothing is left to sync: every sample as Argo CD and Flux apply it, and nothing of Flint's that they could prune.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { CertManager, certManagerCrds } from '../cluster/cert-manager.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from '../cluster/test-cluster.ts';
import { service, yaml } from '../e2e/manifests.ts';
import { pairFor, secret } from '../e2e/tls-clients.ts';
import { JudgeProgram, judgeBinary } from './judge-program.ts';
import type { Difference } from './judge-program.ts';

const noCluster = whyNoCluster();
const binary = noCluster === undefined ? judgeBinary() : { missing: noCluster };
const skip = 'missing' in binary ? binary.missing : false;

const samples = new URL('../../config/samples/', import.meta.url).pathname;
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
/** By either of them Argo CD knows what it may prune. */
const trackingLabel = 'app.kubernetes.io/instance';
const trackingAnnotation = 'argocd.argoproj.io/tracking-id';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: 'IngressRoute' | 'Ingress' | 'Secret';
  readonly metadata: Metadata;
  readonly spec?: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
}

const collections: Readonly<Record<Manifest['kind'], readonly [groupVersion: string, plural: string]>> = {
  IngressRoute: ['/apis/flint.dev/v1alpha1', 'ingressroutes'],
  Ingress: ['/apis/networking.k8s.io/v1', 'ingresses'],
  Secret: ['/api/v1', 'secrets'],
};

const pair = pairFor('shop.example.com');

/** All samples and a Secret, each with what Argo CD adds to it. */
function desiredIn(namespace: string): readonly Manifest[] {
  const { stringData, ...rest } = secret('shop-tls', pair) as Manifest & { readonly stringData: object };
  // The form that is stored: Argo CD brings the other into it before it compares.
  const data = Object.fromEntries(
    Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')]),
  );
  const manifests = readdirSync(samples).flatMap((file) =>
    parseAllDocuments(readFileSync(join(samples, file), 'utf8')).map((each) => each.toJS() as Manifest),
  );
  return [...manifests, { ...rest, data }].map((manifest) => {
    const { name } = manifest.metadata;
    const [group = ''] = manifest.apiVersion.includes('/') ? manifest.apiVersion.split('/') : [];
    const tracking = `samples:${group}/${manifest.kind}:${namespace}/${name}`;
    return {
      ...manifest,
      metadata: {
        name,
        namespace,
        labels: { [trackingLabel]: 'samples' },
        annotations: { [trackingAnnotation]: tracking },
      },
    };
  });
}

/** `name:port` of everything that the samples refer to. */
function backendsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { name, port } = value as { readonly name?: unknown; readonly port?: unknown };
  const number = typeof port === 'number' ? port : (port as { readonly number?: number } | undefined)?.number;
  const own = typeof name === 'string' && number !== undefined ? [`${name}:${number}`] : [];
  return [...own, ...Object.values(value).flatMap(backendsIn)];
}

describe('a sync of all samples', { skip }, () => {
  let cluster: TestCluster;
  let certManager: CertManager | undefined;

  before(async () => {
    cluster = await TestCluster.start();
    const crds = certManagerCrds();
    if ('folder' in crds) certManager = await CertManager.install(cluster, crds.folder, 'letsencrypt');
    await cluster.startProxy(1);
    await cluster.startOperator({ args: ['--publish-address', '203.0.113.7'] });
    await cluster.untilProxiesReady();
  });
  after(async () => {
    certManager?.stop();
    await cluster.stop();
  });

  async function live(manifest: Manifest): Promise<Manifest & { readonly status?: unknown }> {
    const [groupVersion, plural] = collections[manifest.kind];
    const { namespace = '', name } = manifest.metadata;
    return await cluster.get(`${groupVersion}/namespaces/${namespace}/${plural}/${name}`);
  }

  /** The Services that are asked for, the objects, and everything that Flint writes because of them. */
  async function sync(namespace: string, args: readonly string[]): Promise<readonly Manifest[]> {
    const desired = desiredIn(namespace);
    await cluster.createNamespace(namespace);
    for (const each of new Set(desired.flatMap(({ spec }) => backendsIn(spec)))) {
      const [name = '', port] = each.split(':');
      const [object, ...slices] = service(name, [80], backendAddress) as [object, ...object[]];
      await cluster.apply(
        yaml({ ...object, spec: { ports: [{ port: Number(port) }] } }, ...slices),
        namespace,
      );
    }
    await cluster.api.kubectl(['apply', ...args, '-f', '-'], yaml(...desired));
    if (certManager !== undefined) {
      const certificate = await certManager.untilCertificate('secure-tls', namespace);
      const { certificate: chain, keyPem } = pairFor('secure.example.com');
      await certManager.writeSecret(certificate, { certificate: chain, keyPem }, namespace);
    }
    for (const manifest of desired) {
      const { name } = manifest.metadata;
      if (manifest.kind === 'IngressRoute' && (name !== 'secure' || certManager !== undefined))
        await cluster.waitReady(name, namespace, '30s');
      if (manifest.kind === 'Ingress')
        while (JSON.stringify((await live(manifest)).status) === '{"loadBalancer":{}}') await moment();
    }
    return desired;
  }

  async function isInSync(desired: readonly Manifest[], args: readonly string[]): Promise<void> {
    // It exits with 1 where there is a difference.
    assert.equal(await cluster.api.kubectl(['diff', ...args, '-f', '-'], yaml(...desired)), '');
  }

  test('from the client, as Argo CD does it', async (context) => {
    if ('missing' in binary) return;
    const difference = JudgeProgram.difference(binary.file);
    context.after(() => difference.stop());
    const desired = await sync('by-client', []);
    const kinds = new Set<string>();
    for (const manifest of desired) {
      const object = await live(manifest);
      const last = JSON.parse(object.metadata.annotations?.[lastApplied] ?? '{}') as unknown;
      const said: Difference = await difference.ask({ last, desired: manifest, live: object });
      assert.deepEqual(said.patch, {}, `${manifest.kind} ${manifest.metadata.name}`);
      kinds.add(manifest.kind);
      // What is not as it should be is seen.
      const edited = { ...object, metadata: { ...object.metadata, labels: { [trackingLabel]: 'other' } } };
      const other: Difference = await difference.ask({ last, desired: manifest, live: edited });
      assert.deepEqual(other.patch, { metadata: { labels: { [trackingLabel]: 'samples' } } });
    }
    assert.deepEqual([...kinds].sort(), ['Ingress', 'IngressRoute', 'Secret']);
    await isInSync(desired, []);
    await cluster.api.kubectl(['delete', 'ir,ingress', '--all', '-n', 'by-client']);
  });

  test('from the server, as Flux does it', async () => {
    const args = ['--server-side', '--field-manager=kustomize-controller'];
    const desired = await sync('by-server', args);
    const before = await Promise.all(desired.map(live));
    await isInSync(desired, args);
    // A second one conflicts with nobody, and changes nothing: not even the version.
    await cluster.api.kubectl(['apply', ...args, '-f', '-'], yaml(...desired));
    const versions = (objects: readonly Manifest[]): readonly unknown[] =>
      objects.map(({ metadata }) => (metadata as { readonly resourceVersion?: string }).resourceVersion);
    assert.deepEqual(versions(await Promise.all(desired.map(live))), versions(before));
  });

  test('nothing that Flint has written is tracked, so that nothing of it is pruned', async () => {
    const written = JSON.parse(
      await cluster.api.kubectl([
        'get',
        [
          'configmaps',
          'secrets',
          'leases',
          'events',
          ...(certManager === undefined ? [] : ['certificates']),
        ].join(),
        '--all-namespaces',
        '-o',
        'json',
      ]),
    ) as { readonly items: readonly (Omit<Manifest, 'kind'> & { readonly kind: string })[] };
    const tracked = written.items.filter(
      ({ metadata: { labels, annotations } }) =>
        labels?.[trackingLabel] !== undefined || annotations?.[trackingAnnotation] !== undefined,
    );
    const nameOf = ({ kind, metadata: { namespace, name } }: (typeof written.items)[number]): string =>
      `${kind} ${namespace}/${name}`;
    assert.deepEqual(tracked.map(nameOf).sort(), ['Secret by-client/shop-tls', 'Secret by-server/shop-tls']);
    const generated = written.items.filter(({ metadata }) => metadata.namespace === 'flint-routes');
    assert.ok(
      generated.some(({ kind }) => kind === 'ConfigMap') && generated.some(({ kind }) => kind === 'Secret'),
    );
    const owned = written.items.filter(({ metadata }) => metadata.ownerReferences !== undefined);
    // A Certificate goes with its route; Argo CD shows it below that, and prunes no children.
    for (const { kind, metadata } of owned)
      assert.deepEqual(
        [kind, metadata.ownerReferences?.map((owner) => `${owner.kind} ${owner.name}`)],
        ['Certificate', ['IngressRoute secure']],
      );
    assert.deepEqual(
      generated.filter((object) => owned.includes(object)),
      [],
    );
  });
});
