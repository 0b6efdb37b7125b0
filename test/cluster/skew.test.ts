// Two builds at once: the present one and the last one of the schema before, as in every upgrade and every way back. All
// that both can say is served and followed throughout; what only the newer one can say waits, and is told so.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { newestSchema } from '#model/route-model-schema.ts';
import { route, simpleRoute, yaml } from '../e2e/manifests.ts';
import { MixedCluster, steadyAddress } from '../skew/mixed-cluster.ts';
import { moment, whyNoCluster } from './test-cluster.ts';

const skip = whyNoCluster() ?? false;
const oldSchema = newestSchema - 1;
const fromSteady = `200 ${steadyAddress}`;
const toSteady = [{ name: 'steady', port: 80 }];

/** All of it can be said in the old schema. */
const plainRoutes = [
  route('filtered', {
    hostnames: ['filtered.test'],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/gone' } }],
        filters: [{ type: 'DirectResponse', directResponse: { statusCode: 410 } }],
      },
      {
        matches: [{ path: { type: 'PathPrefix', value: '/old' } }],
        filters: [
          {
            type: 'RequestRedirect',
            requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/new' } },
          },
        ],
      },
      { backendRefs: toSteady },
    ],
  }),
  ...['a', 'b', 'c', 'd'].map((name) => simpleRoute(`${name}.plain.test`, 'steady')),
];

const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'classic' },
  spec: {
    ingressClassName: 'flint',
    rules: [
      {
        host: 'classic.test',
        http: {
          paths: [
            {
              path: '/',
              pathType: 'Prefix',
              backend: { service: { name: 'steady', port: { number: 80 } } },
            },
          ],
        },
      },
    ],
  },
};

/** A rule whose object is served by any build, and by an old one not as it asks for. */
const patient = route('patient', {
  hostnames: ['patient.test'],
  rules: [
    {
      retry: { codes: [503] },
      sessionPersistence: {},
      // An old operator takes a fallback for a backend like any other.
      backendRefs: [...toSteady, { name: 'steady', port: 80, fallback: true }],
    },
  ],
});

/** What the old build cannot do: retries, sessions and fallbacks of rules, and endpoints that are treated on terms. */
const newOnly: readonly unknown[] = [
  patient,
  // The rule beside it, which asks for nothing, is of an object that is held back as a whole.
  route('bounded', {
    hostnames: ['bounded.test'],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/bounded' } }],
        policy: { circuitBreaker: { maxConnections: 100 }, healthCheck: { passive: {} } },
        backendRefs: toSteady,
      },
      { backendRefs: toSteady },
    ],
  }),
];
const newOnlyNames = ['patient', 'bounded'];

const tooOld = 'False DataPlaneTooOld';
const unreadable = 'flint_refused_bundles_total{refusal="UnknownSchema"}';

