// The operator of config/namespaced/, under exactly the Roles in there: it serves its namespaces, touches no other, and
// every verb of the Role that each of them gets is needed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { request } from '../e2e/http-client.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { Interposer } from './interposer.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const folder = new URL('../../config/namespaced', import.meta.url).pathname;
const roleKinds = '/apis/rbac.authorization.k8s.io/v1';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
  readonly spec?: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
    };
  };
}

describe('config/namespaced', { skip }, () => {
  let cluster: TestCluster;
  let manifests: readonly Manifest[];
  let interposer: Interposer;
  let running: FlintProcess | undefined = undefined as FlintProcess | undefined;

  before(async () => {
    cluster = await TestCluster.start(1);
    interposer = await Interposer.start(cluster.api);
    // As much of cert-manager as a role can speak of.
    await cluster.apply(yaml(certificateCrd));
    // What config/ itself has given.
    await cluster.api.kubectl(['delete', 'clusterrole,clusterrolebinding', 'flint-operator']);
    await cluster.api.kubectl(['delete', 'ingressclass', 'flint']);
    for (const namespace of ['shop', 'blog', 'elsewhere']) await cluster.createNamespace(namespace);
    await cluster.api.kubectl(['apply', '-k', folder]);
    const text = await cluster.api.kubectl(['kustomize', folder]);
    manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  });
  after(async () => {
    interposer.stop();
    await cluster.stop();
  });

  /** As the Deployment says, and with what more a test wants to watch. The one before it is gone. */
  async function startOperator(...more: readonly string[]): Promise<FlintProcess> {
    await running?.stop('SIGKILL');
    // It has left its Lease behind.
    await cluster.api.call('DELETE', leasePath);
    interposer.refusals.length = 0;
    running = await cluster.startOperator({
      server: { url: interposer.url, caFile: cluster.api.caFile },
      args: [
        ...operatorArgs(),
        // Without Nodes there is no other address that a status could say.
        '--publish-address=203.0.113.7',
        ...more.map((namespace) => `--watch-namespace=${namespace}`),
      ],
    });
    return running;
  }

  function operatorArgs(): readonly string[] {
    const deployment = manifests.find(({ kind }) => kind === 'Deployment');
    const [command, ...args] = deployment?.spec?.template.spec.containers[0]?.args ?? [];
    assert.equal(command, 'operator');
    return args;
  }

  function watchedRoles(): readonly Manifest[] {
    return manifests.filter(
      ({ kind, metadata: { name, namespace = '' } }) =>
        kind === 'Role' && name === 'flint-operator-watched' && namespace !== '',
    );
  }

  test('nothing in it is cluster-scoped, and the flags and the Roles name the same namespaces', () => {
    for (const { kind, metadata } of manifests)
      assert.notEqual(metadata.namespace, undefined, `${kind} ${metadata.name}`);
    const flagged = operatorArgs().flatMap((arg) => /^--watch-namespace=(.+)/.exec(arg)?.[1] ?? []);
    const roles = watchedRoles().map(({ metadata }) => metadata.namespace);
    assert.deepEqual(new Set(flagged), new Set(roles));
  });

  test('routes of watched namespaces are served and said to be Ready; others are not touched', async () => {
    await startOperator();
    for (const namespace of ['shop', 'blog', 'elsewhere'])
      await cluster.apply(
        yaml(...service(namespace, [80], backendAddress), simpleRoute(`${namespace}.test`, namespace)),
        namespace,
      );
    const classes = { ours: 'flint', other: 'nginx' };
    for (const [name, ingressClassName] of Object.entries(classes))
      await createRoute('shop', `${name}.test`, 'shop', { ingressClassName });
    await cluster.waitReady('shop-test', 'shop');
    await cluster.waitReady('blog-test', 'blog');
    await cluster.waitReady('ours-test', 'shop');
    // Nothing listens at the endpoints: 503 is an answer of the route.
    assert.deepEqual(await answers('shop.test', 'blog.test', 'ours.test'), [503, 503, 503]);
    assert.deepEqual(await answers('elsewhere.test', 'other.test'), [404, 404]);
    // As the API server made it.
    const untouched = { observedGeneration: 0 };
    assert.deepEqual((await cluster.route('elsewhere-test', 'elsewhere')).status, untouched);
    assert.deepEqual((await cluster.route('other-test', 'shop')).status, untouched);
    assert.deepEqual(interposer.refusals, []);
    const events = async (): Promise<number> =>
      (await cluster.get<{ readonly items: readonly unknown[] }>(eventsOf('shop'))).items.length;
    // They are written after the status.
    while ((await events()) === 0) await moment();
  });

  test('a namespace that may not be read holds changes back, and takes nothing away', async () => {
    const operator = await startOperator('elsewhere');
    await operator.until(() =>
      operator.log.some((line) => JSON.stringify(line).includes('namespace \\"elsewhere')),
    );
    await createRoute('shop', 'late.test', 'shop');
    assert.deepEqual(await answers('shop.test', 'late.test'), [503, 404]);
    const [watched] = watchedRoles();
    await grant('elsewhere', watched?.rules ?? []);
    await cluster.waitReady('late-test', 'shop');
    await cluster.waitReady('elsewhere-test', 'elsewhere');
    assert.deepEqual(await answers('shop.test', 'late.test', 'elsewhere.test'), [503, 503, 503]);
  });

  /**
   * A verb is taken away in a namespace made for it, so that one life of an operator shows many at once. Lists go first:
   * without all of them nothing else begins.
   */
  test('in a watched namespace, every verb is needed', async () => {
    const [watched] = watchedRoles();
    const rules = watched?.rules ?? [];
    const verbs = rules.flatMap(({ resources, verbs: of }) =>
      of.map((verb) => [verb, resources[0] ?? ''] as const),
    );
    await isMissed(
      rules,
      verbs.filter(([verb]) => verb === 'list'),
    );
    await isMissed(
      rules,
      verbs.filter(([verb]) => verb !== 'list'),
    );
  });

  async function isMissed(
    rules: readonly Rule[],
    verbs: readonly (readonly [string, string])[],
  ): Promise<void> {
    const lacking = verbs.map(([verb, resource]) => ({
      namespace: `no-${verb}-${resource.replace('/', '-')}`,
      pattern: new RegExp(
        `cannot ${verb} resource "${resource}" .*"no-${verb}-${resource.replace('/', '-')}"`,
      ),
      verb,
      resource,
    }));
    for (const { namespace, verb, resource } of lacking) {
      await cluster.createNamespace(namespace);
      const left = rules.map((rule) =>
        rule.resources[0] === resource
          ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) }
          : rule,
      );
      await grant(
        namespace,
        left.filter((rule) => rule.verbs.length > 0),
      );
      await createRoute(namespace, `${namespace}.test`, 'nobody', {
        tls: {
          certificateRefs: [{ name: 'issued' }],
          issuerRef: { kind: 'ClusterIssuer', name: 'authority' },
        },
      });
      await create(`/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`, plainIngress(namespace));
    }
    await startOperator(...lacking.map(({ namespace }) => namespace));
    const notMissed = (): readonly string[] => {
      const { refusals } = interposer;
      return lacking
        .filter(({ pattern }) => !refusals.some((text) => pattern.test(text)))
        .map(({ verb, resource }) => `${verb} ${resource}`);
    };
    const endMs = performance.now() + 20_000;
    while (notMissed().length > 0 && performance.now() < endMs) await moment(50);
    assert.deepEqual(notMissed(), []);
    for (const { namespace } of lacking)
      await cluster.api.call('DELETE', `${ingressRoutes(namespace)}/${nameOf(`${namespace}.test`)}`);
  }

  async function grant(namespace: string, rules: readonly Rule[]): Promise<void> {
    const metadata = { name: 'flint-operator' };
    const binding = {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'flint-operator' },
      subjects: [{ kind: 'ServiceAccount', name: 'flint-operator', namespace: 'flint-system' }],
    };
    const path = `${roleKinds}/namespaces/${namespace}`;
    await create(`${path}/roles`, { metadata, rules });
    await create(`${path}/rolebindings`, { metadata, ...binding });
  }

  async function createRoute(
    namespace: string,
    host: string,
    backend: string,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const object = simpleRoute(host, backend) as { readonly spec: object };
    await create(ingressRoutes(namespace), { ...object, spec: { ...object.spec, ...more } });
  }

  async function create(path: string, object: unknown): Promise<void> {
    const { status, body } = await cluster.api.call('POST', path, object);
    assert.equal(status, 201, JSON.stringify(body));
  }

  async function answers(...hosts: readonly string[]): Promise<readonly number[]> {
    const [proxy] = cluster.proxies;
    return Promise.all(hosts.map(async (host) => (await request(proxy!.http, host, '/')).status));
  }
});

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/flint-system/leases/flint-operator';

function eventsOf(namespace: string): string {
  return `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
}

function ingressRoutes(namespace: string): string {
  return `/apis/flint.dev/v1alpha1/namespaces/${namespace}/ingressroutes`;
}

function nameOf(host: string): string {
  return host.replaceAll('.', '-');
}

function plainIngress(name: string): unknown {
  const backend = { service: { name: 'nobody', port: { number: 80 } } };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name },
    spec: {
      ingressClassName: 'flint',
      rules: [
        { host: `${name}.ingress.test`, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } },
      ],
    },
  };
}

const certificateCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'certificates.cert-manager.io' },
  spec: {
    group: 'cert-manager.io',
    scope: 'Namespaced',
    names: {
      kind: 'Certificate',
      listKind: 'CertificateList',
      plural: 'certificates',
      singular: 'certificate',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};
