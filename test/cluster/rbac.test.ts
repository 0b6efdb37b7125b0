// The roles of config/ are the least that works: every verb is taken away once, and something breaks each time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
import { issue } from '../tls/certificates.ts';
import { TestCluster, backendAddress, moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly Rule[];
}

const roles = [
  '/apis/rbac.authorization.k8s.io/v1/clusterroles/flint-operator',
  '/apis/rbac.authorization.k8s.io/v1/namespaces/flint-routes/roles/flint-operator',
  '/apis/rbac.authorization.k8s.io/v1/namespaces/flint-system/roles/flint-operator',
  '/apis/rbac.authorization.k8s.io/v1/namespaces/flint-routes/roles/flint-proxy',
];

describe('the roles of config/', { skip }, () => {
  let cluster: TestCluster;
  let lives = 0;

  before(async () => {
    cluster = await TestCluster.start();
    await cluster.apply(yaml(...service('somebody', [80], backendAddress)));
  });
  after(() => cluster.stop());

  test('with all of them, nothing is refused', async () => {
    assert.deepEqual(await refusalsInALife(), []);
  });

  test('without any one verb, that very verb is missed', async () => {
    for (const path of roles) {
      const role = await cluster.get<Role>(path);
      for (const [index, rule] of role.rules.entries())
        for (const verb of rule.verbs) {
          const place = `${role.kind} ${role.metadata.namespace ?? ''}/${role.metadata.name}`;
          const what = `${verb} ${rule.resources.join()} ${rule.resourceNames?.join() ?? ''}`.trim();
          const rules = role.rules.map((each, at) =>
            at === index ? { ...each, verbs: each.verbs.filter((other) => other !== verb) } : each,
          );
          await setRules(
            path,
            rules.filter(({ verbs }) => verbs.length > 0),
          );
          const wanted = new RegExp(`cannot ${verb} resource "${rule.resources[0]}"`);
          const refusals = await refusalsInALife(wanted);
          assert.ok(
            [...refusals].some((text) => wanted.test(text)),
            `${place}: nobody misses "${what}"`,
          );
          await setRules(path, role.rules);
        }
    }
  });

  async function setRules(path: string, rules: readonly Rule[]): Promise<void> {
    const { status, body } = await cluster.api.call(
      'PATCH',
      path,
      { rules },
      {
        contentType: 'application/merge-patch+json',
      },
    );
    assert.equal(status, 200, JSON.stringify(body));
    // The authorizer follows roles by a watch of its own.
    await moment(200);
  }

  /**
   * A short life of an operator and a data plane in which everything happens that ever does: leadership, lists,
   * watches, a publish, a change, a renewed certificate, a collection of old chunks, statuses, an event. Returns what the
   * API server refused; ends early when a refusal matches `wanted`.
   */
  async function refusalsInALife(wanted?: RegExp): Promise<readonly string[]> {
    const hosts = [`a${++lives}.test`, `b${lives}.test`];
    // A new leader has to create its Lease.
    await cluster.api.call(
      'DELETE',
      '/apis/coordination.k8s.io/v1/namespaces/flint-system/leases/flint-operator',
    );
    const [proxy, operator] = await Promise.all([
      cluster.startProxy(1),
      cluster.startOperator({
        args: ['--chunk-retention', '0', '--lease-duration', '1500', '--publish-address', '203.0.113.7'],
      }),
    ]);
    const refusals = (): readonly string[] => [...refusedIn(operator), ...refusedIn(proxy.flint)];
    const isMissed = (): boolean => wanted !== undefined && refusals().some((text) => wanted.test(text));
    const until = async (isThere: () => Promise<boolean> | boolean): Promise<void> => {
      const endMs = Date.now() + 15_000;
      while (!isMissed() && Date.now() < endMs && !(await isThere())) await moment(50);
    };
    try {
      await until(() => operator.said('published') || operator.said('leading'));
      // The second route changes the chunk of the first one's bucket, and its certificate the other's chunk: nobody names
      // the old chunks any more.
      for (const host of hosts) {
        await createRoute(host);
        await until(async () => (await cluster.condition(nameOf(host), 'Ready')) === 'True Programmed');
      }
      await create(ingresses, ingress);
      await until(
        async () =>
          (await cluster.get<StoredIngress>(`${ingresses}/shop`)).status.loadBalancer.ingress !== undefined,
      );
      const chunks = async (plural: string): Promise<number> => {
        const path = `/api/v1/namespaces/flint-routes/${plural}?labelSelector=flint.dev/part%3Dchunk`;
        return (await cluster.get<{ readonly items: readonly unknown[] }>(path)).items.length;
      };
      // Settings, zones, hosts, upstreams and claims; certificates.
      await until(async () => (await chunks('configmaps')) === 5 && (await chunks('secrets')) === 1);
      // The last event of all may still be on its way.
      if (wanted === undefined) await moment(500);
      return refusals();
    } finally {
      await operator.stop('SIGKILL');
      await cluster.removeProxy(proxy);
      for (const host of hosts) {
        await cluster.api.call('DELETE', `${ingressRoutes}/${nameOf(host)}`);
        await cluster.api.call('DELETE', `${secrets}/${nameOf(host)}`);
      }
      await cluster.api.call('DELETE', `${ingresses}/shop`);
    }
  }

  async function createRoute(host: string): Promise<void> {
    const { certificate, keyPem } = issue({ dnsNames: [host] });
    await create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: nameOf(host) },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': certificate, 'tls.key': keyPem },
    });
    const { spec, ...route } = simpleRoute(host, 'somebody') as { readonly spec: object };
    await create(ingressRoutes, {
      ...route,
      spec: { ...spec, tls: { certificateRefs: [{ name: nameOf(host) }] } },
    });
  }

  async function create(path: string, object: object): Promise<void> {
    const { status, body } = await cluster.api.call('POST', path, object);
    assert.equal(status, 201, JSON.stringify(body));
  }
});

interface StoredIngress {
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly object[] } };
}

const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'shop' },
  spec: {
    ingressClassName: 'flint',
    defaultBackend: { service: { name: 'somebody', port: { number: 80 } } },
  },
};

const secrets = '/api/v1/namespaces/default/secrets';
const ingresses = '/apis/networking.k8s.io/v1/namespaces/default/ingresses';
const ingressRoutes = '/apis/flint.dev/v1alpha1/namespaces/default/ingressroutes';

function nameOf(host: string): string {
  return host.replaceAll('.', '-');
}

function* refusedIn(flint: FlintProcess): Generator<string> {
  for (const line of flint.log) {
    const text = JSON.stringify(line).replaceAll('\\"', '"');
    if (text.includes('forbidden')) yield text;
  }
}