describe(`builds of schema ${oldSchema} and ${newestSchema} side by side`, { skip }, () => {
  let mixed: MixedCluster;

  beforeEach(async () => {
    mixed = await MixedCluster.start(oldSchema);
  });
  afterEach(() => mixed.stop());

  async function applyPlain(...more: readonly unknown[]): Promise<void> {
    await mixed.cluster.apply(yaml(...plainRoutes, ...more));
    for (const name of ['steady-test', 'moving-test', 'filtered', 'd-plain-test'])
      await mixed.cluster.waitReady(name);
    await assertPlain();
  }

  async function assertPlain(): Promise<void> {
    await mixed.assertAnswers('steady.test', '/', fromSteady);
    await mixed.assertAnswers('filtered.test', '/', fromSteady);
    await mixed.assertAnswers('filtered.test', '/gone', 410);
    await mixed.assertAnswers('filtered.test', '/old', 302);
    await mixed.assertAnswers('a.plain.test', '/', fromSteady);
  }

  async function untilAddressed(name: string): Promise<void> {
    const path = `/apis/networking.k8s.io/v1/namespaces/default/ingresses/${name}`;
    const endMs = Date.now() + 30_000;
    for (;;) {
      const { status } = await mixed.cluster.get<{
        readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
      }>(path);
      if ((status?.loadBalancer?.ingress ?? []).length > 0) return;
      assert.ok(Date.now() < endMs, `the Ingress ${name} has no address`);
      await moment();
    }
  }

  /** A route that comes, changes and goes while builds are mixed. */
  async function assertFollowed(name: string): Promise<void> {
    const host = `${name}.test`;
    const { cluster } = mixed;
    const sending = (status: number): string =>
      yaml(
        route(name, {
          hostnames: [host],
          rules: [
            {
              matches: [{ path: { type: 'Exact', value: '/status' } }],
              filters: [{ type: 'DirectResponse', directResponse: { statusCode: status } }],
            },
            { backendRefs: toSteady },
          ],
        }),
      );
    await cluster.apply(sending(418));
    await cluster.waitReady(name);
    await mixed.assertAnswers(host, '/', fromSteady);
    await mixed.assertAnswers(host, '/status', 418);
    await cluster.apply(sending(451));
    await cluster.waitReady(name);
    await mixed.assertAnswers(host, '/status', 451);
    await cluster.delete('ir', name);
    await cluster.untilStatus(host, 404);
  }

  test('an old operator and new data planes', async () => {
    await mixed.operator('old');
    await mixed.proxies('new', 'new');
    await applyPlain();
    await mixed.observe();
    await mixed.move(5);
    await assertFollowed('followed');
    // It knows nothing of what is new in a rule.
    await mixed.cluster.apply(yaml(patient));
    await mixed.cluster.waitReady('patient');
    await mixed.assertAnswers('patient.test', '/', fromSteady);
    assert.equal((await mixed.head()).schema, oldSchema);
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 2 });
  });

  test('a new operator and old data planes: what these cannot do waits for the last of them to go', async () => {
    const { cluster } = mixed;
    let leader = await mixed.operator('new');
    await mixed.proxies('old', 'old');
    await applyPlain(ingress);
    await untilAddressed('classic');
    await mixed.assertAnswers('classic.test', '/', fromSteady);
    assert.equal((await mixed.head()).schema, oldSchema);
    await mixed.observe();
    await mixed.move(3);

    await cluster.apply(yaml(...newOnly));
    const assertHeldBack = async (): Promise<void> => {
      for (const name of newOnlyNames)
        for (const type of ['Programmed', 'Ready']) await cluster.untilCondition(name, type, tooOld);
      // What is held back is told at once: nobody has to prove it. It is served all the same, without what is new in it.
      await cluster.untilStatus('patient.test', 200);
      await cluster.untilStatus('bounded.test', 200, '/bounded');
      await cluster.untilStatus('bounded.test', 200);
      assert.equal((await mixed.head()).schema, oldSchema);
      await mixed.move(3);
    };
    await assertHeldBack();
    await assertFollowed('followed-by-old');

    await mixed.replace(cluster.proxies[0]!, 'new');
    await assertHeldBack();
    await assertFollowed('followed-by-both');
    // Whoever leads next asks before it speaks.
    const lastOld = cluster.proxies[0]!;
    const refused = await lastOld.metric(unreadable);
    for (let turn = 0; turn < 3; turn++) {
      const next = await mixed.startOperator('new');
      await leader.stop('SIGTERM');
      await next.until(() => next.said('leading'));
      leader = next;
      await assertHeldBack();
    }
    assert.equal(await lastOld.metric(unreadable), refused);

    await mixed.replace(lastOld, 'new');
    for (const name of newOnlyNames) await cluster.untilCondition(name, 'Ready', 'True Programmed');
    assert.equal((await mixed.head()).schema, newestSchema);
    await mixed.move(3);
    await assertPlain();
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 2 });
  });

  test('old data planes start although the model holds what they cannot do, when there are no others', async () => {
    const { cluster } = mixed;
    await mixed.operator('new');
    await cluster.apply(yaml(...plainRoutes, ...newOnly));
    await mixed.proxies('old', 'old');
    await assertPlain();
    await cluster.untilCondition('bounded', 'Ready', tooOld);
    await cluster.waitReady('filtered');
    await mixed.move(2);
  });

  test('a rolling upgrade: the operator first, then one data plane after the other', async () => {
    const { cluster } = mixed;
    const old = await mixed.operator('old');
    await mixed.proxies('old', 'old');
    await applyPlain();
    await mixed.observe();
    await mixed.move(2);

    const next = await mixed.startOperator('new');
    await old.stop('SIGTERM');
    await next.until(() => next.said('leading'));
    await mixed.move(3);
    await assertPlain();
    // Nothing that they could not read was ever put before them.
    for (const pod of cluster.proxies) assert.equal(await pod.metric(unreadable), 0);
    for (const pod of cluster.proxies.slice()) {
      await mixed.replace(pod, 'new');
      await mixed.move(3);
      await assertPlain();
      await assertFollowed(`followed-after-${pod.name}`);
    }
    await mixed.untilSchema(newestSchema);
    await mixed.move(2);
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 2 });
  });

  test('a rolling downgrade of the data planes, and up again', async () => {
    const { cluster } = mixed;
    await mixed.operator('new');
    await mixed.proxies('new', 'new');
    await applyPlain(ingress);
    await untilAddressed('classic');
    await mixed.untilSchema(newestSchema);
    await mixed.observe();
    await mixed.move(2);
    for (const [age, schema] of [
      ['old', oldSchema],
      ['new', newestSchema],
    ] as const) {
      for (const pod of cluster.proxies.slice()) {
        await mixed.replace(pod, age);
        await mixed.move(2);
        await assertPlain();
        await mixed.assertAnswers('classic.test', '/', fromSteady);
      }
      await mixed.untilSchema(schema);
    }
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 2 });
  });

  test('an old data plane does not take the place of new ones that serve what it cannot', async () => {
    const { cluster } = mixed;
    await mixed.operator('new');
    await mixed.proxies('new', 'new');
    await applyPlain(...newOnly);
    for (const name of newOnlyNames) await cluster.untilCondition(name, 'Ready', 'True Programmed');
    await mixed.observe();
    const [first] = cluster.proxies;
    const stuck = await mixed.follow(first!, 'old');
    await mixed.untilRefused(stuck, 'UnknownSchema');
    await mixed.move(3);
    assert.ok(!stuck.isReady);
    assert.equal(await cluster.condition('bounded', 'Ready'), 'True Programmed');
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 4 });
  });

  test('a downgrade of the operator over a head of the new schema loses no route', async () => {
    const next = await mixed.operator('new');
    await mixed.proxies('new', 'new');
    // With a rule that needs a key, of which the old one knows nothing.
    await applyPlain(patient);
    await mixed.cluster.waitReady('patient');
    await mixed.untilSchema(newestSchema);
    // The old one knows of no addresses, and takes them from what it writes.
    await mixed.observe({ addresses: false });
    await mixed.move(2);

    const before = await mixed.head();
    const old = await mixed.startOperator('old');
    await next.stop('SIGTERM');
    await old.until(() => old.said('leading'));
    await mixed.untilSchema(oldSchema);
    await mixed.move(3);
    assert.ok((await mixed.head()).sequence > before.sequence);
    await assertPlain();
    await assertFollowed('followed-by-the-old');

    // And up again, from the head that the old one has left.
    const again = await mixed.startOperator('new');
    await old.stop('SIGTERM');
    await again.until(() => again.said('leading'));
    await mixed.untilSchema(newestSchema);
    await mixed.move(3);
    await assertPlain();
    await mixed.assertUnnoticed({ ready: plainRoutes.length + 2 });
  });
});
