// The roles of config/ are the least that works: every verb is taken away once, and something breaks each time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FlintProcess } from '../e2e/flint-process.ts';
import { service, simpleRoute, yaml } from '../e2e/manifests.ts';
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
  let generation = 0;

  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());

  test('with all of them, nothing is refused', async () => {
    assert.deepEqual([...(await refusalsInALife())], []);
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
   * watches, a publish, a repair, a collection of old chunks, a status, an event. Returns what the API server refused;
   * ends early when a refusal matches `wanted`.
   */
  async function refusalsInALife(wanted?: RegExp): Promise<ReadonlySet<string>> {
    generation++;
    // A new leader, which has to create its Lease, and finds a head or none.
    await cluster.api.call(
      'DELETE',
      '/apis/coordination.k8s.io/v1/namespaces/flint-system/leases/flint-operator',
    );
    if (generation % 2 === 0) await cluster.api.kubectl(['delete', 'cm', '--all', '-n', 'flint-routes']);
    await cluster.apply(yaml(simpleRoute('first.test', 'nobody')));
    const proxy = await cluster.startProxy(1, { args: ['--log-level', 'warn'] });
    const operator = await cluster.startOperator({ args: ['--chunk-retention', '0'] });
    const refusals = (): ReadonlySet<string> => new Set([...refusedIn(operator), ...refusedIn(proxy.flint)]);
    const name = `life-${generation}`;
    try {
      const endMs = Date.now() + 20_000;
      const isOver = async (): Promise<boolean> => {
        if (Date.now() > endMs) return true;
        if (wanted !== undefined && [...refusals()].some((text) => wanted.test(text))) return true;
        return (
          wanted === undefined && (await cluster.condition(`${name}-test`, 'Ready')) === 'True Programmed'
        );
      };
      await operator.until(() => operator.said('published') || refusals().size > 0);
      // One more route: the chunk of the first one's host is replaced, and nobody names the old one.
      await cluster.apply(yaml(...service(name, [80], backendAddress), simpleRoute(`${name}.test`, name)));
      while (!(await isOver())) await moment(100);
      if (wanted === undefined) {
        // An event, a change of the head and a collection come after the status.
        await cluster.delete('ir', `${name}-test`);
        await moment(2500);
      }
      return refusals();
    } finally {
      await operator.stop('SIGKILL');
      await cluster.removeProxy(proxy);
      await cluster.api.kubectl(['delete', 'ir,svc,endpointslices', '--all']);
    }
  }
});

function* refusedIn(flint: FlintProcess): Generator<string> {
  for (const line of flint.log) {
    const text = JSON.stringify(line).replaceAll('\\"', '"');
    if (text.includes('forbidden')) yield text;
  }
}
