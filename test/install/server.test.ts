// The chart on a real API server: what it accepts of each render, which pods the `restricted` profile lets in, and a release from
// its installation over upgrades and a rollback to its end. No pod runs here.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stringify } from 'yaml';
import type { KubernetesObject } from '#api/kubernetes-object.ts';
import { ApiServer, kubeAssets } from '../cluster/api-server.ts';
import { whyNoCluster } from '../cluster/test-cluster.ts';
import { chartFolder, helm, parseObjects, release, rendered, whyNoHelm } from './helm.ts';

const skip = whyNoCluster() ?? whyNoHelm;

interface Workload extends KubernetesObject {
  readonly spec: { readonly template: { readonly spec: object } };
}

describe('the chart on an API server', { skip }, () => {
  let api: ApiServer;
  let folder: string;

  before(async () => {
    const assets = kubeAssets();
    if ('missing' in assets) throw new Error(assets.missing);
    api = await ApiServer.start(assets.folder);
    folder = mkdtempSync(join(tmpdir(), 'flint-install-'));
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: api.url, 'certificate-authority': api.caFile } }],
      users: [{ name: 'u', user: { token: api.adminToken } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(config));
    for (const [name, level] of [
      ['restricted', 'restricted'],
      ['free', 'privileged'],
    ])
      await api.call('POST', '/api/v1/namespaces', {
        metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': level } },
      });
  });
  after(() => {
    api.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As a kubelet's API server would judge the pod of a workload: its refusal, or nothing. */
  async function refusalOfPod(namespace: string, component: string, values: string): Promise<string> {
    const workload = rendered(`${values}\npriorityClass: {create: false}`).find(
      ({ kind, metadata }) =>
        ['DaemonSet', 'Deployment'].includes(kind) && metadata.name === `flint-${component}`,
    ) as Workload;
    const { status, body } = await api.call('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
      metadata: { name: 'pod' },
      spec: workload.spec.template.spec,
    });
    if (status === 201) return '';
    assert.equal(status, 403, JSON.stringify(body));
    return String(body['message']);
  }

  test('the restricted profile admits the operator, and a proxy that takes nothing of its node', async () => {
    assert.equal(await refusalOfPod('restricted', 'operator', ''), '');
    for (const exposure of ['LoadBalancer', 'None'])
      for (const kind of ['DaemonSet', 'Deployment'])
        assert.equal(
          await refusalOfPod('restricted', 'proxy', `proxy: {kind: ${kind}, exposure: ${exposure}}`),
          '',
        );
  });

  test('it refuses ports of the node and the network of the node, for that reason alone', async () => {
    const hostPort = await refusalOfPod('restricted', 'proxy', 'proxy: {exposure: HostPort}');
    assert.match(hostPort, /violates PodSecurity "restricted:latest": hostPort \([^()]*\)$/);
    const highPorts = 'proxy: {exposure: HostNetwork, hostPorts: {http: 8080, https: 8443}}';
    const hostNetwork = await refusalOfPod('restricted', 'proxy', highPorts);
    assert.match(
      hostNetwork,
      /violates PodSecurity "restricted:latest": host namespaces \(hostNetwork=true\)$/,
    );
    const lowPorts = await refusalOfPod('restricted', 'proxy', 'proxy: {exposure: HostNetwork}');
    assert.match(lowPorts, /runAsUser=0/);
    assert.doesNotMatch(lowPorts, /capabilities|seccomp|privilege/i);
    assert.equal(await refusalOfPod('free', 'proxy', 'proxy: {exposure: HostPort}'), '');
    assert.equal(await refusalOfPod('free', 'proxy', 'proxy: {exposure: HostNetwork}'), '');
  });

  test('a release is installed, and nothing of it differs from its render', async () => {
    // A version of the chart before this one, whose CRD shows fewer columns.
    const earlier = join(folder, 'earlier');
    cpSync(chartFolder, earlier, { recursive: true });
    writeFileSync(join(earlier, 'crds/ingressroute.yaml'), crdWithoutColumns());
    await api.kubectl(['create', 'namespace', 'flint-system']);
    runHelm('install', release.name, earlier);
    assert.equal(await differences(''), '');
    assert.match(await differences('operator: {replicas: 3}'), /replicas: 3/);
    await api.kubectl(['create', '-f', '-'], asText([shop]));
  });

  test('every object is accepted with no field that the API server does not know', async () => {
    const everything = `
      proxy:
        kind: Deployment
        exposure: LoadBalancer
        autoscaling: {enabled: true}
        topologySpreadConstraints:
          - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}
      ownershipPolicy: {enabled: true}
      settings: {attempts: 2}
      certManager: {enabled: true}
      networkPolicy: {monitoringNamespaces: [monitoring]}`;
    const strict = ['apply', '--server-side', '--force-conflicts', '--validate=strict', '--dry-run=server'];
    for (const values of ['', 'proxy: {exposure: HostNetwork}', everything]) {
      // Names that are free: another manager's apply would keep the ports that Helm has put there.
      const objects = rendered(values, ['--include-crds', '--set', 'fullnameOverride=another']);
      const said = await api.kubectl([...strict, '-f', '-'], asText(objects));
      assert.equal(said.trim().split('\n').length, objects.length);
    }
  });

  test('an upgrade changes what it should and leaves the CRD; the CRD is applied, and takes no route away', async () => {
    const values = 'operator: {replicas: 3}\nsettings: {attempts: 2}\nproxy: {exposure: HostNetwork}';
    runHelm('upgrade', release.name, chartFolder, values);
    assert.equal(await differences(values), '');
    assert.equal(await columns(), 0);
    await api.kubectl(['apply', '--server-side', '--force-conflicts', '-f', join(chartFolder, 'crds')]);
    assert.notEqual(await columns(), 0);
    const route = '/apis/flint.dev/v1alpha1/namespaces/restricted/ingressroutes/shop';
    assert.equal((await api.call('GET', route)).status, 200);
  });

  test('a rollback brings back what was, and the end of the release leaves the CRD and the routes', async () => {
    runHelm('rollback', release.name, '1');
    assert.equal(await differences(''), '');
    assert.notEqual(await columns(), 0);
    runHelm('uninstall', release.name, '--wait=hookOnly');
    const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/flint-operator';
    assert.equal((await api.call('GET', role)).status, 404);
    assert.equal((await api.call('GET', crdPath)).status, 200);
  });

  function runHelm(verb: string, name: string, what: string, values = ''): void {
    const takesValues = verb === 'install' || verb === 'upgrade';
    const place = ['--kubeconfig', join(folder, 'kubeconfig'), '--namespace', release.namespace];
    const args = [verb, name, what, ...place, ...(takesValues ? ['--values', '-'] : [])];
    const { isDone, errors } = helm(args, values);
    assert.ok(isDone, errors);
  }

  /** What differs between the cluster and a render, as `kubectl diff` tells it; nothing where all is the same. */
  async function differences(values: string): Promise<string> {
    const args = ['diff', '--server-side', '--force-conflicts', '-f', '-'];
    return await api.kubectl(args, asText(rendered(values))).then(
      () => '',
      (error: unknown) => String(error),
    );
  }

  async function columns(): Promise<number> {
    const { body } = await api.call('GET', crdPath);
    const { spec } = body as unknown as CustomResourceDefinition;
    // The API server shows the age where a CRD names no column.
    return (spec.versions[0]?.additionalPrinterColumns ?? []).filter(({ name }) => name !== 'Age').length;
  }
});

const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ingressroutes.flint.dev';

interface CustomResourceDefinition {
  readonly spec: {
    readonly versions: readonly { additionalPrinterColumns?: readonly { readonly name: string }[] }[];
  };
}

function crdWithoutColumns(): string {
  const [crd] = parseObjects(readFileSync(join(chartFolder, 'crds/ingressroute.yaml'), 'utf8'));
  const { spec } = crd as unknown as CustomResourceDefinition;
  for (const version of spec.versions) delete version.additionalPrinterColumns;
  return stringify(crd);
}

const shop: KubernetesObject = {
  apiVersion: 'flint.dev/v1alpha1',
  kind: 'IngressRoute',
  metadata: { name: 'shop', namespace: 'restricted' },
  spec: { hostnames: ['shop.example.com'], rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }] },
};

function asText(objects: readonly KubernetesObject[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}
